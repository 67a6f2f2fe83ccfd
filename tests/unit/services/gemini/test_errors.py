"""What Gemini's refusals and failures mean: every row of the table."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from google.genai.errors import APIError
from pydantic import SecretStr

from hooke import errors
from services.gemini.errors import translate
from tests.fakes import gemini
from tests.fakes.gemini import KEY
from tests.fakes.http import Reply

DAY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
MINUTE = "GenerateContentInputTokensPerModelPerMinute-FreeTier"
MODEL = "gemini-3.8-flash"
HTML = "<html>Proxy says no</html>"


def error_of(reply: Reply) -> APIError:
    """What the SDK makes of a reply."""
    details = reply.body if isinstance(reply.body, dict) else {"message": reply.body, "status": "Fake"}
    return APIError(reply.status, details, httpx2.Response(reply.status, headers=reply.headers))


def translated(error: APIError | httpx2.HTTPError) -> errors.HookeError:
    return translate(error, MODEL, SecretStr(KEY))


def refusal(code: int, status: str, *details: Any, message: str = "No.") -> Reply:
    return gemini.error(code, status, message, *details)


ROWS = [
    (gemini.too_many(gemini.quota_failure(MINUTE)), errors.UpstreamRateLimitedError),
    (gemini.too_many(gemini.quota_failure(MINUTE, DAY)), errors.UpstreamQuotaExhaustedError),
    (gemini.too_many(), errors.UpstreamRateLimitedError),
    (Reply(429, HTML), errors.UpstreamRateLimitedError),
    (
        refusal(429, "RESOURCE_EXHAUSTED", message="Your prepayment credits are depleted."),
        errors.UpstreamQuotaExhaustedError,
    ),
    (
        refusal(429, "RESOURCE_EXHAUSTED", message="The project exceeded its monthly spending cap."),
        errors.UpstreamQuotaExhaustedError,
    ),
    (refusal(402, "FAILED_PRECONDITION"), errors.UpstreamQuotaExhaustedError),
    (refusal(400, "FAILED_PRECONDITION", message="Enable billing."), errors.UpstreamQuotaExhaustedError),
    (
        refusal(403, "PERMISSION_DENIED", gemini.error_info("BILLING_DISABLED")),
        errors.UpstreamQuotaExhaustedError,
    ),
    (gemini.api_key_invalid(), errors.CredentialsRejectedError),
    (refusal(401, "UNAUTHENTICATED"), errors.CredentialsRejectedError),
    (refusal(403, "PERMISSION_DENIED"), errors.CredentialsRejectedError),
    (
        refusal(403, "PERMISSION_DENIED", gemini.error_info("CONSUMER_SUSPENDED")),
        errors.CredentialsRejectedError,
    ),
    (refusal(404, "NOT_FOUND"), errors.InvalidRequestError),
    (refusal(400, "INVALID_ARGUMENT"), errors.InvalidRequestError),
    (refusal(413, "INVALID_ARGUMENT"), errors.ImageTooLargeError),
    (refusal(408, "DEADLINE_EXCEEDED"), errors.DeadlineExceededError),
    (refusal(499, "CANCELLED"), errors.UpstreamFailedError),
    (refusal(500, "INTERNAL"), errors.UpstreamFailedError),
    (refusal(503, "UNAVAILABLE"), errors.UpstreamFailedError),
    (refusal(504, "DEADLINE_EXCEEDED"), errors.DeadlineExceededError),
    *((Reply(code, HTML), errors.UpstreamFailedError) for code in (302, 400, 401, 403, 404, 407, 502, 503)),
]


# Every answer that is no answer has one meaning.
@pytest.mark.parametrize(("reply", "kind"), ROWS)
def test_rows(reply: Reply, kind: type[errors.HookeError]) -> None:
    assert type(translated(error_of(reply))) is kind


# The provider's delay is passed on, also above a minute, from RetryInfo before the header.
@pytest.mark.parametrize(
    ("details", "header", "delay_s"),
    [
        ([gemini.retry_info("26s")], None, 26.0),
        ([gemini.retry_info("90.5s")], "7", 90.5),
        ([], "120", 120.0),
        ([gemini.retry_info("soon")], None, None),
        ([], None, None),
    ],
)
def test_delay(details: list[Any], header: str | None, delay_s: float | None) -> None:
    headers = {} if header is None else {"Retry-After": header}
    error = translated(error_of(gemini.too_many(gemini.quota_failure(MINUTE), *details, headers=headers)))
    assert error.retry_after_s == delay_s
    assert MINUTE in error.message


# A model that the provider does not have is a fault of one field of the request.
def test_unknown_model() -> None:
    error = translated(error_of(refusal(404, "NOT_FOUND")))
    assert [violation.field for violation in error.violations] == ["gemini.provider_model"]
    assert MODEL in error.message


# Whatever the provider repeats of the key, none of it is passed on.
@pytest.mark.parametrize("code", [400, 401, 402, 403, 404, 429, 500])
def test_key(code: int) -> None:
    message = f"Consumer 'api_key:{KEY}' has exceeded its spending cap."
    details = [gemini.error_info(f"API_{KEY}"), gemini.quota_failure(f"PerDay{KEY}")]
    error = translated(error_of(refusal(code, "INVALID_ARGUMENT", *details, message=message)))
    assert KEY not in f"{error.message} {dict(error.metadata)} {error.violations}"


# A long message is cut.
def test_long_message() -> None:
    error = translated(error_of(refusal(400, "INVALID_ARGUMENT", message="x" * 10_000)))
    assert len(error.message) < 1000


# Errors in a shape of their own do not confuse.
@pytest.mark.parametrize(
    "body",
    [
        [],
        {"error": "no"},
        {"error": {"code": "500"}},
        {"error": {"code": 500, "details": "none"}},
        {"error": {"code": 500, "details": ["none", {"@type": 3}]}},
        {"error": {"code": 500, "details": [gemini.error_info("A") | {"reason": 5}]}},
    ],
)
def test_strange_body(body: Any) -> None:
    error = APIError(500, body, httpx2.Response(500))
    assert type(translated(error)) is errors.UpstreamFailedError


# A quota in a shape of its own is a limit like any other.
@pytest.mark.parametrize("violations", [None, 5, ["PerDay"], [{"quotaId": 5}]])
def test_strange_quota(violations: Any) -> None:
    failure = gemini.quota_failure() | {"violations": violations}
    assert type(translated(error_of(gemini.too_many(failure)))) is errors.UpstreamRateLimitedError


# What happens on the way is a failure of the provider's, and says no more than its kind.
@pytest.mark.parametrize(
    "error",
    [
        httpx2.ConnectTimeout(KEY),
        httpx2.ConnectError(KEY),
        httpx2.RemoteProtocolError(KEY),
        httpx2.ReadError(KEY),
        httpx2.DecodingError(KEY),
    ],
)
def test_network(error: httpx2.HTTPError) -> None:
    hooke_error = translated(error)
    assert type(hooke_error) is errors.UpstreamFailedError
    assert KEY not in hooke_error.message


# A provider that was reached and then said nothing is too late.
def test_silence() -> None:
    hooke_error = translated(httpx2.ReadTimeout(KEY))
    assert type(hooke_error) is errors.DeadlineExceededError
    assert KEY not in hooke_error.message
