"""What a run and the outside say to each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from evaluator.pacing import Pace, Pacer


class Control:
    """Stops a run, and hears of its progress. The flags may be read on any thread.

    Args:
        changed: called when there is progress to be seen.

    Attributes:
        cancelled: the run is to end for good once what is in flight is finished.
        interrupted: the run is to stop for now, unfinished, to be taken up again.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self.changed = changed
        self.cancelled = False
        self.interrupted = False
        self._ending = False
        self._pacers: list[Pacer] = []

    @property
    def stopping(self) -> bool:
        """True if nothing new is to be begun."""
        return self.cancelled or self.interrupted

    def cancel(self) -> bool:
        """End the run for good; False if it is ending by itself."""
        if self._ending:
            return False
        self.cancelled = True
        self._stop()
        return True

    def interrupt(self) -> None:
        """Stop the run for now."""
        self.interrupted = True
        self._stop()

    def end(self) -> None:
        """Say that it is too late to cancel the run."""
        self._ending = True

    def pacer(self, pace: Pace) -> Pacer:
        """A pacer that stops with the run."""
        pacer = Pacer(pace, asyncio.get_running_loop().time)
        self._pacers.append(pacer)
        if self.stopping:
            pacer.stop()
        return pacer

    def _stop(self) -> None:
        for pacer in self._pacers:
            pacer.stop()
