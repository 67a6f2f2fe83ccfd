"""The queue before a model that somebody else computes: turns, pace, deadlines; never a second try."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Hashable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field

from hooke import errors, status
from runtime.admission import Admission, Place
from runtime.metrics import Metrics
from runtime.pace import Gate, Pace
from runtime.scheduler import Computed
from runtime.settings import RemoteServerSettings
from runtime.tasks import Answer, AskTask, ModelCard, RemoteAnswerer
from runtime.workers import ModelFactory


@dataclass(slots=True, eq=False)
class _Lane:
    """The calls that count against one rate limit of the provider."""

    name: str
    pace: Pace
    gate: Gate = field(default_factory=Gate)
    waiting: deque[asyncio.Future[int]] = field(default_factory=deque)
    """Oldest first; each gets the round of the pace when its turn comes."""

    @property
    def open(self) -> bool:
        """Whether a call waits that the rate limit lets through."""
        return bool(self.waiting) and self.pace.under_way < self.pace.limit


class RemoteQueue:
    """Asks a `RemoteAnswerer` on the event loop, as fast as its provider takes questions.

    The counterpart of `runtime.scheduler.Scheduler`, with the same face. Calls that count against the same
    rate limit (see `RemoteAnswerer.rate_limit_of`) take turns in order of arrival, and the rate limits take
    turns with each other. Once the provider has said when to come back, calls are refused until then with the
    delay that is left, without asking: callers own the retries, here nothing is tried twice. A caller who
    leaves takes the call at the provider along.

    Args:
        name: of the model, for metrics.
        factory: builds the model, unloaded.
        settings: bounds.
        metrics: of the process.
    """

    def __init__(
        self, name: str, factory: ModelFactory, settings: RemoteServerSettings, metrics: Metrics
    ) -> None:
        self._name = name
        self._factory = factory
        self._most = settings.max_concurrency
        self._metrics = metrics
        self._admission = Admission(
            name, settings.max_queue, settings.max_pending_bytes, self._delay_s, metrics
        )
        self._model: RemoteAnswerer | None = None
        self._lanes: OrderedDict[str, _Lane] = OrderedDict()
        self._seconds_per_call = 1.0

    async def start(self) -> ModelCard:
        """Build and load the model."""
        model = self._factory()
        assert isinstance(model, RemoteAnswerer), "only what is computed elsewhere can wait here"
        card = await asyncio.to_thread(model.load)  # importing a provider's library takes seconds
        self._model = model
        return card

    async def close(self) -> None:
        """Cancel what still waits and close the model."""
        for lane in self._lanes.values():
            for turn in lane.waiting:
                turn.cancel()
        if self._model is not None:
            await self._model.aclose()
            self._model.close()

    def admit(self, task_name: str) -> AbstractContextManager[Place]:
        """Hold a place for a request, from before its image is decoded until it is answered.

        Raises:
            QueueFullError: too many wait already; `retry_after_s` is when that should be over.
        """
        return self._admission.admit(task_name)

    async def submit(
        self, method: str, task: AskTask, *, key: Hashable, pixels: int, timeout_s: float | None
    ) -> Computed:
        """Wait for the answer to one task.

        Args:
            method: for metrics.
            task: what to ask.
            key: not looked at, since nothing is computed together.
            pixels: not looked at, since nothing is computed here.
            timeout_s: time left for the answer; the call at the provider is cancelled when it is over.

        Raises:
            DeadlineExceededError: the time passed, in the queue or at the provider.
            UpstreamRateLimitedError, UpstreamQuotaExhaustedError: the provider takes no more for now.
            HookeError: whatever else the model raises.
        """
        del key, pixels
        assert self._model is not None, "start() comes first"
        lane = self._lane(self._model.rate_limit_of(task))
        arrived = time.perf_counter()
        begun: float | None = None
        try:
            async with asyncio.timeout(timeout_s) as timeout:
                turn = await self._turn(lane, method)
                begun = time.perf_counter()
                self._metrics.queue_seconds.labels(self._name, method).observe(begun - arrived)
                try:
                    answer = await self._ask(lane, turn, method, task)
                finally:
                    self._end(lane)
        except TimeoutError:
            if not timeout.expired():
                raise
            if begun is None:
                self._reject(method, errors.Reason.DEADLINE_EXCEEDED)
                raise errors.DeadlineExceededError(
                    "the deadline passed while the request waited in the queue"
                ) from None
            raise errors.DeadlineExceededError("the deadline passed before the provider answered") from None
        return Computed(answer, begun - arrived, time.perf_counter() - begun, 1)

    async def _ask(self, lane: _Lane, turn: int, method: str, task: AskTask) -> Answer:
        """Ask the provider, and learn from what it says about its limits."""
        assert self._model is not None
        self._metrics.batch_size.labels(self._name, method).observe(1)
        started = time.perf_counter()
        outcome: str = errors.Reason.INTERNAL
        try:
            answer = await self._model.answer(task)
            outcome = "OK"
        except asyncio.CancelledError:
            outcome = "CANCELLED"
            raise
        except errors.HookeError as error:
            outcome = error.reason or status.code_of(error).name
            if isinstance(error, errors.UpstreamRateLimitedError | errors.UpstreamQuotaExhaustedError):
                lane.pace.refused(turn)
                if lane.gate.close(error):
                    self._refuse_waiting(lane)
            raise
        finally:
            self._metrics.provider_calls.labels(self._name, lane.name, outcome).inc()
            seconds = time.perf_counter() - started
            self._metrics.compute_seconds.labels(self._name, method).observe(seconds)
            self._seconds_per_call += 0.2 * (seconds - self._seconds_per_call)
        if answer.usage is not None:
            self._metrics.count_usage(self._name, lane.name, answer.usage)
        lane.pace.answered(answer.limits, answer.usage)
        return answer

    async def _turn(self, lane: _Lane, method: str) -> int:
        """Wait until a call may begin, and begin it; whoever gets a turn must `_end` it."""
        turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        lane.waiting.append(turn)
        self._observe_depth()
        try:
            if refusal := lane.gate.refusal():
                raise refusal
            self._give_turns()
            return await turn
        except errors.ResourceExhaustedError as error:
            if error.reason is not None:
                self._reject(method, error.reason)
            raise
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._end(lane)  # the turn came in the very moment in which the caller left
            raise
        finally:
            with suppress(ValueError):  # not there any more where the turn came
                lane.waiting.remove(turn)
            self._observe_depth()

    def _give_turns(self) -> None:
        while self._under_way < self._most:
            name = next((name for name, lane in self._lanes.items() if lane.open), None)
            if name is None:
                return
            self._lanes.move_to_end(name)  # or a busy one would keep all places from the others
            lane = self._lanes[name]
            turn = lane.waiting.popleft()
            if not turn.done():
                turn.set_result(lane.pace.begin())
                self._observe_calls()

    def _end(self, lane: _Lane) -> None:
        lane.pace.end()
        self._observe_calls()
        self._give_turns()

    def _refuse_waiting(self, lane: _Lane) -> None:
        for turn in lane.waiting:
            refusal = lane.gate.refusal()
            if refusal is not None and not turn.done():
                turn.set_exception(refusal)

    def _lane(self, name: str) -> _Lane:
        if name not in self._lanes:
            self._lanes[name] = _Lane(name, Pace(self._most))
        return self._lanes[name]

    @property
    def _under_way(self) -> int:
        return sum(lane.pace.under_way for lane in self._lanes.values())

    def _delay_s(self, waiting: int) -> float:
        at_once = sum(lane.pace.limit for lane in self._lanes.values()) or Pace.START
        return self._seconds_per_call * (waiting + 1) / min(at_once, self._most)

    def _reject(self, method: str, reason: errors.Reason) -> None:
        self._metrics.rejected.labels(self._name, method, reason).inc()

    def _observe_calls(self) -> None:
        self._admission.computing = self._under_way
        self._metrics.in_flight.labels(self._name).set(self._under_way)

    def _observe_depth(self) -> None:
        depth = sum(len(lane.waiting) for lane in self._lanes.values())
        self._metrics.queue_depth.labels(self._name).set(depth)
