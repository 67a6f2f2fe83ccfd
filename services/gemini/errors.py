"""What Gemini's refusals and failures mean in Hooke's terms.

| the provider answers | it means |
|---|---|
| 429 with a quota per day, or credits or a spending cap used up | UpstreamQuotaExhaustedError |
| 429 otherwise | UpstreamRateLimitedError, with the delay of RetryInfo or Retry-After |
| 402, 400 FAILED_PRECONDITION, 403 BILLING_DISABLED: the project must pay | UpstreamQuotaExhaustedError |
| 401, 403, 400 with a reason API_KEY_... | CredentialsRejectedError |
| 404 | InvalidRequestError of `provider_model` |
| 413 | ImageTooLargeError |
| 408, 504, or silence | DeadlineExceededError |
| 409, 499, 3xx, other 5xx | UpstreamFailedError |
| other 4xx | InvalidRequestError |
| what is not in its format (a proxy's page, garbage), or a broken connection | UpstreamFailedError |

The provider repeats the key in some of its messages, so what it writes about keys is never passed on, and the
key is cut out of everything else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
from google.genai.errors import APIError
from pydantic import SecretStr

from hooke import errors
from runtime.settings import PREFIX
from services.gemini.requests import MODEL_FIELD
from services.gemini.settings import KEY_NAME

_TYPE = "type.googleapis.com/google.rpc."
_USED_UP = ("credits are depleted", "spending cap", "spend cap")
"""What 429 says where money is the limit; it has no quota's name then."""
_TOO_LATE = (408, 504)
_OF_THE_WAY = (409, 499)
"""Client errors that say nothing about the request: it met another, or was cut off."""
_LONGEST_MESSAGE = 500


def translate(error: APIError | httpx2.HTTPError, provider_model: str, key: SecretStr) -> errors.HookeError:
    """The error of ours that a refusal of the provider, or a fault of the network, is.

    Args:
        error: what the SDK raised.
        provider_model: the model that was asked.
        key: cut out of all that is passed on.
    """
    if isinstance(error, APIError):
        return _of_reply(_ErrorReply(error, key), provider_model)
    # Before its base, the errors of transport; where there was no connection yet, nobody was silent.
    if isinstance(error, httpx2.TimeoutException) and not isinstance(error, httpx2.ConnectTimeout):
        return errors.DeadlineExceededError("the provider was silent for too long")
    return errors.UpstreamFailedError(f"the provider cannot be reached, or hung up ({type(error).__name__})")


def garbled() -> errors.UpstreamFailedError:
    """The error of an answer that is none, for example a web page of something in between."""
    return errors.UpstreamFailedError("what came back is not an answer of the Gemini API")


class _ErrorReply:
    """A reply with an error status, taken apart."""

    def __init__(self, error: APIError, key: SecretStr) -> None:
        body = error.details.get("error") if isinstance(error.details, Mapping) else None
        self._body: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
        self._headers = getattr(error.response, "headers", None) or {}
        self._key = key.get_secret_value()
        self.code = int(error.code)
        self.genuine = isinstance(self._body.get("code"), int)
        """False for what somebody on the way wrote, such as a proxy's page."""
        self.status = str(self._body.get("status", ""))

    def _details(self, name: str) -> Iterator[Mapping[str, Any]]:
        for detail in _mappings(self._body.get("details")):
            if detail.get("@type") == _TYPE + name:
                yield detail

    def clean(self, text: str) -> str:
        """A text of the provider without the key, cut where it is long."""
        return text.replace(self._key, "...")[:_LONGEST_MESSAGE]

    @property
    def message(self) -> str:
        """What the provider says to people."""
        return self.clean(str(self._body.get("message", "")))

    @property
    def reasons(self) -> tuple[str, ...]:
        """What the provider says to programs, for example "API_KEY_INVALID"."""
        return tuple(self.clean(str(detail.get("reason", ""))) for detail in self._details("ErrorInfo"))

    @property
    def quotas(self) -> tuple[str, ...]:
        """Names of the quotas that are used up, which say whether they are per minute or per day."""
        return tuple(
            self.clean(str(violation.get("quotaId", "")))
            for detail in self._details("QuotaFailure")
            for violation in _mappings(detail.get("violations"))
        )

    @property
    def retry_after_s(self) -> float | None:
        """Seconds after which the provider wants to be asked again."""
        texts = [str(detail.get("retryDelay", "")) for detail in self._details("RetryInfo")]
        for text in (*texts, str(self._headers.get("retry-after", ""))):
            if match := re.fullmatch(r"(\d+(?:\.\d+)?)s?", text.strip()):
                return float(match[1])
        return None


def _mappings(values: object) -> list[Mapping[str, Any]]:
    """Those of a list's values that are mappings; none if it is no list."""
    return [value for value in values if isinstance(value, Mapping)] if isinstance(values, list) else []


def _of_reply(reply: _ErrorReply, provider_model: str) -> errors.HookeError:
    where = f"HTTP {reply.code}" + "".join(f", {reason}" for reason in reply.reasons)
    if reply.code == 429:
        return _of_limit(reply)
    if not reply.genuine:
        return errors.UpstreamFailedError(
            f"{where} did not come from Gemini but from something before it, such as a proxy"
        )
    if (refusal := _of_account(reply, where)) is not None:
        return refusal
    if reply.code == 404:
        return errors.InvalidRequestError.of_field(
            MODEL_FIELD, f"Gemini has no {provider_model!r} for this service: {reply.message}"
        )
    if 400 <= reply.code < 500 and reply.code not in (*_TOO_LATE, *_OF_THE_WAY):
        refused = errors.ImageTooLargeError if reply.code == 413 else errors.InvalidRequestError
        return refused(f"Gemini does not take the request ({where}): {reply.message}")
    failure = errors.DeadlineExceededError if reply.code in _TOO_LATE else errors.UpstreamFailedError
    return failure(f"Gemini failed ({where})", retry_after_s=reply.retry_after_s)


def _of_account(reply: _ErrorReply, where: str) -> errors.HookeError | None:
    """The error of a service that is not served: it must pay, or its key is not accepted; None of others."""
    must_pay = reply.code == 400 and reply.status == "FAILED_PRECONDITION"
    if reply.code == 402 or must_pay or "BILLING_DISABLED" in reply.reasons:
        return errors.UpstreamQuotaExhaustedError(
            f"Google serves this service's project only with a paid plan ({where}): {reply.message}"
        )
    if reply.code in (401, 403) or any(reason.startswith("API_KEY_") for reason in reply.reasons):
        return errors.CredentialsRejectedError(
            f"Google does not accept this service's key ({where}); the operator must set it anew: "
            f"{PREFIX}{KEY_NAME}"
        )
    return None


def _of_limit(reply: _ErrorReply) -> errors.HookeError:
    names = f" ({', '.join(dict.fromkeys(reply.quotas))})" if reply.quotas else ""
    if any("PerDay" in quota for quota in reply.quotas):
        return errors.UpstreamQuotaExhaustedError(f"Gemini's quota for the day is used up{names}")
    # Every 429 says "check your plan and billing details", so the word billing means nothing.
    if any(words in reply.message.lower() for words in _USED_UP):
        return errors.UpstreamQuotaExhaustedError(f"the credit at Google is used up: {reply.message}")
    return errors.UpstreamRateLimitedError(
        f"Gemini takes no more requests for now{names}", retry_after_s=reply.retry_after_s
    )
