"""The two ends of the chain: from gRPC into it, and out of it to the upstream."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc

from gateway.metrics import GatewayMetrics
from gateway.policy import Context, Exchange, Forward, Metadata
from gateway.upstream import Method
from hooke import errors
from hooke.status import DETAILS_KEY, PUSHBACK_KEY
from runtime.calls import REQUEST_ID_KEY, current

# Set by HTTP/2 and gRPC for one connection; the other side sets its own.
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "content-type",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)
_PASSED_RESERVED = frozenset({DETAILS_KEY, PUSHBACK_KEY})
_RETRY_AFTER_S = 1.0


def passed_on(metadata: Iterable[tuple[str, Any]] | None) -> Metadata:
    """What of some metadata is for the other side, and not for this connection."""
    return tuple(
        (key, value)
        for key, value in metadata or ()
        if key not in _HOP_BY_HOP and (not key.startswith(("grpc-", ":")) or key in _PASSED_RESERVED)
    )


def handlers(methods: Iterable[Method], enter: Forward) -> dict[str, grpc.RpcMethodHandler[Any, Any]]:
    """What serves these methods, by name: bytes in, bytes out, `enter` in between."""
    return {method.name: _handler(method, enter) for method in methods}


def _handler(method: Method, enter: Forward) -> grpc.RpcMethodHandler[Any, Any]:
    async def serve(request: bytes | AsyncIterator[bytes], context: Context) -> bytes | None:
        metadata = passed_on(context.invocation_metadata())
        runtime_call = current.get()
        call = Exchange(method, request, _with_request_id(metadata, runtime_call.request_id), context)
        try:
            await enter(call)
        except grpc.aio.AioRpcError as error:
            # The metrics and the log of the server learn how the call ended; the caller gets what came.
            runtime_call.code = error.code()
            runtime_call.reason = "from upstream"
            trailers = _with_request_id(passed_on(error.trailing_metadata()), runtime_call.request_id)
            await context.abort(error.code(), error.details() or "", trailers)
        return call.response

    make = getattr(grpc, f"{method.shape}_rpc_method_handler")
    handler: grpc.RpcMethodHandler[Any, Any] = make(serve)
    return handler


class ForwardCall:
    """The end of the chain: calls the upstream and hands over what it answers."""

    def __init__(self, metrics: GatewayMetrics) -> None:
        self._metrics = metrics

    async def __call__(self, call: Exchange) -> None:
        """Forward one call.

        Raises:
            UpstreamFailedError: the upstream cannot be reached, or went away.
            DeadlineExceededError: the deadline passed before it answered.
            grpc.aio.AioRpcError: it failed for reasons of its own.
        """
        started = time.perf_counter()
        outgoing = call.chosen.callable(call.method)(
            call.request, timeout=call.context.time_remaining(), metadata=call.metadata
        )
        try:
            if call.method.response_streaming:
                await _pass_stream(call, outgoing)
            else:
                call.response = await outgoing
                await _pass_initial_metadata(call, outgoing)
            trailers = passed_on(await outgoing.trailing_metadata())
        except grpc.aio.AioRpcError as error:
            explanation = explanation_of(call.label, error)
            if explanation is None:
                raise
            raise explanation from error
        finally:
            if not outgoing.done():
                outgoing.cancel()
            self._metrics.upstream_seconds.labels(call.label, call.method.name).observe(
                time.perf_counter() - started
            )
        call.context.set_trailing_metadata(_with_request_id(trailers, current.get().request_id))


async def _pass_stream(call: Exchange, outgoing: Any) -> None:
    await _pass_initial_metadata(call, outgoing)
    async for message in outgoing:
        call.answered = True
        await call.context.write(message)


async def _pass_initial_metadata(call: Exchange, outgoing: Any) -> None:
    metadata = passed_on(await outgoing.initial_metadata())
    if metadata:
        call.answered = True
        await call.context.send_initial_metadata(metadata)


def _with_request_id(metadata: Metadata, request_id: str) -> Metadata:
    """The metadata with the request id that this server gave the call, in place of any other."""
    return (*(pair for pair in metadata if pair[0] != REQUEST_ID_KEY), (REQUEST_ID_KEY, request_id))


def explanation_of(name: str, error: grpc.aio.AioRpcError) -> errors.HookeError | None:
    """An error that callers understand in place of one that gRPC made up; None for what an upstream said.

    Args:
        name: what was asked, for the message.
        error: how the call ended.
    """
    if any(key == DETAILS_KEY for key, _ in error.trailing_metadata() or ()):
        return None
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return errors.UpstreamFailedError(
            f"{name} could not be reached, or broke off",
            metadata={"upstream": name},
            retry_after_s=_RETRY_AFTER_S,
        )
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return errors.DeadlineExceededError(f"{name} did not answer before the deadline")
    return None
