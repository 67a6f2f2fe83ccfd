"""What a plan is made of: the steps that a client carries out, and the rules for repeating them."""

from __future__ import annotations

import math
import random
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
    is the present state, so nothing is lost. Once a stream was heard, a server that is away is given some
    minutes to come back.

    Args:
        timeout_s: seconds for all of it; None: until the evaluation ends.
        stream_timeout_s: deadline of one stream.
    """

    def __init__(self, timeout_s: float | None, stream_timeout_s: float) -> None:
        self._deadline = None if timeout_s is None else Deadline(timeout_s)
        self._stream_timeout_s = stream_timeout_s
        self._patience = Patience()
        self._heard = False
        self._heard_ever = False

    def next_deadline(self) -> Deadline:
        """Deadline of the stream that is opened now."""
        self._heard = False
        return Deadline(min(self._stream_timeout_s, self._left_s()))

    def heard(self, response: Any) -> types.Evaluation:
        """Return the evaluation in a message of the stream."""
        self._heard = self._heard_ever = True
        self._patience = Patience(max_failures=4 * MAX_ATTEMPTS)
        return wire.evaluation_from_proto(response.evaluation)

    def seconds_after(self, error: HookeError) -> float:
        """Return how long to wait before the next stream. Raises the error where there is to be none."""
        if self._deadline is not None and self._deadline.passed():
            raise error
        if not isinstance(error, errors.DeadlineExceededError):
            return min(self._patience.seconds_after(error), self._left_s())
        if not self._heard_ever:
            raise error
        return 0.0 if self._heard else self._patience.seconds_after(errors.UnavailableError(error.message))

    def seconds_after_end(self) -> float:
        """Return how long to wait after a stream that ended before the evaluation did."""
        early = errors.UnavailableError("the server ended the stream before the evaluation had ended")
        return self.seconds_after(early)

    def _left_s(self) -> float:
        return math.inf if self._deadline is None else self._deadline.left_s()


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
