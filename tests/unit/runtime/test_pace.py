"""How fast a provider is asked."""

from __future__ import annotations

import time

import pytest

from hooke import errors
from hooke.types import TokenUsage
from runtime.pace import Gate, Pace
from runtime.tasks import RateLimits

USAGE = TokenUsage(input_token_count=90, output_token_count=10)


def answer_round(pace: Pace, limits: RateLimits | None = None, usage: TokenUsage | None = None) -> None:
    """As many calls as may be under way, all of them answered."""
    for _ in range(pace.limit):
        pace.begin()
    while pace.under_way:
        pace.answered(limits, usage)
        pace.end()


# It begins low, grows while everything is answered, and never beyond its bound.
def test_it_grows_up_to_its_bound() -> None:
    pace = Pace(most=10)
    limits = []
    for _ in range(8):
        limits.append(pace.limit)
        answer_round(pace)
    assert limits[0] == Pace.START
    assert limits == sorted(limits)
    assert pace.limit == 10


# A bound below where it begins is kept to.
def test_the_bound_may_be_one() -> None:
    assert Pace(most=1).limit == 1


# A quiet hour makes it no faster: it grows only while it holds calls back.
def test_it_does_not_grow_when_it_is_not_what_holds_calls_back() -> None:
    pace = Pace(most=64)
    for _ in range(100):
        pace.begin()
        pace.answered(None, None)
        pace.end()
    assert pace.limit == Pace.START


# All calls that were under way met the same limit: they halve the pace once, not once each.
def test_a_wave_of_refusals_halves_it_once() -> None:
    pace = Pace(most=64)
    for _ in range(20):
        answer_round(pace)
    before = pace.limit
    turns = [pace.begin() for _ in range(before)]
    for turn in turns:
        pace.refused(turn)
        pace.end()
    assert pace.limit == before // 2
    pace.refused(pace.begin())
    assert pace.limit == before // 4


# After a refusal it feels its way up: by one for a round of answers.
def test_it_grows_slowly_after_a_refusal() -> None:
    pace = Pace(most=64)
    for _ in range(3):
        answer_round(pace)
    pace.refused(pace.begin())
    pace.end()
    before = pace.limit
    for _ in range(3):
        answer_round(pace)
    assert before < pace.limit <= before + 3


# However often it is refused, one call may always find out whether it is over.
def test_one_call_is_always_let_through() -> None:
    pace = Pace(most=64)
    for _ in range(20):
        pace.refused(pace.begin())
        pace.end()
    assert pace.limit == 1


# What the provider says is left bounds the calls under way, in requests and in tokens, until it is over.
@pytest.mark.parametrize(
    ("limits", "limit"),
    [
        (RateLimits(remaining_requests=2, reset_s=0.1), 2),
        (RateLimits(remaining_requests=0, reset_s=0.1), 1),
        (RateLimits(remaining_tokens=350, reset_s=0.1), 3),
        (RateLimits(remaining_requests=1000, remaining_tokens=10**6, reset_s=0.1), Pace.START),
        (RateLimits(remaining_requests=2), Pace.START),
    ],
)
def test_it_keeps_to_what_is_left(limits: RateLimits, limit: int) -> None:
    pace = Pace(most=64)
    pace.begin()
    pace.answered(limits, USAGE)
    pace.end()
    assert pace.limit == limit
    time.sleep(0.11)
    assert pace.limit == Pace.START


# Once closed, the gate refuses as the provider did, with what is left of the delay, and opens by itself.
def test_the_gate_refuses_with_what_is_left() -> None:
    gate = Gate()
    assert gate.refusal() is None
    assert gate.close(errors.UpstreamRateLimitedError("slow down", retry_after_s=0.2))
    time.sleep(0.05)
    refusal = gate.refusal()
    assert isinstance(refusal, errors.UpstreamRateLimitedError)
    assert refusal.message == "slow down"
    assert refusal.retry_after_s is not None
    assert 0 < refusal.retry_after_s <= 0.15
    time.sleep(0.16)
    assert gate.refusal() is None


# A delay of minutes is honoured in full, and a shorter one that comes in later does not shorten it.
def test_the_gate_takes_long_delays() -> None:
    gate = Gate()
    gate.close(errors.UpstreamRateLimitedError("", retry_after_s=300.0))
    gate.close(errors.UpstreamRateLimitedError("", retry_after_s=1.0))
    refusal = gate.refusal()
    assert refusal is not None
    assert refusal.retry_after_s == pytest.approx(300.0, abs=1)


# A delay without end, such as a date for a number of seconds, closes the gate for an hour.
@pytest.mark.parametrize("delay_s", [1.8e9, float("inf")])
def test_the_gate_opens_again(delay_s: float) -> None:
    gate = Gate()
    assert gate.close(errors.UpstreamRateLimitedError("", retry_after_s=delay_s))
    refusal = gate.refusal()
    assert refusal is not None
    assert refusal.retry_after_s == pytest.approx(3600, abs=1)


# Without a delay nothing is refused: the provider may take the next call.
def test_the_gate_stays_open_without_a_delay() -> None:
    gate = Gate()
    assert not gate.close(errors.UpstreamRateLimitedError("slow down"))
    assert gate.refusal() is None


# A quota that is used up closes it for a moment only, and nobody is told to come back.
def test_a_used_up_quota_closes_it_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gate, "QUOTA_S", 0.05)
    gate = Gate()
    gate.close(errors.UpstreamQuotaExhaustedError("pay"))
    refusal = gate.refusal()
    assert isinstance(refusal, errors.UpstreamQuotaExhaustedError)
    assert refusal.retry_after_s is None
    time.sleep(0.06)
    assert gate.refusal() is None
