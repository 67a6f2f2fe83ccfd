"""What the benchmarks compute from what they time."""

from __future__ import annotations

import time

import pytest

from benchmarks import measure
from benchmarks.measure import Target, Times, interleaved, rates


# The median and the 99th percentile of a known list.
def test_percentiles() -> None:
    times = Times(tuple(float(number) for number in range(200, 0, -1)))
    assert times.p50_s == 100.5
    assert times.p99_s == 199.0
    assert Times((3.0, 1.0)).p99_s == 3.0


# Everything has its turn in every round, another thing first each time, and warm-up calls do not count.
def test_turns_are_interleaved() -> None:
    order: list[str] = []
    calls = {name: lambda name=name: order.append(name) for name in "abc"}  # type: ignore[misc]
    times = interleaved(calls, rounds=2, burst=2)
    assert "".join(order) == "aaabbbccc" + "bbbcccaaa"
    assert {name: len(found.seconds) for name, found in times.items()} == {"a": 4, "b": 4, "c": 4}


# On a slow machine the figures come from fewer rounds, never from none.
def test_time_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "MOST_S", 0.0)
    times = interleaved({"slow": lambda: time.sleep(0.001)}, rounds=1000, burst=1)
    assert len(times["slow"].seconds) == 1


# A rate is items over time, so that more items in the same turn are faster.
def test_rates_count_items() -> None:
    found = rates({"few": lambda: 1, "many": lambda: 10**9}, rounds=3)
    assert found["many"] > found["few"] > 0


# A target is met on its own side of the bound, the bound included.
@pytest.mark.parametrize(
    ("figure", "at_most", "met"),
    [(1.5, True, True), (1.51, True, False), (1.5, False, True), (1.49, False, False)],
)
def test_targets(figure: float, at_most: bool, met: bool) -> None:
    assert Target("", figure, 1.5, at_most).met is met
