"""What the provider's headers say, and what its errors come to; whole answers are tested over HTTP."""

from __future__ import annotations

import datetime as dt
from email.utils import format_datetime

import pytest

from hooke import errors
from runtime.tasks import RateLimits
from services.openai.errors import BY_CODE, BY_STATUS, of_code, retry_after_s, scrubbed
from services.openai.replies import read_limits


# What is left is read from the headers; spans are of days to milliseconds; what makes no sense is left out.
@pytest.mark.parametrize(
    ("headers", "limits"),
    [
        ({}, None),
        ({"x-ratelimit-limit-requests": "10"}, None),
        ({"x-ratelimit-remaining-requests": "9"}, RateLimits(9, None, None)),
        (
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-remaining-tokens": "149984",
                "x-ratelimit-reset-requests": "6m0s",
                "x-ratelimit-reset-tokens": "20ms",
            },
            RateLimits(0, 149984, 360.0),
        ),
        (
            {"x-ratelimit-remaining-tokens": "1", "x-ratelimit-reset-tokens": "1d2h3m4.5s"},
            RateLimits(None, 1, 93784.5),
        ),
        ({"x-ratelimit-remaining-tokens": "-1", "x-ratelimit-reset-tokens": "0"}, None),
        (
            {"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "1.2.3s"},
            RateLimits(1, None, None),
        ),
    ],
)
def test_limits(headers: dict[str, str], limits: RateLimits | None) -> None:
    assert read_limits(headers) == limits


# The delay is in seconds, milliseconds or a date; also above a minute; what makes no sense is none.
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": "1800"}, 1800.0),
        ({"retry-after": "20", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_delays(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


# A date is when to come back; one that has passed says nothing.
def test_dates() -> None:
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=90)
    assert retry_after_s({"retry-after": format_datetime(soon, usegmt=True)}) == pytest.approx(90, abs=2)
    assert retry_after_s({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) is None


# Every code that is known comes to its error; one that is not is a failure of the provider.
@pytest.mark.parametrize("code", [*BY_CODE, "something_new", None])
def test_codes(code: str | None) -> None:
    error = of_code(code, "The words of the provider.")
    assert type(error) is BY_CODE.get(code or "", errors.UpstreamFailedError)
    speaks_of_the_request = isinstance(error, errors.InvalidRequestError)
    assert ("The words of the provider." in error.message) is speaks_of_the_request


# Every error of the tables has a place in the table of all errors.
def test_every_error_has_a_reason() -> None:
    assert all(kind.reason in errors.TABLE for kind in (*BY_CODE.values(), *BY_STATUS.values()))


# A key that the provider quotes is taken out wherever it stands.
def test_scrubbing() -> None:
    error = errors.InvalidRequestError.of_field("openai.provider_model", "no sk-key may use it")
    clean = scrubbed(error, "sk-key")
    assert clean.message == "openai.provider_model: no *** may use it"
    assert clean.violations[0].description == "no *** may use it"
    assert scrubbed(error, None) is error
