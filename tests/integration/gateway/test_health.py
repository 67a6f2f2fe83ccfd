"""Services that die, load and come back."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway.upstream import Health
from hooke import errors
from hooke.status import PUSHBACK_KEY, error_from
from hooke.v1 import model_service_pb2
from tests.integration.gateway.stage import gateway, probe, server

MODELS = model_service_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def _refusal(call: Any, metadata: Any = ()) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call(b"", timeout=20, metadata=metadata)
    return failed.value


def _assert_upstream_failed(failed: grpc.aio.AioRpcError) -> None:
    error = error_from(failed)
    assert isinstance(error, errors.UpstreamFailedError)
    assert failed.code() is grpc.StatusCode.UNAVAILABLE
    assert error.retry_after_s
    assert int(dict(failed.trailing_metadata() or ())[PUSHBACK_KEY]) > 0


async def test_a_service_dies_and_returns() -> None:
    """Calls fail typed while it is away and pass again when it is back, on the same connection."""
    async with AsyncExitStack() as first, AsyncExitStack() as second:
        upstream = await first.enter_async_context(probe())
        stage = await second.enter_async_context(gateway({"any": upstream.address}))
        call = stage.call("Count")
        assert await call(b"1", timeout=20) == b"1"
        await first.aclose()
        _assert_upstream_failed(await _refusal(call))
        await stage.until(upstream.address, Health.UNREACHABLE)
        away = await _refusal(call)
        _assert_upstream_failed(away)
        assert error_from(away).retry_after_s == 5.0  # long enough for what served until now to start again
        assert stage.sample("hooke_gateway_upstream_serving", upstream=upstream.address) == 0
        assert stage.sample("hooke_gateway_serving_replicas", model="any") == 0
        async with probe(port=int(upstream.address.partition(":")[2])):
            await stage.until(upstream.address, Health.SERVING)
            assert await call(b"2", timeout=20) == b"2"
            assert stage.sample("hooke_gateway_upstream_serving", upstream=upstream.address) == 1
            assert stage.sample("hooke_gateway_serving_replicas", model="any") == 1


async def test_no_call_is_stuck_when_its_service_dies() -> None:
    """Calls in flight end at once, typed, and give their places back."""

    async def never(_request: bytes, _context: Any) -> bytes:
        await asyncio.Event().wait()
        return b""

    async with AsyncExitStack() as dying:
        upstream = await dying.enter_async_context(probe(never))
        async with gateway({"any": upstream.address}) as stage:
            calls = [asyncio.ensure_future(_refusal(stage.call("Count"))) for _ in range(5)]
            while len(upstream.requests) < 5:
                await asyncio.wait(calls, timeout=0.01)
            await dying.aclose()
            for failed in await asyncio.gather(*calls):
                _assert_upstream_failed(failed)
            assert stage.sample("hooke_gateway_in_flight_calls", upstream=upstream.address) == 0


async def test_nobody_ever_listened_there() -> None:
    """A wrong address is an error of the upstream, not a call that hangs."""
    async with gateway({"any": "127.0.0.1:1"}, wait=False) as stage:
        await stage.until("127.0.0.1:1", Health.UNREACHABLE)
        _assert_upstream_failed(await _refusal(stage.call("Count")))


async def test_a_service_that_answers_garbage() -> None:
    """What is no service of Hooke is not reachable, and is looked at again until it is one."""
    garbage = True

    async def list_models(_request: bytes, _context: Any) -> bytes:
        return b"\xff" if garbage else b""

    handler = grpc.unary_unary_rpc_method_handler(list_models)
    generic = grpc.method_handlers_generic_handler(MODELS, {"ListModels": handler})
    async with server({MODELS: lambda made: made.add_generic_rpc_handlers((generic,))}) as upstream:
        address = f"127.0.0.1:{upstream.port}"
        async with gateway({"any": address}, wait=False) as stage:
            await stage.until(address, Health.UNREACHABLE)
            garbage = False
            await stage.until(address, Health.SERVING)


async def test_the_other_replica_takes_over() -> None:
    """Once a replica is known to be away, no call goes there."""
    async with AsyncExitStack() as dying, probe() as staying:
        gone = await dying.enter_async_context(probe())
        async with gateway({"any": (gone.address, staying.address)}) as stage:
            await dying.aclose()
            await stage.until(gone.address, Health.UNREACHABLE)
            for _ in range(4):
                await stage.call("Count")(b"", timeout=20)
            assert len(staying.requests) == 4


async def test_a_loading_service_speaks_for_itself() -> None:
    """A service that is reachable but not ready answers, so that callers learn why."""

    async def loading(_request: bytes, _context: Any) -> bytes:
        raise errors.ModelLoadingError("still loading", retry_after_s=2.0)

    async with probe(loading) as upstream, gateway({"any": upstream.address}) as stage:
        await upstream.serve(False)
        await stage.until(upstream.address, Health.NOT_SERVING)
        error = error_from(await _refusal(stage.call("Count")))
        assert isinstance(error, errors.ModelLoadingError)
        assert error.retry_after_s == 2.0


async def test_a_ready_replica_goes_before_a_loading_one() -> None:
    """Calls wait for nobody while another replica is ready."""
    async with (
        probe() as loading,
        probe() as ready,
        gateway({"any": (loading.address, ready.address)}) as stage,
    ):
        await loading.serve(False)
        await stage.until(loading.address, Health.NOT_SERVING)
        for _ in range(4):
            await stage.call("Count")(b"", timeout=20)
        assert (len(loading.requests), len(ready.requests)) == (0, 4)


async def test_the_gateway_serves_while_one_service_does() -> None:
    """Its own health follows: one service is enough, none is too few."""
    async with probe() as one, probe() as two, gateway({"one": one.address, "two": two.address}) as stage:
        watch = health_pb2_grpc.HealthStub(stage.channel).Watch(health_pb2.HealthCheckRequest(), timeout=60)
        assert (await watch.read()).status == SERVING
        await one.serve(False)
        await stage.until(one.address, Health.NOT_SERVING)
        await two.serve(False)
        assert (await watch.read()).status == NOT_SERVING
        assert stage.gateway.fleet.upstreams[one.address].health is Health.NOT_SERVING
        await one.serve(True)
        assert (await watch.read()).status == SERVING
        watch.cancel()


async def test_the_gateway_waits_for_its_first_service() -> None:
    """Until something serves behind it, it says that it does not; its calls are answered all the same."""
    async with gateway({"any": "127.0.0.1:1"}, wait=False) as stage:
        stub = health_pb2_grpc.HealthStub(stage.channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=20)
        assert answer.status == NOT_SERVING
