"""The links of the chain: measure, end watches, route, limit. `gateway.images` has one more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import grpc

from gateway.fleet import Fleet
from gateway.metrics import GatewayMetrics
from gateway.policy import Exchange, Forward
from gateway.scan import text_field
from gateway.upstream import Upstream
from hooke import errors, status
from hooke.v1 import evaluation_service_pb2
from runtime.calls import MODEL_KEY

EVALUATION = evaluation_service_pb2.DESCRIPTOR.services_by_name["EvaluationService"].full_name

_MODEL_FIELD = 1
"""Number of the field `model` in every inference request."""
_RETRY_AFTER_S = 1.0
"""Delay that is asked for where a limit is reached: a few answers' time."""


class MeasureCalls:
    """Counts every call by model, method and code, whatever becomes of it."""

    def __init__(self, metrics: GatewayMetrics) -> None:
        self._metrics = metrics

    async def handle(self, call: Exchange, forward: Forward) -> None:
        """Count the call when it has ended."""
        code = grpc.StatusCode.OK
        try:
            await forward(call)
        except BaseException as error:
            code = _code_of(call, error)
            raise
        finally:
            self._metrics.calls.labels(call.label, call.method.name, code.name).inc()


class EndWatches:
    """Ends watches of evaluations once the gateway drains: they last as long as an evaluation, maybe hours.

    Whoever watches is told that the gateway is shutting down, and watches on at another one, or later.

    Args:
        draining: set when the drain begins.
    """

    def __init__(self, draining: asyncio.Event) -> None:
        self._draining = draining

    async def handle(self, call: Exchange, forward: Forward) -> None:
        """Hand the call on; a watch until the drain at most.

        Raises:
            DrainingError: the drain ended the watch.
        """
        if (call.method.service, call.method.name) != (EVALUATION, "WatchEvaluation"):
            await forward(call)
            return
        watching = asyncio.ensure_future(forward(call))
        draining = asyncio.ensure_future(self._draining.wait())
        try:
            await asyncio.wait({watching, draining}, return_when=asyncio.FIRST_COMPLETED)
            if not watching.done():
                raise errors.DrainingError("the gateway is shutting down", retry_after_s=_RETRY_AFTER_S)
            await watching
        finally:
            draining.cancel()
            watching.cancel()
            await asyncio.gather(watching, draining, return_exceptions=True)


def _code_of(call: Exchange, error: BaseException) -> grpc.StatusCode:
    if isinstance(error, errors.HookeError):
        return status.code_of(error)
    if isinstance(error, grpc.aio.AioRpcError):
        return error.code()
    if isinstance(error, asyncio.CancelledError):
        left = call.context.time_remaining()
        expired = left is not None and left <= 0
        return grpc.StatusCode.DEADLINE_EXCEEDED if expired else grpc.StatusCode.CANCELLED
    return grpc.StatusCode.INTERNAL


class RouteCalls:
    """Chooses the upstream: by the metadata key `hooke-model`, else by field 1 of the request."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    async def handle(self, call: Exchange, forward: Forward) -> None:
        """Choose, and hand on.

        Raises:
            UnknownModelError: there is no such model.
            UpstreamFailedError: nothing that serves it can be reached.
        """
        if call.method.service == EVALUATION:
            assert self._fleet.evaluator is not None, "EvaluationService is offered only with an evaluator"
            call.send_to(self._fleet.evaluator)
        else:
            call.send_to(self._fleet.model(_model_of(call)))
        await forward(call)


def _model_of(call: Exchange) -> str:
    name = call.metadata_value(MODEL_KEY)
    if not name and isinstance(call.request, bytes):
        name = text_field(call.request, _MODEL_FIELD)
    return name


@dataclass(frozen=True, slots=True)
class Limit:
    """Most calls in flight, and most bytes of their requests."""

    max_calls: int
    max_bytes: int


@dataclass(slots=True)
class _InFlight:
    calls: int = 0
    size_bytes: int = 0

    @contextmanager
    def place(self, limit: Limit, size_bytes: int, where: str) -> Iterator[None]:
        """Hold a place; bytes never refuse a call that is alone. Raises QueueFullError if there is none."""
        too_many = self.calls >= limit.max_calls
        if too_many or (self.calls and self.size_bytes + size_bytes > limit.max_bytes):
            held = f"{self.calls} calls" if too_many else f"{self.size_bytes} bytes of requests"
            raise errors.QueueFullError(f"{held} in flight to {where}", retry_after_s=_RETRY_AFTER_S)
        self.calls += 1
        self.size_bytes += size_bytes
        try:
            yield
        finally:
            self.calls -= 1
            self.size_bytes -= size_bytes


class LimitCalls:
    """Bounds what is in flight: in all, and to each upstream.

    Args:
        total: limit of all calls together.
        each: limit of the calls to one upstream.
        metrics: of the gateway.
    """

    def __init__(self, total: Limit, each: Limit, metrics: GatewayMetrics) -> None:
        self._total_limit = total
        self._each_limit = each
        self._metrics = metrics
        self._total = _InFlight()
        self._each: WeakKeyDictionary[Upstream, _InFlight] = WeakKeyDictionary()

    async def handle(self, call: Exchange, forward: Forward) -> None:
        """Hand the call on while it holds its places.

        Raises:
            QueueFullError: a limit is reached.
        """
        upstream, size_bytes = call.chosen, call.size_bytes
        own = self._each.get(upstream) or self._first_call_to(upstream)
        try:
            with (
                self._total.place(self._total_limit, size_bytes, "all models together"),
                own.place(self._each_limit, size_bytes, call.label),
            ):
                await forward(call)
        except errors.QueueFullError:
            self._metrics.rejected.labels(call.label).inc()
            raise

    def _first_call_to(self, upstream: Upstream) -> _InFlight:
        own = self._each[upstream] = _InFlight()
        self._metrics.in_flight.labels(upstream.address).set_function(lambda: own.calls)
        self._metrics.in_flight_bytes.labels(upstream.address).set_function(lambda: own.size_bytes)
        return own
