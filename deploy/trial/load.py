"""Clients that ask without a pause, and know the right answer to each question."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

import hooke

MODEL = "classical"


def discs(count: int, size_px: int = 512) -> NDArray[np.uint16]:
    """A micrograph of `count` bright discs far apart, which nobody can miscount: size_px x size_px."""
    pixels = np.random.default_rng(count).normal(400, 10, (size_px, size_px))
    rows, columns = np.mgrid[:size_px, :size_px]
    for index in range(count):
        row, column = divmod(index, size_px // 32)
        pixels[(rows - 16 - 32 * row) ** 2 + (columns - 16 - 32 * column) ** 2 <= 64] += 4000
    return np.clip(pixels, 0, 65535).astype(np.uint16)


@dataclass
class Tally:
    """What became of the calls: each made once, and repeated by the SDK's own rules alone."""

    right: int = 0
    wrong: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0

    @property
    def calls(self) -> int:
        """Calls that have ended, one way or the other."""
        return self.right + self.wrong + self.lost.total()

    @property
    def complete(self) -> bool:
        """True where every call got its right answer."""
        return self.right > 0 and self.right == self.calls

    def __str__(self) -> str:
        lost = "".join(f", {count} lost ({kind})" for kind, count in self.lost.items())
        wrong = f", {self.wrong} wrong" if self.wrong else ""
        right = f"{self.right} of {self.calls} calls answered rightly"
        return f"{right}{wrong}{lost}; slowest {self.slowest_s:.1f} s"


class Load:
    """Callers that count discs without a pause, on one micrograph after the other."""

    def __init__(self, client: hooke.Client, *, callers: int = 4, size_px: int = 512) -> None:
        self.tally = Tally()
        self._client = client
        self._images = {count: discs(count, size_px) for count in range(3, 3 + 2 * callers)}
        self._over = threading.Event()
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(callers)]

    def start(self) -> None:
        """Let the callers begin."""
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Let every caller hear the answer that it waits for, and ask no more."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def go_on(self, calls: int = 20, limit_s: float = 300.0) -> None:
        """Wait until so many more calls have ended, or for `limit_s` seconds."""
        goal = self.tally.calls + calls
        with self._changed:
            self._changed.wait_for(lambda: self.tally.calls >= goal, limit_s)

    def _ask(self, number: int) -> None:
        counts = list(self._images)
        while not self._over.is_set():
            count = counts[number % len(counts)]
            number += 1
            began = time.monotonic()
            try:
                found: int | str | None = self._client.count(self._images[count], model=MODEL).count
            except hooke.HookeError as error:
                found = type(error).__name__
            self._note(found, count, time.monotonic() - began)

    def _note(self, found: int | str | None, count: int, seconds: float) -> None:
        with self._changed:
            self.tally.slowest_s = max(self.tally.slowest_s, seconds)
            if isinstance(found, str):
                self.tally.lost[found] += 1
            elif found == count:
                self.tally.right += 1
            else:
                self.tally.wrong += 1
            self._changed.notify_all()


@contextmanager
def load(address: str, *, callers: int = 4, size_px: int = 512) -> Iterator[Load]:
    """Callers of a gateway, for the duration of a `with` block; at its end every call has ended."""
    with hooke.Client(address, timeout_s=120) as client:
        asked = Load(client, callers=callers, size_px=size_px)
        asked.start()
        try:
            yield asked
        finally:
            asked.finish()
