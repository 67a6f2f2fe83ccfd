"""Which service a call reaches."""

from __future__ import annotations

from contextlib import AsyncExitStack

import grpc
import pytest

from hooke import errors
from hooke.status import error_from
from hooke.v1 import inference_service_pb2 as pb
from tests.integration.gateway.stage import Probe, Stage, gateway, probe


async def _behind_gateway(stack: AsyncExitStack, *names: str) -> tuple[dict[str, Probe], Stage]:
    probes = {name: await stack.enter_async_context(probe()) for name in names}
    models = {name: seen.address for name, seen in probes.items()}
    return probes, await stack.enter_async_context(gateway(models))


@pytest.mark.parametrize(
    ("in_metadata", "in_request", "reached"),
    [
        ("b", "", "b"),
        ("", "b", "b"),
        ("", "", "a"),
        (None, "", "a"),
        ("b", "a", "b"),
        (None, "a", "a"),
    ],
)
async def test_the_model_decides(in_metadata: str | None, in_request: str, reached: str) -> None:
    """The metadata key goes before the field of the request; without both, the default model is asked."""
    async with AsyncExitStack() as stack:
        probes, stage = await _behind_gateway(stack, "a", "b")
        metadata = () if in_metadata is None else (("hooke-model", in_metadata),)
        body = pb.CountRequest(model=in_request).SerializeToString()
        await stage.call("Count")(body, metadata=metadata, timeout=20)
        assert {name for name, seen in probes.items() if seen.requests} == {reached}


@pytest.mark.parametrize("method", ["Classify", "Segment", "Count"])
async def test_every_method_is_routed_by_its_request(method: str) -> None:
    """`model` is field 1 of every inference request."""
    async with AsyncExitStack() as stack:
        probes, stage = await _behind_gateway(stack, "a", "b")
        request = getattr(pb, f"{method}Request")(model="b")
        await stage.call(method)(request.SerializeToString(), timeout=20)
        assert len(probes["b"].requests) == 1


async def test_an_unknown_model_is_told_which_exist() -> None:
    """The error lists the models, for people and for programs, and no service is asked."""
    async with AsyncExitStack() as stack:
        probes, stage = await _behind_gateway(stack, "b", "a")
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stage.call("Count")(b"", metadata=(("hooke-model", "c"),), timeout=20)
        error = error_from(failed.value)
        assert isinstance(error, errors.UnknownModelError)
        assert error.metadata["models"] == "a, b"
        assert "a, b" in error.message
        assert not any(seen.requests for seen in probes.values())
        assert (
            stage.sample("hooke_gateway_calls_total", model="unknown", method="Count", code="NOT_FOUND") == 1
        )


async def test_an_unknown_name_of_any_length_is_an_unknown_model() -> None:
    """Errors travel in trailers, which are small; a long name must not turn one into another."""
    async with probe() as upstream, gateway({"any": upstream.address}) as stage:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stage.call("Count")(pb.CountRequest(model="x" * 100_000).SerializeToString(), timeout=20)
        assert isinstance(error_from(failed.value), errors.UnknownModelError)


async def test_replicas_take_turns() -> None:
    """Every replica of a model gets its share."""
    async with AsyncExitStack() as stack:
        probes = [await stack.enter_async_context(probe()) for _ in range(3)]
        stage = await stack.enter_async_context(gateway({"any": tuple(seen.address for seen in probes)}))
        for _ in range(9):
            await stage.call("Count")(b"", timeout=20)
        assert [len(seen.requests) for seen in probes] == [3, 3, 3]


async def test_a_method_that_nobody_knows_is_unimplemented() -> None:
    """Only methods of the wire are forwarded; without an evaluator its service is not offered."""
    async with probe() as upstream, gateway({"any": upstream.address}) as stage:
        for service, method in (
            ("hooke.v1.InferenceService", "Nothing"),
            ("hooke.v1.EvaluationService", "ListEvaluations"),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await stage.call(method, service)(b"", timeout=20)
            assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert not upstream.requests
