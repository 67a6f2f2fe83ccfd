"""Times of things that are measured side by side."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

MOST_S = 60.0
"""Seconds after which a measurement begins no further round, on a slow or busy machine."""


@dataclass(frozen=True, slots=True)
class Times:
    """How long each of many calls took, in seconds."""

    seconds: tuple[float, ...]

    @property
    def p50_s(self) -> float:
        """The median."""
        return statistics.median(self.seconds)

    @property
    def p99_s(self) -> float:
        """What 99 of 100 calls do not exceed; with fewer than 100 calls, the longest."""
        return sorted(self.seconds)[min(len(self.seconds) - 1, int(len(self.seconds) * 0.99))]


@dataclass(frozen=True, slots=True)
class Target:
    """What was promised, and what was measured."""

    text: str
    figure: float
    bound: float
    at_most: bool

    @property
    def met(self) -> bool:
        """True if the figure keeps to the bound."""
        return self.figure <= self.bound if self.at_most else self.figure >= self.bound


def interleaved(calls: Mapping[str, Callable[[], object]], *, rounds: int, burst: int) -> Mapping[str, Times]:
    """Take the times of several calls side by side.

    In each round every call has its turn of `burst` times, beginning with another one each round: whatever
    else the machine does meanwhile hits all alike. The first call of a turn warms up and is not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for order in _rounds(list(calls), rounds):
        for name in order:
            calls[name]()
            for _ in range(burst):
                started = time.perf_counter()
                calls[name]()
                seconds[name].append(time.perf_counter() - started)
    return {name: Times(tuple(values)) for name, values in seconds.items()}


def rates(runs: Mapping[str, Callable[[], int]], *, rounds: int) -> Mapping[str, float]:
    """Items per second of several runs side by side, the median over the rounds.

    Args:
        runs: each does its work and returns how many items it did.
        rounds: how often each has its turn.
    """
    found: dict[str, list[float]] = {name: [] for name in runs}
    for order in _rounds(list(runs), rounds):
        for name in order:
            started = time.perf_counter()
            done = runs[name]()
            found[name].append(done / (time.perf_counter() - started))
    return {name: statistics.median(values) for name, values in found.items()}


def _rounds(names: list[str], count: int) -> Iterator[list[str]]:
    """The order of each round; none begins when `MOST_S` have passed, but one there is."""
    begun = time.monotonic()
    for number in range(count):
        if number and time.monotonic() - begun > MOST_S:
            return
        turn = number % len(names)
        yield names[turn:] + names[:turn]
