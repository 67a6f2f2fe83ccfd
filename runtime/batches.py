"""One task among several that are computed together: it may be abandoned, and it may fail, alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from hooke.errors import DeadlineExceededError, HookeError

P = ParamSpec("P")
T = TypeVar("T")


class Abandonment:
    """Whether nobody waits for the answer to a task any more. Safe from any thread.

    It does not cross into another process: what arrives there with a task never says so.
    """

    def __init__(self) -> None:
        self._set = False

    def set(self) -> None:
        """Say that nobody waits any more."""
        self._set = True

    def is_set(self) -> bool:
        """True once nobody waits any more."""
        return self._set

    def check(self) -> None:
        """Stop here if nobody waits any more.

        Raises:
            DeadlineExceededError: nobody does. Nobody will see this error either.
        """
        if self._set:
            raise DeadlineExceededError("nobody waits for the answer any more")

    def __reduce__(self) -> tuple[type[Abandonment], tuple[()]]:
        """Pickle as one that is not set: nobody could set the copy."""
        return Abandonment, ()


def attempt(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | HookeError:
    """Do a part of the work on one task of several.

    Returns:
        What `work` returns, or the HookeError that it raises: then this is the answer to the task, and the
        others are not touched. All other exceptions go on.
    """
    try:
        return work(*args, **kwargs)
    except HookeError as error:
        return error
