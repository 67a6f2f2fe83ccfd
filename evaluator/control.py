"""What a run and the outside say to each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from evaluator.sharing import Line, ModelLimit, Share
from evaluator.spending import Purse


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
        self._shares: list[Share] = []

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

    def share(self, line: Line, limit: ModelLimit | None = None, purse: Purse | None = None) -> Share:
        """A share that stops with the run; `leave` ends it."""
        share = line.share(limit, purse)
        self._shares.append(share)
        if self.stopping:
            share.stop()
        return share

    @contextmanager
    def for_at_most(self, seconds: float | None) -> Iterator[None]:
        """Ask no model anything once so many seconds have passed; None: they never do."""
        if seconds is None:
            yield
            return
        why = f"the {seconds:g} s that samples may be sent for have passed"
        timer = asyncio.get_running_loop().call_later(seconds, self._stop, why)
        try:
            yield
        finally:
            timer.cancel()

    def why_stopped(self) -> list[str]:
        """Why models were asked no more, model by model, in sentences for a person."""
        return [f"{share.model}: {share.why_stopped}." for share in self._shares if share.why_stopped]

    def leave(self) -> None:
        """Leave every line; nothing may be in flight any more."""
        for share in self._shares:
            share.leave()
        self._shares.clear()

    def _stop(self, why: str = "") -> None:
        for share in self._shares:
            share.stop(why)
