from __future__ import annotations

import asyncio

import pytest

from evaluator.pacing import GivenUpError, Pace, Pacer, StoppedError, Turn
from evaluator.sharing import Line, Share
from hooke.errors import DeadlineExceededError, QueueFullError, UnavailableError

FULL = QueueFullError("full", retry_after_s=0.0)
AWAY = UnavailableError("nobody there", retry_after_s=0.0)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def share_of(pace: Pace, clock: Clock) -> Share:
    """The only run that asks a model."""
    return Line("model", Pacer(pace, clock), clock).share()


async def fill(share: Share) -> list[Turn]:
    """Take every turn that may be had at once."""
    return [await share.turn() for _ in range(share.pacer.limit)]


async def round_trip(share: Share, waited_s: float = 0.0, compute_s: float = 1.0) -> None:
    """Take every turn, and have every call answered."""
    turns = await fill(share)
    for _ in turns:
        share.pacer.answered(waited_s=waited_s, compute_s=compute_s)
    for _ in turns:
        share.done()


async def refused(share: Share, error: Exception = FULL) -> None:
    """Take every turn, and have every call refused."""
    turns = await fill(share)
    for turn in turns:
        share.pacer.failed(turn, error)  # type: ignore[arg-type]
        share.done()


# While answers come, more and more calls are in flight, up to the bound and not beyond.
async def test_grows_to_the_bound() -> None:
    share = share_of(Pace(start=2, most=20), Clock())
    limits = []
    for _ in range(6):
        limits.append(share.pacer.limit)
        await round_trip(share)
    assert limits == [2, 4, 8, 16, 20, 20]


# No call is let through beyond the limit until another one is done.
async def test_limit_holds() -> None:
    share = share_of(Pace(start=3), Clock())
    await fill(share)
    waiting = asyncio.ensure_future(share.turn())
    await asyncio.sleep(0)
    assert not waiting.done()
    share.done()
    await asyncio.wait_for(waiting, 5)


# Calls that are refused together halve the limit once; from there it grows slowly.
async def test_refusals_halve_once() -> None:
    share = share_of(Pace(start=16), Clock())
    await refused(share)
    assert share.pacer.limit == 8
    await round_trip(share)
    assert share.pacer.limit == 8
    for _ in range(3):
        await round_trip(share)
    assert 9 <= share.pacer.limit <= 12
    await refused(share)
    await refused(share)
    await refused(share)
    await refused(share)
    assert share.pacer.limit == 1


# A model that is away is asked by one call at a time, and quickly by many again once it is back.
async def test_unavailable_goes_down_to_one() -> None:
    share = share_of(Pace(start=16), Clock())
    await refused(share, AWAY)
    assert share.pacer.limit == 1
    probe = await share.turn()
    assert probe.probing
    share.pacer.answered(waited_s=0, compute_s=1)
    share.done()
    assert not (await share.turn()).probing
    share.done()
    for _ in range(3):
        await round_trip(share)
    assert share.pacer.limit >= 8


# A queue that takes longer than computing is not made longer, and a long one is made shorter, down to where
# it began.
async def test_waiting_stops_growth() -> None:
    share = share_of(Pace(start=4), Clock())
    await round_trip(share, waited_s=1.5, compute_s=1.0)
    assert share.pacer.limit == 4
    await round_trip(share, waited_s=0.01, compute_s=0.001)
    assert share.pacer.limit == 8
    await round_trip(share, waited_s=3.0, compute_s=1.0)
    assert share.pacer.limit in (6, 7)
    for _ in range(5):
        await round_trip(share, waited_s=3.0, compute_s=1.0)
    assert share.pacer.limit == 4
    await round_trip(share)
    assert share.pacer.limit in (4, 5)


# Calls that do not use the limit say nothing about raising it.
async def test_unused_limit_does_not_grow() -> None:
    share = share_of(Pace(start=4), Clock())
    for _ in range(10):
        await share.turn()
        share.pacer.answered(waited_s=0, compute_s=1)
        share.done()
    assert share.pacer.limit == 4


# What the model says of when to come back is honoured.
async def test_retry_after_is_honoured() -> None:
    clock = Clock()
    share = share_of(Pace(start=1), clock)
    share.pacer.failed(await share.turn(), QueueFullError("full", retry_after_s=30.0))
    share.done()
    waiting = asyncio.ensure_future(share.turn())
    clock.now = 29.9
    share.done()  # wakes whoever waits, long before its time
    await asyncio.sleep(0.01)
    assert not waiting.done()
    clock.now = 30.1
    share.done()
    await asyncio.wait_for(waiting, 5)


# A model that only fails is given up when its patience has passed, and everybody who waits is told why.
@pytest.mark.parametrize("error", [FULL, AWAY, DeadlineExceededError("late", retry_after_s=0.0)])
async def test_gives_up(error: Exception) -> None:
    clock = Clock()
    share = share_of(Pace(start=1, patience_s=10), clock)
    for clock.now in (0.0, 5.0, 9.9):
        await refused(share, error)
    await share.turn()
    waiting = [asyncio.ensure_future(share.turn()) for _ in range(3)]
    clock.now = 10.0
    share.pacer.failed(Turn(0, probing=True), error)  # type: ignore[arg-type]
    share.done()
    for waiter in waiting:
        with pytest.raises(GivenUpError) as caught:
            await asyncio.wait_for(waiter, 5)
        assert caught.value.cause is error


# One answer restores the patience.
async def test_an_answer_restores_patience() -> None:
    clock = Clock()
    share = share_of(Pace(start=1, patience_s=10), clock)
    for clock.now in range(0, 100, 9):
        await refused(share, AWAY)
        await round_trip(share)
    assert not (await share.turn()).probing


# Waiting for a turn ends when the run stops.
async def test_stop() -> None:
    share = share_of(Pace(start=1), Clock())
    await share.turn()
    waiting = asyncio.ensure_future(share.turn())
    await asyncio.sleep(0)
    share.stop()
    with pytest.raises(StoppedError):
        await asyncio.wait_for(waiting, 5)
    with pytest.raises(StoppedError):
        await share.turn()


# Whoever waits longest goes first, so that tasks that share a model take turns.
async def test_first_come_first_served() -> None:
    share = share_of(Pace(start=1, most=1), Clock())
    await share.turn()
    order: list[int] = []

    async def wait(number: int) -> None:
        await share.turn()
        order.append(number)

    waiting = []
    for number in range(5):
        waiting.append(asyncio.ensure_future(wait(number)))
        await asyncio.sleep(0)
    for _ in range(5):
        share.done()
        await asyncio.sleep(0.001)
    await asyncio.gather(*waiting)
    assert order == [0, 1, 2, 3, 4]
