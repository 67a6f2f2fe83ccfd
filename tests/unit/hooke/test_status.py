from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc
import pytest

from hooke import errors
from hooke.errors import TABLE, FieldViolation, HookeError, Reason
from hooke.status import PUSHBACK_KEY, code_of, error_from, status_of, trailing_metadata_of

METHOD = "/hooke.test.Service/Fail"


@asynccontextmanager
async def server_that_aborts(
    code: grpc.StatusCode, details: str, trailers: tuple[tuple[str, str | bytes], ...]
) -> AsyncIterator[Callable[[], object]]:
    """Yield a function that calls a real server, which fails as told, and returns the RpcError."""

    async def fail(_request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        await context.abort(code, details, trailers)
        raise AssertionError

    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(fail)
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("hooke.test.Service", {"Fail": handler})]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(
        f"127.0.0.1:{port}", options=[("grpc.enable_retries", 0)]
    ) as channel:

        async def call() -> grpc.RpcError:
            with pytest.raises(grpc.RpcError) as caught:
                await channel.unary_unary(METHOD)(b"", timeout=10)
            return caught.value

        try:
            yield call
        finally:
            await server.stop(None)


async def over_the_wire(error: HookeError) -> grpc.RpcError:
    status = status_of(error)
    async with server_that_aborts(code_of(error), status.message, trailing_metadata_of(error)) as call:
        return await call()


# Every reason arrives as the same class with everything that was said.
@pytest.mark.parametrize("reason", Reason)
async def test_every_reason_survives_the_wire(reason: Reason) -> None:
    sent = TABLE[reason].exception(
        "Größe: 12 µm, said the server.",
        metadata={"sha256": "ab", "imagePixels": "7"},
        retry_after_s=1.25,
        violations=[FieldViolation("image.pixels.shape", "must be positive"), FieldViolation("model", "é")],
        request_id="r-1",
    )
    got = error_from(await over_the_wire(sent))
    assert type(got) is type(sent)
    assert got.reason is reason
    assert (got.message, dict(got.metadata)) == (sent.message, dict(sent.metadata))
    assert (got.retry_after_s, got.violations, got.request_id) == (1.25, sent.violations, "r-1")


# What an error does not say is absent after the wire too.
@pytest.mark.parametrize("reason", Reason)
async def test_absent_details_stay_absent(reason: Reason) -> None:
    got = error_from(await over_the_wire(TABLE[reason].exception("short")), request_id="mine")
    assert (got.retry_after_s, got.violations, dict(got.metadata)) == (None, (), {})
    assert got.request_id == "mine"


# Built-in retries are told to wait as long as RetryInfo says, or not to come back.
@pytest.mark.parametrize("reason", Reason)
def test_pushback_agrees_with_the_table(reason: Reason) -> None:
    row = TABLE[reason]
    told = dict(trailing_metadata_of(row.exception("x", retry_after_s=0.2))).get(PUSHBACK_KEY)
    untold = dict(trailing_metadata_of(row.exception("x"))).get(PUSHBACK_KEY)
    if row.retry is errors.Retry.AFTER_DELAY:
        assert (told, untold) == ("200", None)
    else:
        assert (told, untold) == ("-1", "-1")


# A delay that nobody can mean becomes a day, on both ways.
@pytest.mark.parametrize("delay_s", [1e6, 1e20, float("inf")])
async def test_endless_delays(delay_s: float) -> None:
    sent = errors.UpstreamRateLimitedError("slow down", retry_after_s=delay_s)
    assert dict(trailing_metadata_of(sent))[PUSHBACK_KEY] == "86400000"
    assert error_from(await over_the_wire(sent)).retry_after_s == 86_400


# A reason of a newer server gives the nearest class, and the reason can be read and passed on.
async def test_unknown_reason_survives() -> None:
    sent = errors.ResourceExhaustedError("no credit", metadata={"reason": "BUDGET_EXHAUSTED", "key": "lab"})
    got = error_from(await over_the_wire(sent))
    assert type(got) is errors.ResourceExhaustedError
    assert dict(got.metadata) == {"reason": "BUDGET_EXHAUSTED", "key": "lab"}
    assert type(error_from(await over_the_wire(got))) is errors.ResourceExhaustedError


# A message with no end and many violations still arrives as the error that it is.
async def test_oversized_details_are_cut_not_lost() -> None:
    sent = errors.InvalidRequestError(
        "µ" * 100_000,
        violations=[FieldViolation("f" * 1000, "é" * 5000)] * 200,
        request_id="0" * 32,
    )
    got = error_from(await over_the_wire(sent))
    assert type(got) is errors.InvalidRequestError
    assert got.message.startswith("µµµ")
    assert got.message.endswith(" ...")
    assert 1 <= len(got.violations) < 200


# Every canonical code without details becomes a HookeError whose message names the address.
@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
async def test_foreign_status_becomes_the_nearest_class(code: grpc.StatusCode) -> None:
    async with server_that_aborts(code, "proxy says no", ()) as call:
        got = error_from(await call(), address="lab:50051", request_id="mine")
    assert isinstance(got, HookeError)
    assert "lab:50051" in got.message
    assert "proxy says no" in got.message
    assert got.metadata["code"] == code.name
    assert got.request_id == "mine"
    if code_of(got) is not grpc.StatusCode.INTERNAL:
        assert code_of(got) is code


# Nobody at the address: the class says so, and the message says what to do next.
async def test_nobody_listens() -> None:
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        with pytest.raises(grpc.RpcError) as caught:
            await channel.unary_unary(METHOD)(b"", timeout=10)
    got = error_from(caught.value, address="127.0.0.1:1")
    assert type(got) is errors.UnavailableError
    assert "127.0.0.1:1" in got.message
    assert "hooke doctor" in got.message


# A call to a method that no one serves is not mistaken for a fault of the server.
async def test_unknown_method() -> None:
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        with pytest.raises(grpc.RpcError) as caught:
            await channel.unary_unary(METHOD)(b"", timeout=10)
    await server.stop(None)
    assert type(error_from(caught.value)) is errors.TaskNotSupportedError


# Details that were mangled on the way, or are another system's, fall back to the code.
@pytest.mark.parametrize("trailer", [b"\xff\xff\xff", b""])
async def test_mangled_details(trailer: bytes) -> None:
    trailers = (("grpc-status-details-bin", trailer),)
    async with server_that_aborts(grpc.StatusCode.NOT_FOUND, "?", trailers) as call:
        assert type(error_from(await call())) is errors.NotFoundError
