"""Who asks a model next: the runs that share a model take turns, however much each of them has to ask.

Each model has one `Line`, in which every run has a `Share`. The line goes round: a run with ten samples gets
every second turn beside a run with ten thousand. How many calls are in flight, and when, is up to the pacer
of the model, and within that to the limits of each run.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from evaluator.pacing import GivenUpError, Pace, Pacer, StoppedError, Turn
from evaluator.spending import Purse


@dataclass(frozen=True, slots=True)
class ModelLimit:
    """The most that a run asks of one model, whatever that would take; None: no limit but the pacer's.

    Attributes:
        max_in_flight: calls at a time.
        requests_per_minute: calls that begin in a minute; they are spread evenly over it.
    """

    max_in_flight: int | None = None
    requests_per_minute: int | None = None


class Share:
    """One run's part in asking a model. Within it, whoever came first has the next turn.

    Args:
        line: of the model.
        limit: of the run.
        purse: what the run may spend on models that cost; None: this one does not, or there is no limit.

    Attributes:
        why_stopped: why the run asks nothing more of the model; empty where it was simply told to stop.
    """

    def __init__(self, line: Line, limit: ModelLimit, purse: Purse | None) -> None:
        self._line = line
        self._purse = purse
        self._most = math.inf if limit.max_in_flight is None else limit.max_in_flight
        self._spacing_s = 60 / limit.requests_per_minute if limit.requests_per_minute else 0.0
        self._in_flight = 0
        self._not_before = -math.inf
        self._waiting: deque[asyncio.Future[Turn]] = deque()
        self._stopped = False
        self.why_stopped = ""
        if purse is not None:
            purse.join(line.go_on)

    @property
    def model(self) -> str:
        """Its name."""
        return self._line.model

    @property
    def pacer(self) -> Pacer:
        """The pace of the model."""
        return self._line.pacer

    @property
    def stopped(self) -> bool:
        """True if the run asks nothing more of the model."""
        return self._stopped

    async def turn(self) -> Turn:
        """Wait for leave to make a call; `done` ends it.

        Raises:
            GivenUpError, StoppedError: there will be none.
        """
        if self._stopped:
            raise StoppedError
        waiter: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._line.go_on()
        try:
            return await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled() and waiter.exception() is None:
                self.done()  # it had its turn, and nobody is left to take it
            raise

    def done(self) -> None:
        """End a turn, however its call ended."""
        self._in_flight -= 1
        self.pacer.done()
        if self._purse is not None:
            self._purse.end(self.model)
        self._line.go_on()

    def pay(self, cost_micro_usd: int | None) -> None:
        """Pay for an answer before its turn ends; None: its provider charges, but nobody knows how much."""
        if self._purse is None:
            return
        if cost_micro_usd is None:
            self.stop("what it costs is not known, so that the cost limit could not hold")
        else:
            self._purse.pay(self.model, cost_micro_usd)

    def stop(self, why: str = "") -> None:
        """Ask nothing more; whoever waits for a turn is told."""
        if not self._stopped:
            self._stopped, self.why_stopped = True, why
        self._refuse(StoppedError())

    def leave(self) -> None:
        """Give up the place in the line; nobody must be waiting."""
        self._line.shares.remove(self)

    def offer(self) -> float:
        """Take a turn if there is somebody for it and the run's limits let it.

        Returns:
            Seconds until there may be another one: 0 if this was taken, infinite if not before something
            else happens.
        """
        if self.pacer.given_up is not None:
            self._refuse(GivenUpError(self.pacer.given_up))
        while self._waiting and self._waiting[0].cancelled():
            self._waiting.popleft()
        if not self._waiting or self._in_flight >= self._most:
            return math.inf
        if self._purse is not None and not self._purse.fits(self.model):
            if self._purse.used_up:
                self.stop(self._purse.why)
            return math.inf
        wait_s = self._not_before - self._line.now()
        if wait_s > 0:
            return wait_s
        self._in_flight += 1
        self._not_before = self._line.now() + self._spacing_s
        if self._purse is not None:
            self._purse.begin(self.model)
        self._waiting.popleft().set_result(self.pacer.begin())
        return 0.0

    def _refuse(self, error: Exception) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.cancelled():
                waiter.set_exception(error)


class Line:
    """The runs that ask one model.

    Args:
        model: its name.
        pacer: its pace.
        now: seconds of a clock that never goes back.

    Attributes:
        shares: of the runs, the one that comes next first.
    """

    def __init__(self, model: str, pacer: Pacer, now: Callable[[], float]) -> None:
        self.model = model
        self.pacer = pacer
        self.now = now
        self.shares: deque[Share] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def share(self, limit: ModelLimit | None = None, purse: Purse | None = None) -> Share:
        """A place in the line."""
        share = Share(self, limit or ModelLimit(), purse)
        self.shares.append(share)
        return share

    def go_on(self) -> None:
        """Give every turn that can be given now, round by round, and come back when there may be more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        passed = 0  # shares in a row that took no turn
        soonest_s = math.inf
        while passed < len(self.shares):
            wait_s = self.pacer.wait_s() if self.pacer.given_up is None else 0.0
            if wait_s > 0:
                soonest_s = wait_s
                break
            share = self.shares[0]
            self.shares.rotate(-1)
            offered_s = share.offer()
            passed = passed + 1 if offered_s else 0
            soonest_s = min(soonest_s, offered_s or math.inf)
        if math.isfinite(soonest_s):
            self._timer = asyncio.get_running_loop().call_later(soonest_s, self.go_on)


class Lines:
    """The lines of all models that an evaluator asks.

    Args:
        pace: of each of them.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._lines: dict[str, Line] = {}

    def in_flight(self) -> dict[str, int]:
        """Model -> calls in flight, of those that were ever asked; for any thread."""
        return {model: line.pacer.in_flight for model, line in list(self._lines.items())}

    def line(self, model: str) -> Line:
        """The line of a model; a new one, with all its patience, where nobody asks it or it was given up."""
        line = self._lines.get(model)
        if line is None or not line.shares or line.pacer.given_up is not None:
            now = asyncio.get_running_loop().time
            line = self._lines[model] = Line(model, Pacer(self._pace, now), now)
        return line
