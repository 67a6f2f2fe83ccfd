"""The bounded queue before a model: admission, batches, eviction of what nobody waits for any more."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Hashable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import structlog

from hooke import errors
from runtime.admission import Admission, Place
from runtime.metrics import Metrics
from runtime.tasks import Answer, AskTask, LabelScores, ModelCard, Segmentation
from runtime.workers import Worker

log = structlog.get_logger("hooke.scheduler")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may wait and how much is computed together; see ModelServerSettings."""

    max_queue: int
    max_pending_bytes: int
    max_batch_size: int
    max_batch_pixels: int


@dataclass(frozen=True, slots=True, eq=False)
class Computed:
    """An answer with what it cost, in seconds."""

    answer: Any
    queue_s: float
    compute_s: float
    batch_size: int


@dataclass(slots=True, eq=False)
class _Waiting:
    method: str
    task: Any
    key: Hashable
    pixels: int
    deadline: float | None
    future: asyncio.Future[Computed]
    since: float = field(default_factory=time.perf_counter)


class Scheduler:
    """Takes tasks in, forms batches of those that may share one, and hands them to free workers.

    Batches are formed of what waits when a worker becomes free: under load they fill by themselves, and a
    lone request never waits for company. A member that is cancelled leaves the others unharmed. One bad
    image fails alone: the model says which (a HookeError in the place of its answer), or it raises, and the
    batch is computed again one by one.

    Args:
        name: of the model, for metrics.
        workers: one for each copy of the model.
        limits: bounds.
        metrics: of the process.
    """

    def __init__(self, name: str, workers: Sequence[Worker], limits: Limits, metrics: Metrics) -> None:
        self._name = name
        self._workers = tuple(workers)
        self._limits = limits
        self._metrics = metrics
        self._queue: deque[_Waiting] = deque()
        self._arrived = asyncio.Condition()
        self._seconds_per_task = 0.1
        self._admission = Admission(
            name,
            limits.max_queue,
            limits.max_pending_bytes,
            lambda waiting: self._seconds_per_task * (waiting + 1) / len(self._workers),
            metrics,
        )
        self._slots: list[asyncio.Task[None]] = []

    async def start(self) -> ModelCard:
        """Load the model on every worker, then begin to serve."""
        cards = await asyncio.gather(*(worker.start() for worker in self._workers))
        self._slots = [asyncio.create_task(self._serve(worker)) for worker in self._workers]
        return cards[0]

    async def close(self) -> None:
        """Stop serving and close the workers; what still waits is cancelled."""
        for slot in self._slots:
            slot.cancel()
        await asyncio.gather(*self._slots, return_exceptions=True)
        for waiting in self._queue:
            waiting.future.cancel()
        await asyncio.gather(*(worker.close() for worker in self._workers))

    def admit(self, task_name: str) -> AbstractContextManager[Place]:
        """Hold a place for a request, from before its image is decoded until it is answered.

        Raises:
            QueueFullError: too many wait already; `retry_after_s` is when that should be over.
        """
        return self._admission.admit(task_name)

    async def submit(
        self, method: str, task: Any, *, key: Hashable, pixels: int, timeout_s: float | None
    ) -> Computed:
        """Wait for the answer to one task.

        Args:
            method: task method of the model, for example "segment".
            task: its argument.
            key: tasks of equal method and key may share a batch.
            pixels: rows times columns, for the batch limit.
            timeout_s: time left for the answer; a task that waits longer is never computed.

        Raises:
            DeadlineExceededError: the time passed in the queue.
        """
        deadline = None if timeout_s is None else time.perf_counter() + timeout_s
        future: asyncio.Future[Computed] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(method, task, (method, key), pixels, deadline, future)
        self._queue.append(waiting)
        self._observe_depth()
        async with self._arrived:
            self._arrived.notify()
        try:
            return await future
        finally:
            if waiting in self._queue:  # cancelled before its turn: its place is free at once
                self._queue.remove(waiting)
                self._observe_depth()

    async def _serve(self, worker: Worker) -> None:
        while True:
            async with self._arrived:
                await self._arrived.wait_for(lambda: bool(self._queue))
                batch = self._next_batch()
            if batch:
                await self._compute(worker, batch)
            del batch  # or its images would be held until the next request comes

    def _next_batch(self) -> list[_Waiting]:
        """Take the oldest live task and those that may join it, in order of arrival."""
        batch: list[_Waiting] = []
        pixels = 0
        stay: deque[_Waiting] = deque()
        now = time.perf_counter()
        while self._queue:
            waiting = self._queue.popleft()
            if waiting.future.done():
                continue
            if waiting.deadline is not None and now >= waiting.deadline:
                self._expire(waiting)
                continue
            fits = not batch or (
                waiting.key == batch[0].key
                and len(batch) < self._limits.max_batch_size
                and pixels + waiting.pixels <= self._limits.max_batch_pixels
            )
            if not fits:
                stay.append(waiting)
                continue
            batch.append(waiting)
            pixels += waiting.pixels
        self._queue = stay
        self._observe_depth()
        return batch

    def _expire(self, waiting: _Waiting) -> None:
        self._metrics.rejected.labels(self._name, waiting.method, errors.Reason.DEADLINE_EXCEEDED).inc()
        waiting.future.set_exception(
            errors.DeadlineExceededError("the deadline passed while the request waited in the queue")
        )

    async def _compute(self, worker: Worker, batch: Sequence[_Waiting]) -> None:
        labels = (self._name, batch[0].method)
        started = time.perf_counter()
        for waiting in batch:
            self._metrics.queue_seconds.labels(*labels).observe(started - waiting.since)
        self._metrics.batch_size.labels(*labels).observe(len(batch))
        self._admission.computing += len(batch)
        self._metrics.in_flight.labels(self._name).set(self._admission.computing)
        try:
            answers = await worker.run(batch[0].method, [waiting.task for waiting in batch])
            if len(answers) != len(batch):
                raise RuntimeError(f"{self._name} gave {len(answers)} answers to {len(batch)} tasks")
        except asyncio.CancelledError:  # the scheduler closes
            for waiting in batch:
                waiting.future.cancel()
            raise
        except Exception as error:  # noqa: BLE001  (handed to whoever waits)
            answers = []
            for waiting in batch:
                if len(batch) == 1 or _begun(waiting):
                    _fail(waiting, error)
        finally:
            self._admission.computing -= len(batch)
            self._metrics.in_flight.labels(self._name).set(self._admission.computing)
        seconds = time.perf_counter() - started
        self._metrics.compute_seconds.labels(*labels).observe(seconds)
        self._seconds_per_task += 0.2 * (seconds / len(batch) - self._seconds_per_task)
        for waiting, answer in zip(batch, answers, strict=False):
            if isinstance(answer, Answer | LabelScores) and answer.usage is not None:
                self._metrics.count_usage(self._name, "", answer.usage)
            if isinstance(answer, Segmentation) and answer.reused is not None:
                self._metrics.reuse.labels(self._name, "hit" if answer.reused else "miss").inc()
            _settle(waiting, Computed(answer, started - waiting.since, seconds, len(batch)))
        if not answers and len(batch) > 1:
            await self._compute_one_by_one(worker, batch)

    async def _compute_one_by_one(self, worker: Worker, batch: Sequence[_Waiting]) -> None:
        try:
            for waiting in batch:
                if not waiting.future.done():
                    await self._compute(worker, [waiting])
        except asyncio.CancelledError:  # the scheduler closes
            for waiting in batch:
                waiting.future.cancel()
            raise

    def _observe_depth(self) -> None:
        self._metrics.queue_depth.labels(self._name).set(len(self._queue))


def _begun(waiting: _Waiting) -> bool:
    """True if a part of the answer was handed on already: computing it again would repeat it."""
    task = waiting.task
    return isinstance(task, AskTask) and task.emit is not None and task.emit.begun


def _settle(waiting: _Waiting, computed: Computed) -> None:
    """Hand an answer to whoever waits for it; it may be the failure of this one task."""
    if isinstance(computed.answer, errors.HookeError):
        _fail(waiting, computed.answer)
    elif not waiting.future.done():
        waiting.future.set_result(computed)


def _fail(waiting: _Waiting, error: Exception) -> None:
    if isinstance(error, MemoryError):
        error = errors.OutOfMemoryError(
            f"the image of {waiting.pixels} pixels does not fit into memory",
            metadata={"imagePixels": str(waiting.pixels), "suggestedMaxPixels": str(waiting.pixels // 2)},
        )
    if not waiting.future.done():
        waiting.future.set_exception(error)
