"""The gateway is transparent: whatever a service says reaches the caller, and the other way round."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from gateway.fleet import Fleet
from gateway.forwarding import ForwardCall, handlers
from gateway.metrics import GatewayMetrics
from gateway.policies import MeasureCalls, RouteCalls
from gateway.policy import chain
from gateway.routes import Routes
from gateway.settings import GatewaySettings
from gateway.upstream import Method, Upstream
from hooke import errors, status
from hooke.errors import TABLE, Reason
from hooke.status import error_from
from hooke.v1 import inference_service_pb2 as pb
from hooke.v1 import inference_service_pb2_grpc as pb_grpc
from runtime.fakes import FakeModel, serving
from runtime.metrics import Metrics
from tests.integration.gateway.stage import eventually, gateway, probe, server
from tests.raw_images import raw_image

MIB = 1024**2


async def test_an_answer_of_a_model_is_the_same_through_the_gateway() -> None:
    """A real model service behind a real gateway answers what it answers directly."""
    async with serving() as service:
        address = f"127.0.0.1:{service.server.port}"
        async with gateway({"fake": address}) as stage, grpc.aio.insecure_channel(address) as channel:
            request = pb.SegmentRequest(model="fake", image=raw_image())
            direct = await pb_grpc.InferenceServiceStub(channel).Segment(request, timeout=20)
            forwarded = await pb_grpc.InferenceServiceStub(stage.channel).Segment(request, timeout=20)
            direct.ClearField("cost")
            forwarded.ClearField("cost")
            assert forwarded == direct
            assert forwarded.instances


async def test_bytes_that_are_no_message_pass_untouched() -> None:
    """The gateway does not decode: fields of a later version of the wire pass it."""
    async with probe() as upstream, gateway({"any": upstream.address}) as stage:
        for body in (b"", bytes(range(256)), b"\x92\x06\x03abc"):
            assert await stage.call("Count")(body, timeout=20) == body
        assert upstream.requests == [b"", bytes(range(256)), b"\x92\x06\x03abc"]


SHAPES = [Method("test.Shapes", f"M{number}", bool(number & 1), bool(number & 2)) for number in range(4)]


@pytest.mark.parametrize("method", SHAPES, ids=lambda method: method.shape)
async def test_every_call_shape_passes(method: Method) -> None:
    """Methods that stream pass by the same chain, so that the wire can grow them."""

    async def once(request: Any, context: Any) -> bytes:
        parts = [part async for part in request] if method.request_streaming else [request]
        context.set_trailing_metadata((("parts", str(len(parts))),))
        return b"+".join(parts)

    async def often(request: Any, context: Any) -> AsyncIterator[bytes]:
        await context.send_initial_metadata((("first", "yes"),))
        joined = await once(request, context)
        for number in range(3):
            yield joined + b"%d" % number

    make = getattr(grpc, f"{method.shape}_rpc_method_handler")
    behaviour = often if method.response_streaming else once
    served = grpc.method_handlers_generic_handler(method.service, {method.name: make(behaviour)})
    async with server({method.service: lambda made: made.add_generic_rpc_handlers((served,))}) as upstream:
        settings = GatewaySettings(port=0)
        routes = Routes.model_validate(
            {"default_model": "any", "models": {"any": f"127.0.0.1:{upstream.port}"}}
        )
        metrics = GatewayMetrics(Metrics().registry)
        fleet = Fleet(routes, functools.partial(Upstream, settings=settings), lambda _: None)
        enter = chain([MeasureCalls(metrics), RouteCalls(fleet)], ForwardCall(metrics))
        passing = grpc.method_handlers_generic_handler(method.service, handlers([method], enter))
        async with (
            server({method.service: lambda made: made.add_generic_rpc_handlers((passing,))}) as front,
            grpc.aio.insecure_channel(f"127.0.0.1:{front.port}") as channel,
        ):
            call = getattr(channel, method.shape)(f"/{method.service}/{method.name}")
            outgoing = call(iter([b"a", b"b"]) if method.request_streaming else b"a", timeout=20)
            joined = b"a+b" if method.request_streaming else b"a"
            if method.response_streaming:
                answers = [answer async for answer in outgoing]
                assert answers == [joined + b"%d" % number for number in range(3)]
                assert dict(await outgoing.initial_metadata())["first"] == "yes"
            else:
                assert await outgoing == joined
            trailers = dict(await outgoing.trailing_metadata())
            assert trailers["parts"] == ("2" if method.request_streaming else "1")
        await fleet.close()


@pytest.mark.parametrize("reason", list(Reason))
async def test_typed_errors_pass_unchanged(reason: Reason) -> None:
    """Code, text, details and push-back of every error arrive byte for byte."""
    made = TABLE[reason].exception(
        "what happened, and h\u00f6w to mend it",
        metadata={"sha256": "0" * 64, "key": "value"},
        retry_after_s=1.5,
        violations=[errors.FieldViolation("image.axes", "is wrong")],
        request_id="lab-7",
    )

    async def fail(_request: bytes, _context: Any) -> bytes:
        raise made

    async with (
        probe(fail) as upstream,
        gateway({"any": upstream.address}) as stage,
        grpc.aio.insecure_channel(upstream.address) as channel,
    ):
        seen = []
        for call in (channel.unary_unary("/hooke.v1.InferenceService/Count"), stage.call("Count")):
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await call(b"", timeout=20, metadata=(("hooke-request-id", "lab-7"),))
            error = failed.value
            seen.append((error.code(), error.details(), tuple(error.trailing_metadata() or ())))
        assert seen[0] == seen[1]
        assert dict(seen[0][2])[status.DETAILS_KEY] == status.status_of(made).SerializeToString()


@pytest.mark.parametrize(
    "code",
    [
        code
        for code in grpc.StatusCode
        if code not in {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
    ],
)
async def test_errors_without_details_pass_unchanged(code: grpc.StatusCode) -> None:
    """A status that no server of Hooke wrote keeps its code, text and trailers."""

    async def fail(_request: bytes, context: Any) -> bytes:
        await context.abort(code, "in its own words", (("own", "trailer"), ("own-bin", b"\x00\xff")))
        return b""

    async with probe(fail) as upstream, gateway({"any": upstream.address}) as stage:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stage.call("Count")(b"", timeout=20)
        assert failed.value.code() is code
        assert failed.value.details() == "in its own words"
        trailers = dict(failed.value.trailing_metadata() or ())
        assert trailers["own"] == "trailer"
        assert trailers["own-bin"] == b"\x00\xff"
        assert stage.sample("hooke_gateway_calls_total", model="any", method="Count", code=code.name) == 1


async def test_metadata_passes_both_ways() -> None:
    """Keys of callers and services pass, text and binary; those of one connection do not."""

    async def answer(_request: bytes, context: Any) -> bytes:
        await context.send_initial_metadata((("early", "1"),))
        context.set_trailing_metadata((("late", "2"), ("late-bin", b"\x01")))
        return b"done"

    sent = (
        ("authorization", "Bearer x"),
        ("traceparent", "00-1-2-00"),
        ("hooke-model", "any"),
        ("a-bin", b"\x02"),
    )
    async with probe(answer) as upstream, gateway({"any": upstream.address}) as stage:
        call = stage.call("Count")(b"", metadata=sent, timeout=20)
        assert await call == b"done"
        arrived = dict(upstream.metadata[0])
        assert set(sent) <= set(upstream.metadata[0])
        # One agent: that of the gateway's own connection.
        assert [key for key, _ in upstream.metadata[0]].count("user-agent") == 1
        assert not [key for key in arrived if key.startswith("grpc-")]
        assert dict(await call.initial_metadata())["early"] == "1"
        trailers = dict(await call.trailing_metadata())
        assert (trailers["late"], trailers["late-bin"]) == ("2", b"\x01")


@pytest.mark.parametrize("given", ["lab-42", None, "with space"])
async def test_one_request_id_from_end_to_end(given: str | None) -> None:
    """The id of the caller, or else the gateway's, is what the service logs and the caller hears."""
    async with probe() as upstream, gateway({"any": upstream.address}) as stage:
        metadata = () if given is None else (("hooke-request-id", given),)
        call = stage.call("Count")(b"", metadata=metadata, timeout=20)
        await call
        ids = [value for key, value in upstream.metadata[0] if key == "hooke-request-id"]
        heard = [value for key, value in await call.trailing_metadata() if key == "hooke-request-id"]
        assert len(ids) == 1
        assert ids == heard
        assert (ids[0] == given) is (given == "lab-42")


