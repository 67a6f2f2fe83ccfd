"""Admission: how many requests may wait before a model, and how much memory they may hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hooke import errors
from runtime.metrics import Metrics


@dataclass(slots=True, eq=False)
class Place:
    """The place of one admitted request."""

    admission: Admission
    task_name: str
    held_bytes: int = 0

    def hold(self, size_bytes: int) -> None:
        """Hold memory for decoded pixels, until the request is answered.

        Raises:
            QueueFullError: all requests together would hold too much; one image alone is always let in.
            ImageTooLargeError: the images of this request alone would.
        """
        self.admission.hold(self, size_bytes)


class Admission:
    """Lets requests in, from before their images are decoded until they are answered.

    Args:
        name: of the model, for metrics.
        max_waiting: most requests that are admitted and not yet computed.
        max_pending_bytes: most bytes of decoded pixels that all of them hold.
        delay_s: given how many wait, the seconds after which there should be room again.
        metrics: of the process.
    """

    def __init__(
        self,
        name: str,
        max_waiting: int,
        max_pending_bytes: int,
        delay_s: Callable[[int], float],
        metrics: Metrics,
    ) -> None:
        self._name = name
        self._max_waiting = max_waiting
        self._max_pending_bytes = max_pending_bytes
        self._delay_s = delay_s
        self._metrics = metrics
        metrics.queue_limit.labels(name).set(max_waiting)
        self._admitted = 0
        self._pending_bytes = 0
        self.computing = 0
        """How many of the admitted requests are being computed; whoever computes them counts."""

    @contextmanager
    def admit(self, task_name: str) -> Iterator[Place]:
        """Hold a place for a request.

        Raises:
            QueueFullError: too many wait already; `retry_after_s` is when that should be over.
        """
        if self._admitted - self.computing >= self._max_waiting:
            raise self._full(task_name)
        self._admitted += 1
        place = Place(self, task_name)
        try:
            yield place
        finally:
            self._admitted -= 1
            self._pending_bytes -= place.held_bytes

    def hold(self, place: Place, size_bytes: int) -> None:
        """Hold memory for a place; see `Place.hold`."""
        if place.held_bytes and place.held_bytes + size_bytes > self._max_pending_bytes:
            raise errors.ImageTooLargeError(
                f"the images of the request decode to more than {self._max_pending_bytes} bytes"
            )
        others = self._pending_bytes - place.held_bytes
        if others and self._pending_bytes + size_bytes > self._max_pending_bytes:
            raise self._full(place.task_name)
        place.held_bytes += size_bytes
        self._pending_bytes += size_bytes

    def _full(self, task_name: str) -> errors.QueueFullError:
        waiting = self._admitted - self.computing
        self._metrics.rejected.labels(self._name, task_name, errors.Reason.QUEUE_FULL).inc()
        delay_s = min(max(0.05, self._delay_s(waiting)), 60.0)
        return errors.QueueFullError(
            f"{waiting} requests wait already; try again in {delay_s:.1f} s", retry_after_s=delay_s
        )
