"""What went wrong at the provider, as one decision: the error of ours that it is.

By status: 400, 404, 422 INVALID_REQUEST; 413 IMAGE_TOO_LARGE; 401, 403 CREDENTIALS_REJECTED; 402
UPSTREAM_QUOTA_EXHAUSTED; 408, 504 DEADLINE_EXCEEDED; 429 UPSTREAM_RATE_LIMITED; any other UPSTREAM_FAILED. A
code in the body that says more goes before (see `BY_CODE`).

What the provider wrote is passed on only where it speaks of the request; beside that it may name parts of
keys, and organisations.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import httpx2
import openai

from hooke import errors
from services.openai.requests import SENT_NAMES

BY_CODE: Mapping[str, type[errors.HookeError]] = {
    "insufficient_quota": errors.UpstreamQuotaExhaustedError,
    "billing_hard_limit_reached": errors.UpstreamQuotaExhaustedError,
    "billing_not_active": errors.UpstreamQuotaExhaustedError,
    "rate_limit_exceeded": errors.UpstreamRateLimitedError,
    "invalid_api_key": errors.CredentialsRejectedError,
    "content_filter": errors.UpstreamRefusedError,
    "content_policy_violation": errors.UpstreamRefusedError,
    "image_content_policy_violation": errors.UpstreamRefusedError,
    "misalignment_policy_violation": errors.UpstreamRefusedError,
    "bio_policy": errors.UpstreamRefusedError,
    "invalid_prompt": errors.UpstreamRefusedError,
    "context_length_exceeded": errors.InvalidRequestError,
    "invalid_image": errors.InvalidRequestError,
    "invalid_image_format": errors.InvalidRequestError,
    "invalid_base64_image": errors.InvalidRequestError,
    "image_parse_error": errors.InvalidRequestError,
    "image_too_small": errors.InvalidRequestError,
    "image_too_large": errors.ImageTooLargeError,
    "image_file_too_large": errors.ImageTooLargeError,
    "server_error": errors.UpstreamFailedError,
}
"""By the provider's code, which says more than the status, and is all there is within a stream."""

BY_STATUS: Mapping[int, type[errors.HookeError]] = {
    400: errors.InvalidRequestError,
    401: errors.CredentialsRejectedError,
    402: errors.UpstreamQuotaExhaustedError,
    403: errors.CredentialsRejectedError,
    404: errors.InvalidRequestError,
    408: errors.DeadlineExceededError,
    413: errors.ImageTooLargeError,
    422: errors.InvalidRequestError,
    429: errors.UpstreamRateLimitedError,
    504: errors.DeadlineExceededError,
}

_TEXTS: Mapping[type[errors.HookeError], str] = {
    errors.CredentialsRejectedError: "the provider does not accept the key of this service",
    errors.UpstreamQuotaExhaustedError: "the credit at the provider, or its quota for the day, is used up",
    errors.UpstreamRateLimitedError: "the provider takes no more for now",
    errors.UpstreamRefusedError: "the provider refuses to answer for reasons of content",
    errors.DeadlineExceededError: "the provider took too long to answer",
    errors.UpstreamFailedError: "the provider failed",
}
"""Our own words where the provider's are not passed on."""

_MOST_CHARACTERS = 500
"""Most of the provider's words that are passed on."""


def translate(error: openai.OpenAIError) -> errors.HookeError:
    """The error of ours that an exception of the SDK is; total, so that nothing of the SDK's gets out."""
    if isinstance(error, openai.APITimeoutError) and not isinstance(error.__cause__, httpx2.ConnectTimeout):
        return errors.DeadlineExceededError(_TEXTS[errors.DeadlineExceededError])
    if isinstance(error, openai.APIConnectionError):
        return errors.UpstreamFailedError("the provider cannot be reached, or hung up")
    if isinstance(error, openai.APIStatusError):
        return _of_status(error)
    if isinstance(error, openai.APIError) and not isinstance(error, openai.APIResponseValidationError):
        return of_code(error.code, error.message, error.param)  # within a stream
    return garbled()


def garbled() -> errors.UpstreamFailedError:
    """The error of an answer that is none, for example a web page of something in between."""
    return errors.UpstreamFailedError("what came back is not an answer of the API that was asked")


def of_code(code: str | None, message: str, param: str | None = None) -> errors.HookeError:
    """The error of a failure within an answer that began well."""
    return _made(BY_CODE.get(code or "", errors.UpstreamFailedError), message, param)


def _of_status(error: openai.APIStatusError) -> errors.HookeError:
    body = error.body if isinstance(error.body, dict) else {}
    status, message = error.status_code, str(body.get("message") or "")
    kind = BY_CODE.get(error.code or "") or BY_CODE.get(error.type or "")
    kind = kind or BY_STATUS.get(status, errors.UpstreamFailedError)
    if kind is errors.UpstreamRateLimitedError and "per day" in message:
        kind = errors.UpstreamQuotaExhaustedError
    if status == 404 and not message:  # a model that is not there is said so; here the whole API is not
        return errors.UpstreamFailedError(
            "the provider answers 404: HOOKE_OPENAI_BASE_URL or HOOKE_OPENAI_API may be wrong"
        )
    param = "model" if status == 404 else error.param
    delay_s = retry_after_s(error.response.headers) if kind in _AFTER_DELAY else None
    return _made(kind, message, param, delay_s)


_AFTER_DELAY = (errors.UpstreamRateLimitedError, errors.UpstreamFailedError)


def _made(
    kind: type[errors.HookeError], message: str, param: str | None, delay_s: float | None = None
) -> errors.HookeError:
    if kind in _TEXTS:
        return kind(_TEXTS[kind], retry_after_s=delay_s)
    words = f"the provider says: {message[:_MOST_CHARACTERS]}"
    if kind is errors.InvalidRequestError and param in SENT_NAMES:
        return errors.InvalidRequestError.of_field(f"openai.{SENT_NAMES[param]}", words)
    return kind(words)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds after which the provider says to come back; None where it does not say.

    `retry-after-ms` goes before `retry-after`, which is a number of seconds or a date (RFC 9110, 10.2.3).
    """
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "")
        try:
            seconds = float(text) * unit_s
        except ValueError:
            seconds = _until(text)
        if 0 < seconds < float("inf"):
            return seconds
    return None


def _until(date: str) -> float:
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except ValueError:
        return 0.0


def scrubbed(error: errors.HookeError, key: str | None) -> errors.HookeError:
    """The same error; without the key, should the provider have quoted it."""
    if key is None or key not in error.message:
        return error
    return type(error)(
        error.message.replace(key, "***"),
        retry_after_s=error.retry_after_s,
        violations=[
            errors.FieldViolation(violation.field, violation.description.replace(key, "***"))
            for violation in error.violations
        ],
    )
