"""What a plan is made of: the steps that a client carries out, and the rules for repeating them."""

from __future__ import annotations

import math
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from hooke import errors, types, wire
from hooke._channel import MAX_ATTEMPTS, Deadline
from hooke.errors import TABLE, HookeError, Retry

R = TypeVar("R")
T = TypeVar("T")

PROBE_S = 1.0
"""Deadline of a call that only asks whether there is a server."""
CONNECT_S = 10.0
"""Seconds that a client waits for its first connection."""
AWAY_S = 300.0
"""Seconds that a server which was heard before may be away while an evaluation is followed."""
PING = health_pb2.HealthCheckRequest()
"""Request of a call that only asks whether there is a server; any answer says yes."""
CLOSED = "this client was closed; open another one"
"""What a call says where there is no connection to carry it out on any more."""


@dataclass(frozen=True, slots=True)
class Call:
    """Call a method.

    The answer is a message; for a method that streams answers, a list of them.

    Attributes:
        method: a key of `METHODS`.
        request: a message, or an iterator of them for a method that takes a stream.
        model: which model it is for, where it is for one.
        probe: fail at once if there is no connection, and within a second in any case.
    """

    method: str
    request: Message | Iterator[Message]
    model: str = ""
    probe: bool = False


@dataclass(frozen=True, slots=True)
class Open:
    """Call a method that streams answers, and wait for the first one.

    The answer is an `Opened`. An error comes from the step while there is no answer yet, later from the
    stream.
    """

    call: Call


@dataclass(frozen=True, slots=True)
class Opened:
    """A stream of answers: the first one (None: there was none), and the generator of the others."""

    first: Any
    rest: Any


@dataclass(frozen=True, slots=True)
class Work:
    """Run a function that takes time: it reads a file, hashes, or decodes."""

    function: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait."""

    seconds: float


Step = Call | Open | Work | Pause
Plan = Generator[Step, Any, R]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a list, with the token of the next one; None: this is the last."""

    items: tuple[T, ...]
    next_token: str | None


class NeverReached(errors.UnavailableError):
    """Nobody listens at the address, nor has since the client was made: it was waited for in vain."""


class Patience:
    """Decides whether another attempt can help, and after how long; finite in attempts."""

    def __init__(self, max_failures: int = MAX_ATTEMPTS) -> None:
        self._max_failures = max_failures
        self._failures = 0

    def seconds_after(self, error: HookeError) -> float:
        """Return how long to wait after an error. Raises the error where another attempt is no use."""
        self._failures += 1
        if error.reason is None:
            repeatable = isinstance(error, errors.UnavailableError) and not isinstance(error, NeverReached)
        else:
            repeatable = TABLE[error.reason].retry is Retry.AFTER_DELAY
        if not repeatable or self._failures >= self._max_failures:
            raise error
        if error.retry_after_s is not None:
            return error.retry_after_s
        most = min(0.2 * 2**self._failures, 5.0)
        return random.uniform(most / 2, most)  # noqa: S311  (spreads the attempts of many clients)


class Following:
    """When to open the stream of an evaluation, how often again, and when to stop.

    Every stream has a deadline; one that only ran out, or that broke off, is opened again: its first message
    is the present state, so nothing is lost. Once a stream was heard, a server that is away is given
    `AWAY_S` to come back.

    Args:
        timeout_s: seconds for all of it; None: until the evaluation ends.
        stream_timeout_s: deadline of one stream.
        lost: is told each time the server goes away, once, by what error that showed.
        clock: tells the seconds.
    """

    def __init__(
        self,
        timeout_s: float | None,
        stream_timeout_s: float,
        lost: Callable[[HookeError], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._deadline = None if timeout_s is None else Deadline(timeout_s, clock)
        self._stream_timeout_s = stream_timeout_s
        self._lost = lost
        self._clock = clock
        self._patience = Patience()
        self._heard = False
        self._heard_ever = False
        self._away: Deadline | None = None

    def next_deadline(self) -> Deadline:
        """Deadline of the stream that is opened now."""
        self._heard = False
        return Deadline(min(self._stream_timeout_s, self._left_s()), self._clock)

    def heard(self, response: Any) -> types.Evaluation:
        """Return the evaluation in a message of the stream."""
        self._heard = self._heard_ever = True
        self._away = None
        self._patience = Patience(max_failures=20 * MAX_ATTEMPTS)
        return wire.evaluation_from_proto(response.evaluation)

    def seconds_after(self, error: HookeError) -> float:
        """Return how long to wait before the next stream. Raises the error where there is to be none."""
        if self._deadline is not None and self._deadline.passed():
            raise error
        if isinstance(error, errors.DeadlineExceededError):
            if not self._heard_ever:
                raise error
            if self._heard:
                return 0.0
            error = errors.UnavailableError(error.message)
        seconds = self._patience.seconds_after(error)
        if self._heard_ever:
            self._miss(error)
        return min(seconds, self._left_s())

    def seconds_after_end(self) -> float:
        """Return how long to wait after a stream that ended before the evaluation did."""
        early = errors.UnavailableError("the server ended the stream before the evaluation had ended")
        return self.seconds_after(early)

    def _miss(self, error: HookeError) -> None:
        """Begin to wait for a server that is away. Raises the error where that has lasted too long."""
        if self._away is None:
            self._away = Deadline(AWAY_S, self._clock)
            if self._lost is not None:
                self._lost(error)
        elif self._away.passed():
            raise error

    def _left_s(self) -> float:
        return min(
            (each.left_s() for each in (self._deadline, self._away) if each is not None), default=math.inf
        )


class KnownImages:
    """Which images a server was seen to hold, for each model: the last few thousand. Safe for threads."""

    def __init__(self, capacity: int = 4096) -> None:
        self._capacity = capacity
        self._keys: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._keys)

    def has(self, model: str, sha256: str) -> bool:
        """True if the image was put for this model, or found there."""
        with self._lock:
            known = (model, sha256) in self._keys
            if known:
                self._keys.move_to_end((model, sha256))
            return known

    def add(self, model: str, sha256: str) -> None:
        """Remember an image."""
        with self._lock:
            self._keys[model, sha256] = None
            self._keys.move_to_end((model, sha256))
            while len(self._keys) > self._capacity:
                self._keys.popitem(last=False)

    def forget(self, model: str, sha256: str) -> None:
        """Forget an image, which the server did."""
        with self._lock:
            self._keys.pop((model, sha256), None)
