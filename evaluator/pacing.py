"""How fast a model is asked, and when to stop asking it.

Each model has one `Pacer`, whatever the number of runs that ask it. It starts with few calls at a time,
allows more while calls do not wait longer than they compute and fewer where they wait long, halves them when
the model says that it is full, waits as long as it says, and goes down to one call, further and further
apart, while the model does not answer at all. A model from which nothing has come for the whole of its
patience is given up: nobody waits for ever. Who has the next call is up to `evaluator.sharing`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from hooke.errors import HookeError, UnavailableError

_SHORT_WAIT_S = 0.02
"""A wait that says nothing yet: decoding, batching and encoding take as much."""
_LONG_WAIT = 2.0
"""A wait that is too long, in times of computing: it says more of this program than of the model."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The bounds of a pacer.

    Attributes:
        start, most: calls at a time, at first and at most.
        patience_s: seconds without an answer after which a model that fails is given up.
        shortest_wait_s, longest_wait_s: of the waits after failures, which double from the one to the other.
    """

    start: int = 2
    most: int = 32
    patience_s: float = 300.0
    shortest_wait_s: float = 0.1
    longest_wait_s: float = 10.0


class GivenUpError(Exception):
    """The model is not asked any more; `cause` is the last thing that it said."""

    def __init__(self, cause: HookeError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class StoppedError(Exception):
    """Nothing more is asked: the run is stopping, or has used up what it may take."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Leave to make one call.

    Attributes:
        epoch: number of times that the pace had been reduced when the call began.
        probing: the model had failed just before: another failure says nothing about the sample.
    """

    epoch: int
    probing: bool


class Pacer:
    """The pace of one model.

    Args:
        pace: bounds.
        now: seconds of a clock that never goes back.

    Attributes:
        given_up: the last thing that the model said before it was given up; None: it was not.
    """

    def __init__(self, pace: Pace, now: Callable[[], float]) -> None:
        self._pace = pace
        self._now = now
        self._limit = float(min(pace.start, pace.most))
        self._threshold = float(pace.most)
        self._in_flight = 0
        self._epoch = 0
        self._failures = 0
        self._failing_since: float | None = None
        self._not_before = 0.0
        self.given_up: HookeError | None = None

    @property
    def limit(self) -> int:
        """Calls that may be in flight now."""
        return int(self._limit)

    @property
    def in_flight(self) -> int:
        """Calls that are in flight now."""
        return self._in_flight

    def wait_s(self) -> float:
        """Seconds until another call may begin; infinite: not before one that is in flight is done."""
        if self._in_flight >= self.limit:
            return math.inf
        return max(0.0, self._not_before - self._now())

    def begin(self) -> Turn:
        """Begin a call; `done` ends it."""
        self._in_flight += 1
        return Turn(self._epoch, probing=self._failures > 0)

    def done(self) -> None:
        """End a call, however it ended."""
        self._in_flight -= 1

    def answered(self, *, waited_s: float, compute_s: float) -> None:
        """Note an answer, and how long the service had it wait and computed."""
        self.alive()
        # Where calls wait longer than they compute, more of them make a queue longer, not a model faster.
        wait = waited_s / max(compute_s, _SHORT_WAIT_S)
        if wait <= 1 and self._limit < 2 * self._in_flight:
            growth = 1 if self._limit < self._threshold else 1 / self._limit
            self._limit = min(self._limit + growth, self._pace.most)
        elif wait > _LONG_WAIT:
            self._threshold = self._limit
            self._limit = max(self._limit - 1 / self._limit, min(self._pace.start, self._limit))

    def alive(self) -> None:
        """Note that the model dealt with a call, if only to say what is wrong with it."""
        self._failures = 0
        self._failing_since = None

    def failed(self, turn: Turn, error: HookeError) -> None:
        """Note that the model was too busy, too late or not there."""
        now = self._now()
        if self._failing_since is None:
            self._failing_since = now
        elif now - self._failing_since >= self._pace.patience_s:
            self.given_up = error
        if turn.epoch == self._epoch:  # of the calls that were under way together, one speaks for all
            self._epoch += 1
            self._failures += 1
            self._threshold = max(1.0, self._limit / 2)
            self._limit = 1.0 if isinstance(error, UnavailableError) else self._threshold
        self._not_before = max(self._not_before, now + self._pause_s(error))

    def _pause_s(self, error: HookeError) -> float:
        if error.retry_after_s is not None:
            return min(error.retry_after_s, self._pace.patience_s)
        doublings = min(self._failures - 1, 30)
        backoff = min(self._pace.shortest_wait_s * 2.0**doublings, self._pace.longest_wait_s)
        return random.uniform(backoff / 2, backoff)  # noqa: S311  (spreads the attempts of several clients)
