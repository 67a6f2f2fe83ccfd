"""The queue before a model that somebody else computes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import ClassVar

import pytest

from hooke import errors
from hooke.types import Licences, TokenUsage, TurnRole
from runtime.metrics import Metrics
from runtime.remote import RemoteQueue
from runtime.scheduler import Computed
from runtime.settings import RemoteServerSettings
from runtime.tasks import Answer, AskTask, ModelCard, RateLimits, RemoteAnswerer, Turn


class Provider(RemoteAnswerer):
    """Answers when the test says so; a text that begins with "fast" at once.

    What stands before the colon of a text names its rate limit.
    """

    name: ClassVar[str] = "provider"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.cancelled: list[str] = []
        self.under_way = 0
        self.most = 0
        self.opened = asyncio.Event()
        self.error: Callable[[], errors.HookeError] | None = None
        self.limits: RateLimits | None = None
        self.usage: TokenUsage | None = None
        self.closed = False

    def load(self) -> ModelCard:
        return ModelCard(
            "1", "", Licences("Apache-2.0"), max_image_pixels=1, max_channel_count=1, remote=True
        )

    def rate_limit_of(self, task: AskTask) -> str:
        return text_of(task).partition(":")[0]

    async def answer(self, task: AskTask) -> Answer:
        self.asked.append(text_of(task))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if not text_of(task).startswith("fast"):
                await self.opened.wait()
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.cancelled.append(text_of(task))
            raise
        finally:
            self.under_way -= 1
        if self.error is not None:
            raise self.error()
        return Answer(text_of(task).upper(), usage=self.usage, limits=self.limits)

    async def aclose(self) -> None:
        self.closed = True


def text_of(task: AskTask) -> str:
    return task.turns[-1].text


@asynccontextmanager
async def queued(**settings: object) -> AsyncIterator[tuple[Provider, RemoteQueue, Metrics]]:
    provider, metrics = Provider(), Metrics()
    values = RemoteServerSettings.model_validate(settings)
    queue = RemoteQueue("provider", lambda: provider, values, metrics)
    assert (await queue.start()).remote
    try:
        yield provider, queue, metrics
    finally:
        await queue.close()
        assert provider.closed


def ask(queue: RemoteQueue, text: str, timeout_s: float | None = 20.0) -> asyncio.Task[Computed]:
    """Ask as a servicer does: admitted, then submitted."""

    async def asking() -> Computed:
        with queue.admit("ask"):
            task = AskTask((Turn(TurnRole.USER, text),))
            return await queue.submit("answer", task, key=None, pixels=1, timeout_s=timeout_s)

    return asyncio.create_task(asking())


async def settled() -> None:
    """Let everything happen that happens without the test."""
    for _ in range(20):
        await asyncio.sleep(0)


def rejected(metrics: Metrics, reason: errors.Reason) -> float:
    labels = {"model": "provider", "task": "answer", "reason": reason}
    return metrics.registry.get_sample_value("hooke_inference_rejected_total", labels) or 0.0


def slow_down(delay_s: float | None = None) -> Callable[[], errors.HookeError]:
    return lambda: errors.UpstreamRateLimitedError("slow down", retry_after_s=delay_s)


# An answer comes with the time that it waited and took.
async def test_answer() -> None:
    async with queued() as (_, queue, _metrics):
        computed = await ask(queue, "fast")
        assert computed.answer.text == "FAST"
        assert computed.batch_size == 1
        assert 0 <= computed.queue_s < 1
        assert 0 <= computed.compute_s < 1


# Tokens and cost are counted for each of the provider's models; what is charged at an unknown price, too.
async def test_usage_is_counted() -> None:
    async with queued() as (provider, queue, metrics):

        def counted(name: str, **labels: str) -> float | None:
            labels = {"model": "provider", "provider_model": "fast", **labels}
            return metrics.registry.get_sample_value(f"hooke_inference_{name}", labels)

        provider.usage = TokenUsage(100, 20, cached_input_token_count=60, cost_micro_usd=7)
        await ask(queue, "fast:1")
        provider.usage = TokenUsage(1, 2, price_missing=True)
        await ask(queue, "fast:2")
        provider.error = slow_down()
        with pytest.raises(errors.UpstreamRateLimitedError):
            await ask(queue, "fast:3")
        kinds = ("input", "cached_input", "output")
        assert [counted("tokens_total", kind=kind) for kind in kinds] == [101, 60, 22]
        assert (counted("cost_micro_usd_total"), counted("unpriced_answers_total")) == (7, 1)
        assert counted("provider_calls_total", outcome="OK") == 2
        assert counted("provider_calls_total", outcome="UPSTREAM_RATE_LIMITED") == 1


# It begins with few calls at once; the others wait in order of arrival, and each answer lets more through.
async def test_few_at_once_at_first() -> None:
    async with queued() as (provider, queue, metrics):

        def gauge(name: str) -> float | None:
            return metrics.registry.get_sample_value(f"hooke_inference_{name}", {"model": "provider"})

        waiting = [ask(queue, f":{number}") for number in range(20)]
        await settled()
        assert provider.asked == [f":{number}" for number in range(4)]
        assert (gauge("queue_depth"), gauge("in_flight")) == (16, 4)
        provider.opened.set()
        await asyncio.gather(*waiting)
        assert provider.asked == [f":{number}" for number in range(20)]
        assert provider.most > 4
        assert (gauge("queue_depth"), gauge("in_flight")) == (0, 0)


# The operator's bound is never passed, whatever the provider takes, and holds for all rate limits together.
async def test_the_bound_on_calls_at_once() -> None:
    async with queued(max_concurrency=3) as (provider, queue, _):
        provider.opened.set()
        await asyncio.gather(*(ask(queue, f"{number % 4}:{number}") for number in range(60)))
        assert provider.most == 3


# Many calls of one rate limit do not keep the places from another one.
async def test_rate_limits_take_turns() -> None:
    async with queued(max_concurrency=1) as (provider, queue, _):
        busy = [ask(queue, f"fast-a:{number}") for number in range(40)]
        await asyncio.gather(*busy, ask(queue, "fast-b:0"))
        assert provider.asked.index("fast-b:0") <= 2


# What the provider says is left holds calls back before it has to refuse any.
async def test_what_is_left_holds_calls_back() -> None:
    async with queued() as (provider, queue, _):
        provider.limits = RateLimits(remaining_requests=1, reset_s=60.0)
        await ask(queue, "fast:0")
        provider.most = 0
        await asyncio.gather(*(ask(queue, "fast:1") for _ in range(8)))
        assert provider.most == 1


# After the provider said when to come back nobody asks it until then: those who wait and those who come are
# refused with what is left of the delay, also of one above a minute.
@pytest.mark.parametrize("delay_s", [0.5, 90.0])
async def test_a_rate_limit_refuses_until_it_is_over(delay_s: float) -> None:
    async with queued(max_concurrency=1) as (provider, queue, metrics):
        provider.error = slow_down(delay_s)
        first, second = ask(queue, ":1"), ask(queue, ":2")
        await settled()
        provider.opened.set()
        for asked in (first, second, ask(queue, ":3")):
            with pytest.raises(errors.UpstreamRateLimitedError, match="slow down") as caught:
                await asked
            assert caught.value.retry_after_s == pytest.approx(delay_s, abs=0.2)
        assert provider.asked == [":1"]
        assert rejected(metrics, errors.Reason.UPSTREAM_RATE_LIMITED) == 2
        provider.error = None
        if delay_s < 1:
            await asyncio.sleep(delay_s)
            assert (await ask(queue, ":4")).answer.text == ":4"


# A rate limit belongs to one model of the provider; the others go on being asked.
async def test_rate_limits_are_apart() -> None:
    async with queued() as (provider, queue, _):
        provider.error = slow_down(60.0)
        with pytest.raises(errors.UpstreamRateLimitedError):
            await ask(queue, "fast-one:")
        provider.error = None
        with pytest.raises(errors.UpstreamRateLimitedError):
            await ask(queue, "fast-one:")
        assert (await ask(queue, "fast-two:")).answer.text == "FAST-TWO:"


# Without a delay nobody is kept from asking, and nothing is asked twice.
async def test_a_rate_limit_without_a_delay() -> None:
    async with queued() as (provider, queue, _):
        provider.error = slow_down()
        with pytest.raises(errors.UpstreamRateLimitedError):
            await ask(queue, "fast:")
        assert provider.asked == ["fast:"]
        provider.error = None
        assert (await ask(queue, "fast:")).answer.text == "FAST:"


# A task that waits longer than its caller does is never asked.
async def test_expired_in_the_queue() -> None:
    async with queued(max_concurrency=1) as (provider, queue, metrics):
        first = ask(queue, ":1")
        with pytest.raises(errors.DeadlineExceededError, match="in the queue"):
            await ask(queue, ":2", timeout_s=0.05)
        assert rejected(metrics, errors.Reason.DEADLINE_EXCEEDED) == 1
        provider.opened.set()
        await first
        assert provider.asked == [":1"]


# A provider that does not answer in time is left, and the next one in the queue gets the turn.
async def test_expired_at_the_provider() -> None:
    async with queued(max_concurrency=1) as (provider, queue, _):
        with pytest.raises(errors.DeadlineExceededError, match="provider"):
            await ask(queue, ":1", timeout_s=0.05)
        assert provider.cancelled == [":1"]
        assert (await ask(queue, "fast:")).answer.text == "FAST:"


# A caller who leaves takes the call along, at the provider or in the queue, and nobody else waits for it.
async def test_callers_who_leave() -> None:
    async with queued(max_concurrency=1) as (provider, queue, _):
        first, second, third = (ask(queue, f":{number}") for number in range(3))
        await settled()
        second.cancel()
        first.cancel()
        await settled()
        assert provider.cancelled == [":0"]
        provider.opened.set()
        assert (await third).answer.text == ":2"
        assert provider.asked == [":0", ":2"]


# Whoever leaves in the moment in which the turn comes gives it on.
async def test_a_caller_who_leaves_when_the_turn_comes() -> None:
    async with queued(max_concurrency=1) as (provider, queue, _):
        first, second, third = (ask(queue, f":{number}") for number in range(3))
        await settled()
        provider.opened.set()
        first.add_done_callback(lambda _: second.cancel())
        await asyncio.wait([first, second, third], timeout=5)
        assert third.result().answer.text == ":2"


# One more than may wait is refused, with the time after which there should be room.
async def test_a_full_queue() -> None:
    async with queued(max_concurrency=1, max_queue=2) as (provider, queue, _):
        waiting = [ask(queue, f":{number}") for number in range(3)]
        await settled()
        with pytest.raises(errors.QueueFullError) as caught:
            await ask(queue, ":3")
        assert caught.value.retry_after_s is not None
        provider.opened.set()
        await asyncio.gather(*waiting)


# What the model raises reaches its caller and nobody else.
async def test_errors() -> None:
    async with queued() as (provider, queue, _):
        provider.error = lambda: errors.UpstreamFailedError("down")
        with pytest.raises(errors.UpstreamFailedError, match="down"):
            await ask(queue, "fast:")
        provider.error = None
        assert (await ask(queue, "fast:")).answer.text == "FAST:"


# What waits when the process ends is cancelled.
async def test_close() -> None:
    async with queued(max_concurrency=1) as (provider, queue, _):
        first, second = ask(queue, ":1"), ask(queue, ":2")
        await settled()
        await queue.close()
        provider.opened.set()
        await first
        with pytest.raises(asyncio.CancelledError):
            await second
