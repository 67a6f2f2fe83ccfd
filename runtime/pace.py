"""How fast a provider is asked: as many calls at once as it takes, and none while it said to wait."""

from __future__ import annotations

import math
import time

from hooke import errors
from hooke.types import TokenUsage
from runtime.tasks import RateLimits


class Pace:
    """How many calls may be under way at once against one rate limit of a provider.

    It begins low and grows by one with every answer, until the provider first refuses for its rate; from
    then on by one with every round of answers. A refusal halves it, once for all calls that were under way
    then, as they all met the same limit. It grows only while it is what holds calls back: otherwise a quiet
    hour would let the next burst through whole. What the provider says is left bounds it until that is said
    to be over.

    Args:
        most: never more than this.
    """

    START = 4

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(min(self.START, most))
        self._refused_before = False
        self._round = 0
        self._left = math.inf
        self._left_until = 0.0
        self._tokens_per_call = 0.0
        self.under_way = 0
        """Calls that have begun and not ended."""

    @property
    def limit(self) -> int:
        """Most calls under way now; at least 1."""
        limit = min(self._limit, self._left) if time.monotonic() < self._left_until else self._limit
        return max(1, int(limit))

    def begin(self) -> int:
        """Count a call in; returns the round that it belongs to, for `refused`."""
        self.under_way += 1
        return self._round

    def end(self) -> None:
        """Count a call out, however it ended."""
        self.under_way -= 1

    def answered(self, limits: RateLimits | None, usage: TokenUsage | None) -> None:
        """Learn from an answer, before its call is counted out."""
        if self.under_way >= self.limit:
            step = 1 / self._limit if self._refused_before else 1.0
            self._limit = min(self._most, self._limit + step)
        if usage is not None:
            tokens = usage.input_token_count + usage.output_token_count
            known = self._tokens_per_call or tokens
            self._tokens_per_call = known + 0.2 * (tokens - known)
        if limits is not None and limits.reset_s is not None:
            requests = math.inf if limits.remaining_requests is None else limits.remaining_requests
            self._left = min(requests, self._calls_for(limits.remaining_tokens))
            self._left_until = time.monotonic() + limits.reset_s

    def refused(self, begun_in: int) -> None:
        """Learn from a refusal of a call that began in this round."""
        if begun_in == self._round:
            self._round += 1
            self._refused_before = True
            self._limit = max(1.0, self._limit / 2)

    def _calls_for(self, tokens: int | None) -> float:
        return math.inf if tokens is None or self._tokens_per_call < 1 else tokens / self._tokens_per_call


class Gate:
    """Refuses calls while the provider would."""

    QUOTA_S = 10.0
    """Seconds for which nothing is asked after the quota turned out to be used up. Short: nobody knows when
    somebody pays, and the first call after that should be answered."""
    MOST_S = 3600.0
    """Seconds after which a call is tried all the same: a number that is none of seconds must not close the
    gate until the service is started anew."""

    def __init__(self) -> None:
        self._error: errors.ResourceExhaustedError | None = None
        self._until = 0.0

    def close(self, error: errors.ResourceExhaustedError) -> bool:
        """Refuse with this error for as long as it says, an hour at most; false if it does not say."""
        used_up = isinstance(error, errors.UpstreamQuotaExhaustedError)
        seconds = self.QUOTA_S if used_up else error.retry_after_s
        if not seconds:
            return False
        seconds = min(seconds, self.MOST_S)
        until = time.monotonic() + seconds
        if until > self._until:
            self._error, self._until = _again(error, seconds), until
        return True

    def refusal(self) -> errors.ResourceExhaustedError | None:
        """The error to refuse with, with what is left of its delay; None where the gate is open."""
        left_s = self._until - time.monotonic()
        if self._error is None or left_s <= 0:
            return None
        return _again(self._error, left_s)


def _again(error: errors.ResourceExhaustedError, left_s: float) -> errors.ResourceExhaustedError:
    """The error anew: kept as it was raised, its traceback would keep the images of its call."""
    delay_s = None if error.retry_after_s is None else left_s
    return type(error)(error.message, metadata=error.metadata, retry_after_s=delay_s)