async def test_the_deadline_reaches_the_service() -> None:
    """A service never works longer than the caller waits."""
    async with probe() as upstream, gateway({"any": upstream.address}) as stage:
        await stage.call("Count")(b"", timeout=50)
        left = upstream.time_left_s[0]
        assert left is not None
        assert 0 < left <= 51  # on the wire a deadline has about three digits, rounded up at each hop


async def _never(_request: bytes, _context: Any) -> bytes:
    await asyncio.Event().wait()
    return b""


async def test_a_passed_deadline_ends_the_call_everywhere() -> None:
    """The caller hears DEADLINE_EXCEEDED and the service is cancelled."""
    async with probe(_never) as upstream, gateway({"any": upstream.address}) as stage:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stage.call("Count")(b"", timeout=0.3)
        assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await asyncio.wait_for(upstream.cancelled.wait(), 20)
        assert stage.sample("hooke_gateway_in_flight_calls", upstream=upstream.address) == 0


async def test_an_imposed_deadline_is_typed() -> None:
    """A call without a deadline gets the gateway's, whose error says so, and the service is cancelled."""
    async with probe(_never) as upstream, gateway({"any": upstream.address}, default_deadline_s=0.3) as stage:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stage.call("Count")(b"")
        assert isinstance(error_from(failed.value), errors.DeadlineExceededError)
        await asyncio.wait_for(upstream.cancelled.wait(), 20)


