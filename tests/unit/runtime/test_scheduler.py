"""The queue before a model."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import pytest

from hooke import errors
from hooke.types import Licences
from runtime.metrics import Metrics
from runtime.scheduler import Computed, Limits, Scheduler
from runtime.tasks import Model, ModelCard
from runtime.workers import LocalHost, Worker


class Gate(Model):
    """Answers every number with its double; the test lets batches through."""

    name: ClassVar[str] = "gate"

    def __init__(self) -> None:
        self.permits = threading.Semaphore(0)
        self.entered = threading.Semaphore(0)
        self.batches: list[list[int]] = []

    def let(self, batches: int) -> None:
        self.permits.release(batches)

    def load(self) -> ModelCard:
        return ModelCard("1", "", Licences("Apache-2.0"), max_image_pixels=1, max_channel_count=1)

    def double(self, numbers: Sequence[int]) -> list[int | errors.HookeError]:
        self.batches.append(list(numbers))
        self.entered.release()
        assert self.permits.acquire(timeout=20)
        if -1 in numbers:
            raise ValueError("minus one")
        if -2 in numbers:
            raise MemoryError
        return [errors.InvalidRequestError("minus three") if n == -3 else 2 * n for n in numbers]


@asynccontextmanager
async def scheduled(
    model: Gate, *, workers: int = 1, max_queue: int = 8, max_batch_size: int = 4, max_batch_pixels: int = 100
) -> AsyncIterator[Scheduler]:
    limits = Limits(max_queue, 1000, max_batch_size, max_batch_pixels)
    slots = [Worker(LocalHost(lambda: model)) for _ in range(workers)]
    scheduler = Scheduler("gate", slots, limits, Metrics())
    await scheduler.start()
    try:
        yield scheduler
    finally:
        model.let(100)
        await scheduler.close()


def ask(
    scheduler: Scheduler, number: int, *, key: str = "", pixels: int = 1, timeout_s: float | None = None
) -> asyncio.Task[Computed]:
    return asyncio.create_task(
        scheduler.submit("double", number, key=key, pixels=pixels, timeout_s=timeout_s)
    )


async def entered(model: Gate) -> None:
    assert await asyncio.to_thread(model.entered.acquire, timeout=10)


async def test_waiting_tasks_of_one_key_share_a_batch() -> None:
    """What waits while the worker is busy is computed together, up to the limit, one key at a time."""
    model = Gate()
    async with scheduled(model) as scheduler:
        first = ask(scheduler, 0)
        await entered(model)
        rest = [ask(scheduler, number, key="a" if number % 2 else "b") for number in range(1, 12)]
        await asyncio.sleep(0)
        model.let(100)
        answers = [(await task).answer for task in [first, *rest]]
        assert answers == [2 * number for number in range(12)]
        assert model.batches == [[0], [1, 3, 5, 7], [2, 4, 6, 8], [9, 11], [10]]


async def test_a_batch_is_limited_in_pixels() -> None:
    """Large images share a batch only as far as the pixel limit goes; one alone is always computed."""
    model = Gate()
    async with scheduled(model, max_batch_pixels=100) as scheduler:
        first = ask(scheduler, 0)
        await entered(model)
        rest = [ask(scheduler, number, pixels=60) for number in (1, 2)] + [ask(scheduler, 3, pixels=500)]
        await asyncio.sleep(0)
        model.let(100)
        await asyncio.gather(first, *rest)
        assert model.batches == [[0], [1], [2], [3]]


async def test_mates_of_a_cancelled_task_get_their_answers() -> None:
    """A member that is cancelled while its batch is computed leaves the others unharmed."""
    model = Gate()
    async with scheduled(model) as scheduler:
        first = ask(scheduler, 0)
        await entered(model)
        batch = [ask(scheduler, number) for number in (1, 2, 3)]
        await asyncio.sleep(0)
        model.let(1)
        await entered(model)
        batch[1].cancel()
        model.let(1)
        results = await asyncio.gather(*batch, return_exceptions=True)
        assert model.batches == [[0], [1, 2, 3]]
        assert (await first).answer == 0
        assert [result.answer for result in (results[0], results[2])] == [2, 6]  # type: ignore[union-attr]
        assert isinstance(results[1], asyncio.CancelledError)


async def test_a_cancelled_caller_does_not_free_the_worker() -> None:
    """The next batch begins when the worker is done, not when its caller has gone."""
    model = Gate()
    async with scheduled(model) as scheduler:
        gone = ask(scheduler, 1)
        await entered(model)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        following = ask(scheduler, 2)
        await asyncio.sleep(0.05)
        assert model.batches == [[1]]
        model.let(100)
        assert (await following).answer == 4


async def test_a_task_cancelled_in_the_queue_is_never_computed() -> None:
    """Its place is free at once."""
    model = Gate()
    async with scheduled(model) as scheduler:
        first = ask(scheduler, 0)
        await entered(model)
        gone, stays = ask(scheduler, 1), ask(scheduler, 2)
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        model.let(100)
        await asyncio.gather(first, stays)
        assert model.batches == [[0], [2]]


async def test_a_task_that_expires_in_the_queue_is_never_computed() -> None:
    """It costs nothing and ends with DEADLINE_EXCEEDED."""
    model = Gate()
    async with scheduled(model) as scheduler:
        first = ask(scheduler, 0)
        await entered(model)
        late = ask(scheduler, 1, timeout_s=0.0)
        in_time = ask(scheduler, 2, timeout_s=60.0)
        await asyncio.sleep(0)
        model.let(100)
        await asyncio.gather(first, in_time)
        with pytest.raises(errors.DeadlineExceededError, match="queue"):
            await late
        assert model.batches == [[0], [2]]


async def test_a_full_queue_refuses_and_says_when_to_come_back() -> None:
    """Admission is bounded; a place is free again once its holder leaves."""
    model = Gate()
    async with scheduled(model, max_queue=2) as scheduler:
        with scheduler.admit("double"):
            with scheduler.admit("double"):
                with pytest.raises(errors.QueueFullError) as refused, scheduler.admit("double"):
                    pass
                assert refused.value.retry_after_s is not None
                assert refused.value.retry_after_s > 0
            with scheduler.admit("double"):
                pass


async def test_memory_is_bounded_over_all_requests_but_one_alone_is_let_in() -> None:
    """A request larger than the bound waits for an empty server, it is not refused for ever."""
    model = Gate()
    async with scheduled(model) as scheduler:
        with scheduler.admit("double") as large:
            large.hold(5000)
            with scheduler.admit("double") as other, pytest.raises(errors.QueueFullError):
                other.hold(1)
        with scheduler.admit("double") as other:
            other.hold(900)


async def test_one_request_cannot_hold_memory_without_end() -> None:
    """However many images it carries: behind the first, all of them together stay within the bound."""
    async with scheduled(Gate()) as scheduler:
        with scheduler.admit("double") as many:
            many.hold(600)
            with pytest.raises(errors.ImageTooLargeError):
                many.hold(500)
            many.hold(400)


@pytest.mark.parametrize(("bad", "error"), [(-1, ValueError), (-2, errors.OutOfMemoryError)])
async def test_one_bad_task_fails_alone(bad: int, error: type[Exception]) -> None:
    """A batch that fails is computed again one by one."""
    model = Gate()
    async with scheduled(model) as scheduler:
        first = ask(scheduler, 0)
        await entered(model)
        batch = [ask(scheduler, number) for number in (1, bad, 3)]
        await asyncio.sleep(0)
        model.let(100)
        results: list[Any] = await asyncio.gather(first, *batch, return_exceptions=True)
        assert [results[1].answer, results[3].answer] == [2, 6]
        assert isinstance(results[2], error)


async def test_a_failure_that_the_model_tells_apart_costs_nobody_else() -> None:
    """An error in the place of an answer is that task's alone; the batch is not computed again."""
    model = Gate()
    async with scheduled(model) as scheduler:
        first = ask(scheduler, 0)
        await entered(model)
        batch = [ask(scheduler, number) for number in (1, -3, 3)]
        await asyncio.sleep(0)
        model.let(100)
        results: list[Any] = await asyncio.gather(first, *batch, return_exceptions=True)
        assert [results[1].answer, results[3].answer] == [2, 6]
        assert isinstance(results[2], errors.InvalidRequestError)
        assert model.batches == [[0], [1, -3, 3]]


async def test_two_workers_compute_at_the_same_time() -> None:
    """Each worker is a slot of its own."""
    model = Gate()
    async with scheduled(model, workers=2, max_batch_size=1) as scheduler:
        tasks = [ask(scheduler, number) for number in (1, 2)]
        await entered(model)
        await entered(model)
        model.let(100)
        assert [(await task).answer for task in tasks] == [2, 4]


async def test_closing_cancels_what_waits() -> None:
    """Nobody is left waiting for ever."""
    model = Gate()
    async with scheduled(model) as scheduler:
        computing, waiting = ask(scheduler, 0), ask(scheduler, 1, key="other")
        await entered(model)
        model.let(100)
        await scheduler.close()
        results = await asyncio.gather(computing, waiting, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError | Computed) for result in results)
