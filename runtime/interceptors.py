"""What happens around every call, written once for all four call shapes.

Each interceptor is one asynchronous context manager, `around`. It is entered before the handler and left
after it, also when the call fails, is cancelled or is abandoned in the middle of a stream. Outermost first:
tracing (see `runtime.tracing`), metrics, logging, errors, drain, deadline.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import structlog

from hooke import errors, status
from runtime.calls import REQUEST_ID_KEY, Call, current, request_id_of
from runtime.metrics import Metrics

log = structlog.get_logger("hooke.calls")

Context = grpc.aio.ServicerContext[Any, Any]

_SHAPES = {
    (False, False): "unary",
    (True, False): "client_stream",
    (False, True): "server_stream",
    (True, True): "bidi_stream",
}
INFRASTRUCTURE = ("grpc.health.v1.Health", "grpc.reflection.")
"""Prefixes of services that answer while draining, have no deadline, and are logged as debug only."""


def is_infrastructure(service: str) -> bool:
    """True for health and reflection, which serve operators rather than users."""
    return service.startswith(INFRASTRUCTURE)


class Around:
    """One interceptor: what happens around a call."""

    @abstractmethod
    def around(self, call: Call, context: Context) -> AbstractAsyncContextManager[None]:
        """Enter before the handler, leave after it; exceptions of the handler pass through."""

    def close(self) -> None:
        """Let go of what the interceptor holds; called once, when the server has stopped. May block."""


class Interceptors(grpc.aio.ServerInterceptor):
    """All interceptors as one, so that a call is wrapped once and not once for each of them.

    Args:
        links: outermost first.
    """

    def __init__(self, links: Sequence[Around]) -> None:
        self._links = tuple(links)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Wrap the handler of a method."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return handler
        service, _, method = handler_call_details.method.lstrip("/").partition("/")
        shape = _SHAPES[bool(handler.request_streaming), bool(handler.response_streaming)]
        behaviour = getattr(
            handler,
            ("stream_" if handler.request_streaming else "unary_")
            + ("stream" if handler.response_streaming else "unary"),
        )

        async def enter(context: Context, stack: AsyncExitStack) -> None:
            call = Call(service, method, shape, request_id_of(context.invocation_metadata()))
            current.set(call)
            for link in self._links:
                await stack.enter_async_context(link.around(call, context))

        async def respond_once(request: Any, context: Context) -> Any:
            async with AsyncExitStack() as stack:
                await enter(context, stack)
                return await behaviour(request, context)

        async def respond_often(request: Any, context: Context) -> AsyncIterator[Any]:
            async with AsyncExitStack() as stack:
                await enter(context, stack)
                answer = behaviour(request, context)
                if inspect.isawaitable(answer):  # a handler that writes to the context itself
                    await answer
                else:
                    async for message in answer:
                        yield message

        make = {
            "unary": grpc.unary_unary_rpc_method_handler,
            "client_stream": grpc.stream_unary_rpc_method_handler,
            "server_stream": grpc.unary_stream_rpc_method_handler,
            "bidi_stream": grpc.stream_stream_rpc_method_handler,
        }[shape]
        wrapped: grpc.RpcMethodHandler[Any, Any] = make(
            respond_often if handler.response_streaming else respond_once,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
        return wrapped


def code_of(call: Call, context: Context, error: BaseException) -> grpc.StatusCode:
    """Status of a call that ended with `error`.

    Cancellation and deadlines both arrive as CancelledError; the time left tells them apart.
    """
    if call.code is not None:
        return call.code
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        left = context.time_remaining()
        expired = left is not None and left <= 0
        return grpc.StatusCode.DEADLINE_EXCEEDED if expired else grpc.StatusCode.CANCELLED
    return grpc.StatusCode.UNKNOWN


class CountCalls(Around):
    """`grpc_server_started_total`, `grpc_server_handled_total`, `grpc_server_handling_seconds`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    @asynccontextmanager
    async def around(self, call: Call, context: Context) -> AsyncIterator[None]:
        """Count the call and take its time."""
        labels = (call.shape, call.service, call.method)
        self._metrics.rpc_started.labels(*labels).inc()
        code = grpc.StatusCode.OK
        try:
            yield
        except BaseException as error:
            code = code_of(call, context, error)
            raise
        finally:
            self._metrics.rpc_handled.labels(*labels, code.name).inc()
            self._metrics.rpc_seconds.labels(*labels).observe(time.perf_counter() - call.started)


