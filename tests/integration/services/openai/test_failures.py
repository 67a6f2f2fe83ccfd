"""Everything that can go wrong at the provider, as the caller of the proxy meets it."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hooke import errors
from hooke.parameters import Decoding, OpenaiParameters
from hooke.types import ModelState
from tests.fakes.http import Reply
from tests.fakes.openai import (
    KEY,
    TEXT,
    FakeOpenai,
    chat_stream,
    completion,
    error,
    failed,
    filtered,
    out_of_credit,
    response,
    response_stream,
    too_fast,
    wrong_key,
)
from tests.integration.services.openai.proxy import asking

Pixels = NDArray[np.uint16]

HTML = "<html><body>Bad gateway</body></html>"

ROWS: dict[str, tuple[Reply, type[errors.HookeError]]] = {
    "wrong key": (wrong_key(), errors.CredentialsRejectedError),
    "key without access": (error(403, "Country not supported"), errors.CredentialsRejectedError),
    "unknown model": (
        error(404, "The model `gpt-9` does not exist", "model_not_found"),
        errors.InvalidRequestError,
    ),
    "bad request": (error(400, "Unsupported value"), errors.InvalidRequestError),
    "unprocessable": (error(422, "Unprocessable"), errors.InvalidRequestError),
    "too long": (error(400, "Maximum context", "context_length_exceeded"), errors.InvalidRequestError),
    "bad image": (error(400, "Not an image", "image_parse_error"), errors.InvalidRequestError),
    "too much": (error(413, "Request too large"), errors.ImageTooLargeError),
    "too much for what is between": (Reply(413, HTML), errors.ImageTooLargeError),
    "content policy": (error(400, "Policy", "content_policy_violation"), errors.UpstreamRefusedError),
    "no credit": (out_of_credit(), errors.UpstreamQuotaExhaustedError),
    "payment required": (error(402, "Insufficient credits"), errors.UpstreamQuotaExhaustedError),
    "quota for the day": (
        too_fast("day", {"retry-after": "3600"}),
        errors.UpstreamQuotaExhaustedError,
    ),
    "too fast": (too_fast(), errors.UpstreamRateLimitedError),
    "too fast for what is between": (Reply(429, HTML), errors.UpstreamRateLimitedError),
    "timeout there": (error(408, "Request timeout"), errors.DeadlineExceededError),
    "gateway timeout": (Reply(504, HTML), errors.DeadlineExceededError),
    "conflict": (error(409, "Conflict"), errors.UpstreamFailedError),
    "redirect": (
        Reply(307, b"", {"location": "http://127.0.0.1:9/v1/responses"}),
        errors.UpstreamFailedError,
    ),
    "server error": (error(500, "The server had an error"), errors.UpstreamFailedError),
    "bad gateway": (Reply(502, HTML), errors.UpstreamFailedError),
    "overloaded": (error(503, "Overloaded"), errors.UpstreamFailedError),
    "web page": (Reply(200, HTML), errors.UpstreamFailedError),
    "nothing": (Reply(200, b""), errors.UpstreamFailedError),
    "broken JSON": (Reply(200, b'{"id": "resp_1", "out'), errors.UpstreamFailedError),
    "no text at all": (Reply(200, b"\xff\xfe\x00{"), errors.UpstreamFailedError),
    "other JSON": (Reply(200, {"hello": "world"}), errors.UpstreamFailedError),
    "a list": (Reply(200, [1, 2]), errors.UpstreamFailedError),
    "wrong types": (
        Reply(200, {"output": 5, "choices": 5, "error": None, "status": "completed"}),
        errors.UpstreamFailedError,
    ),
    "no choice": (
        Reply(200, {"output": [None], "choices": [], "error": None, "status": "completed"}),
        errors.UpstreamFailedError,
    ),
    "hung up at once": (Reply(cut=True), errors.UpstreamFailedError),
    "hung up half-way": (Reply(200, b'{"id": ', cut=True), errors.UpstreamFailedError),
}


# Every failure is one typed error, whichever API is spoken; the provider is asked once, whatever happened.
@pytest.mark.parametrize("row", ROWS)
async def test_failures(fake: FakeOpenai, api: str, image: Pixels, row: str) -> None:
    reply, expected = ROWS[row]
    async with asking(fake, openai_api=api) as client:
        fake.script.append(reply)
        with pytest.raises(errors.HookeError) as caught:
            await client.ask(image, "What is this?")
    assert type(caught.value) is expected
    assert len(fake.asked) == 1
    assert KEY not in str(caught.value)
    assert "org-secret" not in str(caught.value)


# Read along, failures before the first piece are the same.
@pytest.mark.parametrize("row", [row for row in ROWS if ROWS[row][0].status != 200])
async def test_failures_of_streams(fake: FakeOpenai, api: str, image: Pixels, row: str) -> None:
    reply, expected = ROWS[row]
    async with asking(fake, openai_api=api) as client:
        fake.script.append(reply)
        with pytest.raises(errors.HookeError) as caught:
            _ = [piece async for piece in client.stream_ask(image, "What is this?")]
    assert type(caught.value) is expected


RESPONSES: dict[str, tuple[Reply, type[errors.HookeError]]] = {
    "refusal": (Reply(body=response(refusal="I cannot help")), errors.UpstreamRefusedError),
    "filter": (Reply(body=filtered()), errors.UpstreamRefusedError),
    "failed": (Reply(body=failed("server_error", "Oops")), errors.UpstreamFailedError),
    "failed for its rate": (
        Reply(body=failed("rate_limit_exceeded", "Slow down")),
        errors.UpstreamRateLimitedError,
    ),
    "failed for its image": (Reply(body=failed("invalid_image", "None")), errors.InvalidRequestError),
    "still in progress": (Reply(body=response(status="in_progress")), errors.UpstreamFailedError),
}
COMPLETIONS: dict[str, tuple[Reply, type[errors.HookeError]]] = {
    "refusal": (Reply(body=completion(None, refusal="I cannot help")), errors.UpstreamRefusedError),
    "filter": (
        Reply(body=completion("", finish_reason="content_filter")),
        errors.UpstreamRefusedError,
    ),
}


# An answer that says inside that it is none is an error too: refusals, filters, failures.
@pytest.mark.parametrize(
    ("api", "reply", "expected"),
    [
        *(("responses", *row) for row in RESPONSES.values()),
        *(("chat", *row) for row in COMPLETIONS.values()),
    ],
    ids=[*RESPONSES, *COMPLETIONS],
)
async def test_answers_that_are_none(
    fake: FakeOpenai, image: Pixels, api: str, reply: Reply, expected: type[errors.HookeError]
) -> None:
    async with asking(fake, openai_api=api) as client:
        fake.script.append(reply)
        with pytest.raises(errors.HookeError) as caught:
            await client.ask(image, "What is this?")
    assert type(caught.value) is expected
    assert "I cannot help" not in str(caught.value)


STREAMS: dict[str, tuple[str, Callable[[], Reply], type[errors.HookeError]]] = {
    "failed": (
        "responses",
        lambda: response_stream(end={"type": "response.failed", "response": failed("server_error", "Oops")}),
        errors.UpstreamFailedError,
    ),
    "filtered": (
        "responses",
        lambda: response_stream(end={"type": "response.incomplete", "response": filtered()}),
        errors.UpstreamRefusedError,
    ),
    "error": (
        "responses",
        lambda: response_stream(
            end={"type": "error", "code": "rate_limit_exceeded", "message": "Slow down", "param": None}
        ),
        errors.UpstreamRateLimitedError,
    ),
    "error within": (
        "responses",
        lambda: response_stream(
            end={"type": "error", "error": {"code": "insufficient_quota", "message": ""}}
        ),
        errors.UpstreamQuotaExhaustedError,
    ),
    "cut": ("responses", lambda: response_stream(cut=True, end={"type": "none"}), errors.UpstreamFailedError),
    "no end": ("responses", lambda: response_stream(end={"type": "none"}), errors.UpstreamFailedError),
    "web page": ("responses", lambda: Reply(200, HTML), errors.UpstreamFailedError),
    "broken": ("responses", lambda: Reply(chunks=["data: {\n\n"]), errors.UpstreamFailedError),
    "chat: refused": ("chat", lambda: chat_stream(refusal="No"), errors.UpstreamRefusedError),
    "chat: filtered": (
        "chat",
        lambda: chat_stream(finish_reason="content_filter"),
        errors.UpstreamRefusedError,
    ),
    "chat: no end": ("chat", lambda: chat_stream(finish_reason=None), errors.UpstreamFailedError),
    "chat: web page": ("chat", lambda: Reply(200, HTML), errors.UpstreamFailedError),
    "chat: error": (
        "chat",
        lambda: Reply(chunks=['data: {"error": {"code": "server_error", "message": "Oops"}}\n\n']),
        errors.UpstreamFailedError,
    ),
}


# A stream may also fail after its first pieces, or just end; what came before is not taken for an answer.
@pytest.mark.parametrize("row", STREAMS)
async def test_streams_that_fail(fake: FakeOpenai, image: Pixels, row: str) -> None:
    api, reply, expected = STREAMS[row]
    async with asking(fake, openai_api=api) as client:
        fake.script.append(reply())
        pieces = client.stream_ask(image, "What is this?")
        with pytest.raises(errors.HookeError) as caught:
            await pieces.result()
    assert type(caught.value) is expected


# The provider's delay travels to the caller, in each of its forms and also above a minute, and until it is
# over nobody asks the provider again.
@pytest.mark.parametrize(
    ("headers", "delay_s"),
    [({"retry-after": "90"}, 90), ({"retry-after-ms": "2500"}, 2.5), ({"retry-after": "600"}, 600)],
)
async def test_delays(fake: FakeOpenai, image: Pixels, headers: dict[str, str], delay_s: float) -> None:
    async with asking(fake) as client:
        fake.script.append(too_fast(headers=headers))
        for _ in range(3):
            with pytest.raises(errors.UpstreamRateLimitedError) as caught:
                await client.ask(image, "What is this?")
            assert caught.value.retry_after_s == pytest.approx(delay_s, abs=1)
    assert len(fake.asked) == 1


# Each of the provider's models has limits of its own: one that refuses does not stop another.
async def test_rate_limits_are_apart(fake: FakeOpenai, image: Pixels) -> None:
    async with asking(fake, openai_models="gpt-4o") as client:
        fake.script.append(too_fast(headers={"retry-after": "90"}))
        with pytest.raises(errors.UpstreamRateLimitedError):
            await client.ask(image, "What is this?")
        other = OpenaiParameters(provider_model="gpt-4o")
        assert (await client.ask(image, "What is this?", parameters=other)).text == TEXT


# A parameter that the provider does not take is named as the caller knows it, with the provider's words.
@pytest.mark.parametrize(
    ("param", "field"),
    [
        ("temperature", "openai.decoding.temperature"),
        ("top_p", "openai.decoding.top_p"),
        ("max_output_tokens", "openai.decoding.max_output_token_count"),
        ("model", "openai.provider_model"),
    ],
)
async def test_parameters_that_are_not_taken(fake: FakeOpenai, image: Pixels, param: str, field: str) -> None:
    async with asking(fake) as client:
        fake.script.append(error(400, f"Unsupported parameter: '{param}'", "unsupported_parameter", param))
        parameters = OpenaiParameters(decoding=Decoding(temperature=0.5))
        with pytest.raises(errors.InvalidRequestError, match="Unsupported parameter") as caught:
            await client.ask(image, "What is this?", parameters=parameters)
    assert [violation.field for violation in caught.value.violations] == [field]


# A model that is not offered is refused before anything is sent, and those that are offered are named.
async def test_models_that_are_not_offered(fake: FakeOpenai, image: Pixels) -> None:
    async with asking(fake, openai_models="gpt-4o") as client:
        with pytest.raises(errors.InvalidRequestError, match="gpt-6-luna, gpt-4o") as caught:
            await client.ask(image, "?", parameters=OpenaiParameters(provider_model="gpt-5-pro"))
    assert caught.value.violations[0].field == "openai.provider_model"
    assert not fake.asked


# Without a key the service starts, says what is missing, and refuses every call without sending it.
async def test_no_key(fake: FakeOpenai, image: Pixels) -> None:
    settings: dict[str, Any] = {"openai_api_key": None, "openai_base_url": "https://api.openai.com/v1"}
    async with asking(fake, **settings) as client:
        info = await client.model("openai")
        assert info.state is ModelState.UNAVAILABLE
        assert "HOOKE_OPENAI_API_KEY" in info.state_message
        for call in (client.ask(image, "?"), client.count(image), client.classify(image, labels=["a", "b"])):
            with pytest.raises(errors.CredentialsMissingError, match="HOOKE_OPENAI_API_KEY_FILE"):
                await call


# A key that is rejected is an alarm in the log, which does not show the key.
async def test_rejected_keys_are_logged(
    fake: FakeOpenai, image: Pixels, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    async with asking(fake, openai_api_key="sk-another-key") as client:
        with pytest.raises(errors.CredentialsRejectedError):
            await client.ask(image, "?")
    logged = caplog.text + "".join(capsys.readouterr())
    assert "CREDENTIALS_REJECTED" in logged
    assert "sk-another-key" not in logged


# An address where nobody listens is a provider that failed.
async def test_nobody_listens(fake: FakeOpenai, image: Pixels) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with asking(fake, openai_base_url=f"http://127.0.0.1:{taken.getsockname()[1]}/v1") as client:
            with pytest.raises(errors.UpstreamFailedError):
                await client.ask(image, "?")


# An address without the API is told from a model that is not there.
async def test_wrong_address(fake: FakeOpenai, image: Pixels) -> None:
    async with asking(fake, openai_base_url=f"{fake.address}/elsewhere") as client:
        with pytest.raises(errors.UpstreamFailedError, match="HOOKE_OPENAI_BASE_URL"):
            await client.ask(image, "?")


# A provider that stays silent for too long is left, although the caller would wait.
async def test_silence(fake: FakeOpenai, api: str, image: Pixels) -> None:
    async with asking(fake, openai_api=api, silence_s=0.2) as client:
        fake.script.append(Reply(wait_s=20))
        with pytest.raises(errors.DeadlineExceededError):
            await client.ask(image, "?", timeout_s=30)
    assert fake.left.acquire(timeout=5)


# Whatever the level of the log, requests and keys do not stand in it.
async def test_logs(fake: FakeOpenai, image: Pixels, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with asking(fake) as client:
            await client.ask(image, "A question that is nobody's business")
    assert KEY not in caplog.text
    assert "nobody's business" not in caplog.text
    assert "base64" not in caplog.text