async def test_cancellation_reaches_the_service() -> None:
    """Nobody computes for a caller who went away, and the places are free again."""
    async with probe(_never) as upstream, gateway({"any": upstream.address}) as stage:
        call = stage.call("Count")(b"", timeout=50)
        asking = asyncio.ensure_future(_settled(call))
        await asyncio.wait_for(upstream.begun.wait(), 20)
        assert stage.sample("hooke_gateway_in_flight_calls", upstream=upstream.address) == 1
        call.cancel()
        await asking
        await asyncio.wait_for(upstream.cancelled.wait(), 20)
        await eventually(lambda: not stage.sample("hooke_gateway_in_flight_calls", upstream=upstream.address))
        cancelled = functools.partial(stage.sample, "hooke_gateway_calls_total", model="any", method="Count")
        assert cancelled(code="CANCELLED") == 1


async def _settled(call: Any) -> None:
    await asyncio.wait([asyncio.ensure_future(call.code())])


async def test_a_message_of_64_mib_passes() -> None:
    """Large images in one message are only limited by the setting, which all servers share."""
    body = bytes(64 * MIB)
    async with probe() as upstream, gateway({"any": upstream.address}) as stage:
        assert len(await stage.call("Count")(body, timeout=60)) == len(body)


async def test_a_message_above_the_limit_is_refused() -> None:
    """The limit holds at the gateway, before anything is forwarded."""
    async with probe() as upstream, gateway({"any": upstream.address}, max_message_bytes=MIB) as stage:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stage.call("Count")(bytes(MIB + 1), timeout=20)
        assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert not upstream.requests


async def test_a_hundred_calls_at_once_keep_apart() -> None:
    """Answers, errors and cancelled calls of two models, all at once, reach who asked."""

    async def mixed(request: bytes, _context: Any) -> bytes:
        await asyncio.sleep(0.001 * (request[0] % 7))
        if request[0] % 5 == 0:
            raise errors.InvalidRequestError(f"number {request[0]}")
        if request[0] % 5 == 1:
            await asyncio.sleep(30)
        return request * 1000

    async with (
        probe(mixed) as one,
        probe(mixed) as two,
        gateway({"one": one.address, "two": two.address}) as stage,
    ):

        async def ask(number: int) -> None:
            model = ("one", "two")[number % 2]
            call = stage.call("Count")(
                bytes([number]),
                metadata=(("hooke-model", model),),
                timeout=3 if number % 5 == 1 else 30,
            )
            if number % 5 > 1:
                assert await call == bytes([number]) * 1000
                return
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await call
            expected = f"number {number}" if number % 5 == 0 else None
            assert expected is None or failed.value.details() == expected
            assert expected or failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED

        await asyncio.gather(*(ask(number) for number in range(100)))
        for upstream, parity in ((one, 0), (two, 1)):
            assert sorted(request[0] for request in upstream.requests) == list(range(parity, 100, 2))


async def test_the_log_and_the_server_metrics_know_the_upstreams_code() -> None:
    """A forwarded error is counted under its own code, not as UNKNOWN."""
    async with serving() as service, gateway({"fake": f"127.0.0.1:{service.server.port}"}) as stage:
        request = pb.SegmentRequest(image=raw_image(first=FakeModel.FAIL))
        with pytest.raises(grpc.aio.AioRpcError):
            await pb_grpc.InferenceServiceStub(stage.channel).Segment(request, timeout=20)
        labels = {
            "grpc_type": "unary",
            "grpc_service": "hooke.v1.InferenceService",
            "grpc_method": "Segment",
        }
        # The caller may hear of the error before it is counted.
        await eventually(
            lambda: stage.sample("grpc_server_handled_total", **labels, grpc_code="INTERNAL") == 1
        )