class LogCalls(Around):
    """One line for each call that ended, with its request id, code, reason and time."""

    @asynccontextmanager
    async def around(self, call: Call, context: Context) -> AsyncIterator[None]:
        """Bind the request id for everything logged below, and log the end."""
        code = grpc.StatusCode.OK
        with structlog.contextvars.bound_contextvars(request_id=call.request_id):
            try:
                yield
            except BaseException as error:
                code = code_of(call, context, error)
                raise
            finally:
                quiet = is_infrastructure(call.service) or code is grpc.StatusCode.OK
                write = log.debug if quiet else log.info
                write(
                    "call ended",
                    method=f"{call.service}/{call.method}",
                    code=code.name,
                    reason=call.reason,
                    seconds=round(time.perf_counter() - call.started, 6),
                )


class TranslateErrors(Around):
    """Every exception becomes a typed status; the text of a foreign one never leaves the process."""

    @asynccontextmanager
    async def around(self, call: Call, context: Context) -> AsyncIterator[None]:
        """Turn what the handler raises into the status of the call."""
        context.set_trailing_metadata(((REQUEST_ID_KEY, call.request_id),))
        try:
            yield
        except grpc.aio.AbortError:
            raise
        except errors.HookeError as error:
            await _abort(call, context, error)
        except MemoryError:
            log.exception("out of memory")
            await _abort(call, context, errors.OutOfMemoryError("the request does not fit into memory"))
        except Exception:  # the boundary: logged here, answered without its text
            log.exception("unexpected error")
            message = f"internal error; the server's log has the details under request id {call.request_id}"
            await _abort(call, context, errors.InternalError(message))


async def _abort(call: Call, context: Context, error: errors.HookeError) -> None:
    call.reason, call.code = error.reason or "", status.code_of(error)
    metadata = (*status.trailing_metadata_of(error), (REQUEST_ID_KEY, call.request_id))
    # The message as the status has it: cut to what trailers can hold.
    await context.abort(call.code, status.status_of(error).message, trailing_metadata=metadata)


class RefuseWhileDraining(Around):
    """Knows how many calls are in flight, and refuses new ones once told to."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._draining = False
        self._idle = asyncio.Event()
        self._idle.set()

    def refuse(self) -> None:
        """Refuse calls from now on."""
        self._draining = True

    async def idle(self) -> None:
        """Wait until nothing is in flight."""
        await self._idle.wait()

    @asynccontextmanager
    async def around(self, call: Call, context: Context) -> AsyncIterator[None]:  # noqa: ARG002
        """Refuse the call, or count it while it lasts."""
        if is_infrastructure(call.service):
            yield
            return
        if self._draining:
            raise errors.DrainingError("the server is shutting down; try another one", retry_after_s=1.0)
        self.in_flight += 1
        self._idle.clear()
        try:
            yield
        finally:
            self.in_flight -= 1
            if self.in_flight == 0:
                self._idle.set()


class ImposeDeadline(Around):
    """Give a call without a deadline one, so that nobody holds a place for ever.

    Streams of answers are exempt: watching takes as long as what is watched.
    """

    def __init__(self, default_s: float) -> None:
        self._default_s = default_s

    @asynccontextmanager
    async def around(self, call: Call, context: Context) -> AsyncIterator[None]:
        """End the call with DEADLINE_EXCEEDED when the imposed deadline passes."""
        exempt = call.shape in {"server_stream", "bidi_stream"}
        if exempt or context.time_remaining() is not None:
            yield
            return
        try:
            async with asyncio.timeout(self._default_s) as deadline:
                yield
        except TimeoutError as error:
            if not deadline.expired():  # another one, of the handler itself
                raise
            raise errors.DeadlineExceededError(
                f"no answer within {self._default_s:g} s, the deadline of calls that set none"
            ) from error
