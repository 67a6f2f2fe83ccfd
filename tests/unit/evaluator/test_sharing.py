from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from evaluator.pacing import GivenUpError, Pace, Pacer, StoppedError
from evaluator.sharing import Line, Lines, ModelLimit, Share
from evaluator.spending import Purse
from hooke.errors import QueueFullError


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def line_of(pace: Pace, clock: Clock | None = None) -> Line:
    clock = clock or Clock()
    return Line("model", Pacer(pace, clock), clock)


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


def ask(share: Share, name: str, times: int, order: list[str]) -> list[asyncio.Task[None]]:
    """Ask so many times, each call being done at once."""

    async def once() -> None:
        await share.turn()
        order.append(name)
        await asyncio.sleep(0)
        share.done()

    return [asyncio.ensure_future(once()) for _ in range(times)]


# Runs take turns however much each has to ask: the small one is done after two turns for each of its own.
@pytest.mark.parametrize("most", [1, 4])
async def test_runs_take_turns(most: int) -> None:
    line = line_of(Pace(start=most, most=most))
    large, small = line.share(), line.share()
    order: list[str] = []
    tasks = ask(large, "large", 200, order)
    await settle()
    begun = len(order)
    tasks += ask(small, "small", 10, order)
    await asyncio.gather(*tasks)
    last = max(index for index, name in enumerate(order) if name == "small")
    assert last - begun <= 2 * 10 + 2 * most


# A run that leaves, or asks nothing for a while, costs the others nothing.
async def test_idle_shares_are_passed_over() -> None:
    line = line_of(Pace(start=1, most=1))
    idle, busy = line.share(), line.share()
    order: list[str] = []
    await asyncio.gather(*ask(busy, "busy", 5, order))
    idle.leave()
    await asyncio.gather(*ask(busy, "busy", 5, order))
    assert len(order) == 10


# What one run is limited to holds for it alone.
async def test_limit_of_calls_at_a_time() -> None:
    line = line_of(Pace(start=10))
    limited, free = line.share(ModelLimit(max_in_flight=2)), line.share()
    waiting = [asyncio.ensure_future(limited.turn()) for _ in range(5)]
    await settle()
    assert sum(waiter.done() for waiter in waiting) == 2
    for _ in range(8):
        await asyncio.wait_for(free.turn(), 5)
    limited.done()
    await settle()
    assert sum(waiter.done() for waiter in waiting) == 3
    limited.stop()
    await asyncio.gather(*waiting, return_exceptions=True)


# Calls of a run that is limited to so many a minute begin evenly over the minute.
async def test_requests_per_minute() -> None:
    line = Line(
        "model", Pacer(Pace(start=10), asyncio.get_running_loop().time), asyncio.get_running_loop().time
    )
    share = line.share(ModelLimit(requests_per_minute=1200))  # one in 50 ms
    began = asyncio.get_running_loop().time()
    for _ in range(5):
        await asyncio.wait_for(share.turn(), 5)
    assert 0.19 <= asyncio.get_running_loop().time() - began < 1.0


# Stopping one run leaves the others their turns; a cancelled waiter leaves its turn to the next.
async def test_stop_and_cancel() -> None:
    line = line_of(Pace(start=1, most=1))
    first, second = line.share(), line.share()
    await first.turn()
    stopped = asyncio.ensure_future(first.turn())
    cancelled, kept = asyncio.ensure_future(second.turn()), asyncio.ensure_future(second.turn())
    await settle()
    first.stop("enough")
    with pytest.raises(StoppedError):
        await stopped
    assert (first.stopped, first.why_stopped, second.stopped) == (True, "enough", False)
    cancelled.cancel()
    first.done()
    await asyncio.wait_for(kept, 5)
    late = asyncio.ensure_future(second.turn())
    await settle()
    second.done()
    late.cancel()  # it has its turn, but does not know yet
    await asyncio.gather(late, return_exceptions=True)
    await asyncio.wait_for(second.turn(), 5)


# A model that was given up is given up for every run that asks it then; a run that comes later tries anew.
async def test_given_up_for_all() -> None:
    lines = Lines(Pace(start=1, patience_s=0))
    line = lines.line("model")
    assert lines.line("model") is not line  # nobody asks it
    line = lines.line("model")
    first, second = line.share(), line.share()
    assert lines.line("model") is line
    error = QueueFullError("full", retry_after_s=0.0)
    for _ in range(2):
        line.pacer.failed(await asyncio.wait_for(first.turn(), 5), error)
        first.done()
    for share in (first, second):
        with pytest.raises(GivenUpError) as caught:
            await asyncio.wait_for(share.turn(), 5)
        assert caught.value.cause is error
    assert lines.line("model") is not line


def costs(share: Share, prices: Sequence[int | None]) -> list[asyncio.Task[None]]:
    """Ask once for each price, all at the same time."""

    async def once(price: int | None) -> None:
        await share.turn()
        await asyncio.sleep(0)
        share.pay(price)
        share.done()

    return [asyncio.ensure_future(once(price)) for price in prices]


# Spending ends before the limit is exceeded, however many calls there are at a time, and is used up to the
# last call that fits.
@pytest.mark.parametrize("most", [1, 7, 32])
async def test_cost_limit(most: int) -> None:
    purse = Purse(1000, 0, {})
    share = line_of(Pace(start=most, most=most)).share(purse=purse)
    ended = await asyncio.gather(*costs(share, [30] * 100), return_exceptions=True)
    assert purse.spent_micro_usd == 990
    assert sum(isinstance(end, StoppedError) for end in ended) == 67
    assert "$0.00099 of the cost limit of $0.001" in share.why_stopped


# Until a model has told its price it is asked once at a time; what was spent before counts.
async def test_unknown_price() -> None:
    line = line_of(Pace(start=10))
    share = line.share(purse=Purse(1000, 0, {}))
    waiting = [asyncio.ensure_future(share.turn()) for _ in range(5)]
    await settle()
    assert sum(waiter.done() for waiter in waiting) == 1
    share.pay(10)
    share.done()
    await settle()
    assert all(waiter.done() for waiter in waiting)
    spent = line_of(Pace(start=10)).share(purse=Purse(1000, 500, {"model": 501}))
    with pytest.raises(StoppedError):
        await spent.turn()


# A model whose provider charges an unknown price is asked no more under a cost limit; others go on.
async def test_missing_price() -> None:
    purse = Purse(1000, 0, {})
    priceless, other = line_of(Pace()).share(purse=purse), line_of(Pace()).share(purse=purse)
    ended = await asyncio.gather(*costs(priceless, [None, None]), return_exceptions=True)
    assert [isinstance(end, StoppedError) for end in ended] == [False, True]
    assert "not known" in priceless.why_stopped
    assert await asyncio.gather(*costs(other, [1, 1])) == [None, None]


# Two models that share a purse wait for each other's calls, not for ever.
async def test_shared_purse() -> None:
    purse = Purse(1000, 0, {})
    one, two = line_of(Pace(start=8)).share(purse=purse), line_of(Pace(start=8)).share(purse=purse)
    ended = await asyncio.gather(*costs(one, [400, 100]), *costs(two, [300, 300]), return_exceptions=True)
    assert purse.spent_micro_usd <= 1000
    assert sum(end is None for end in ended) >= 2
