"""Bounded concurrency: what is in flight, in calls and bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from hooke import errors
from hooke.status import PUSHBACK_KEY, error_from
from tests.integration.gateway.stage import Probe, Stage, eventually, gateway, probe

MIB = 1024**2


@asynccontextmanager
async def waiting(**settings: object) -> AsyncIterator[tuple[Stage, Probe, Probe, asyncio.Event]]:
    """Two models whose answers wait for an event."""
    go = asyncio.Event()

    async def answer(_request: bytes, _context: Any) -> bytes:
        await go.wait()
        return b"answer"

    async with (
        probe(answer) as one,
        probe(answer) as two,
        gateway({"one": one.address, "two": two.address}, **settings) as stage,
    ):
        yield stage, one, two, go
        go.set()


def ask(stage: Stage, model: str, body: bytes = b"") -> asyncio.Future[bytes]:
    async def call() -> bytes:
        answer: bytes = await stage.call("Count")(body, metadata=(("hooke-model", model),), timeout=60)
        return answer

    return asyncio.ensure_future(call())


async def assert_refused(stage: Stage, model: str, body: bytes = b"") -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await ask(stage, model, body)
    error = error_from(failed.value)
    assert isinstance(error, errors.QueueFullError)
    assert error.retry_after_s
    assert int(dict(failed.value.trailing_metadata() or ())[PUSHBACK_KEY]) > 0


async def test_a_slow_model_does_not_take_every_place() -> None:
    """One model at its limit refuses; the others go on; a place that is free again is taken."""
    async with waiting(gateway_max_calls_per_upstream=2) as (stage, one, two, go):
        calls = [ask(stage, "one") for _ in range(2)]
        await eventually(lambda: len(one.requests) == 2)
        await assert_refused(stage, "one")
        calls.append(ask(stage, "two"))
        await eventually(lambda: len(two.requests) == 1)
        assert stage.sample("hooke_gateway_in_flight_calls", upstream=one.address) == 2
        assert stage.sample("hooke_gateway_rejected_total", model="one") == 1
        go.set()
        assert await asyncio.gather(*calls) == [b"answer"] * 3
        assert await ask(stage, "one") == b"answer"
        assert len(one.requests) == 3


async def test_all_models_share_a_limit() -> None:
    """The process as a whole is bounded too."""
    async with waiting(gateway_max_calls=3) as (stage, one, two, go):
        calls = [ask(stage, model) for model in ("one", "two", "one")]
        await eventually(lambda: len(one.requests) + len(two.requests) == 3)
        await assert_refused(stage, "two")
        go.set()
        assert await asyncio.gather(*calls) == [b"answer"] * 3
        assert await ask(stage, "two") == b"answer"


@pytest.mark.parametrize("setting", ["gateway_max_bytes", "gateway_max_bytes_per_upstream"])
async def test_bytes_are_bounded(setting: str) -> None:
    """Requests are refused by their size before they fill the memory; small ones still pass."""
    async with waiting(**{setting: MIB}) as (stage, one, _two, go):
        large = ask(stage, "one", bytes(MIB - 10))
        await eventually(lambda: len(one.requests) == 1)
        assert stage.sample("hooke_gateway_in_flight_bytes", upstream=one.address) == MIB - 10
        await assert_refused(stage, "one", bytes(11))
        small = ask(stage, "one", bytes(10))
        await eventually(lambda: len(one.requests) == 2)
        go.set()
        assert await asyncio.gather(large, small) == [b"answer"] * 2


async def test_a_large_request_that_is_alone_is_taken() -> None:
    """A limit below the size of one request would otherwise refuse it for ever."""
    async with waiting(gateway_max_bytes=MIB) as (stage, _one, _two, go):
        go.set()
        assert await ask(stage, "one", bytes(3 * MIB)) == b"answer"


async def test_places_come_back_however_a_call_ends() -> None:
    """Cancelled and failed calls free what they held."""
    async with waiting(gateway_max_calls=1) as (stage, one, _two, go):
        call = stage.call("Count")(b"", timeout=60)
        await eventually(lambda: len(one.requests) == 1)
        await assert_refused(stage, "one")
        call.cancel()
        await eventually(lambda: not stage.sample("hooke_gateway_in_flight_calls", upstream=one.address))
        with pytest.raises(grpc.aio.AioRpcError):
            await ask(stage, "nobody")
        go.set()
        assert await ask(stage, "one") == b"answer"
