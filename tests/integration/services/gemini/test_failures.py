"""The Gemini proxy over real gRPC, with the provider's real SDK, before a fake of its API: no answers."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from hooke import errors
from hooke.aio import AsyncClient
from hooke.parameters import GeminiParameters
from hooke.types import ModelState
from runtime.fakes import serving
from services.gemini.model import GeminiModel
from services.gemini.settings import GeminiSettings
from tests.fakes import gemini
from tests.fakes.gemini import FakeGemini, blocked, generated, sse
from tests.fakes.http import Reply
from tests.integration.services.gemini.lab import asking, provider
from tests.tiny.gemini import settings_of

IMAGE = np.arange(64, dtype=np.uint8).reshape(8, 8)
DAY = gemini.quota_failure("GenerateRequestsPerDayPerProjectPerModel")
MINUTE = gemini.quota_failure("GenerateRequestsPerMinutePerProjectPerModel")
HTML = "<html><body>Please log in to the proxy.</body></html>"
WRONG_KEY = "AIza-another-key"


async def ask(client: AsyncClient, **options: Any) -> str:
    """The answer to a question in one piece."""
    return (await client.ask(IMAGE, "What is this?", **{"timeout_s": 20, **options})).text


async def read_along(client: AsyncClient, **options: Any) -> list[str]:
    """The pieces of an answer."""
    stream = client.stream_ask(IMAGE, "What is this?", **{"timeout_s": 20, **options})
    return [piece async for piece in stream]


REFUSALS = {
    "wrong key": (gemini.api_key_invalid(), errors.CredentialsRejectedError),
    "no right": (gemini.error(403, "PERMISSION_DENIED", "No."), errors.CredentialsRejectedError),
    "unknown key": (gemini.error(401, "UNAUTHENTICATED", "No."), errors.CredentialsRejectedError),
    "quota of the day": (
        gemini.too_many(DAY, gemini.retry_info("40s")),
        errors.UpstreamQuotaExhaustedError,
    ),
    "no plan": (
        gemini.error(400, "FAILED_PRECONDITION", "Enable billing."),
        errors.UpstreamQuotaExhaustedError,
    ),
    "rate limit": (gemini.too_many(MINUTE), errors.UpstreamRateLimitedError),
    "bad request": (gemini.error(400, "INVALID_ARGUMENT", "No."), errors.InvalidRequestError),
    "unknown model": (gemini.error(404, "NOT_FOUND", "No."), errors.InvalidRequestError),
    "too large": (gemini.error(413, "INVALID_ARGUMENT", "No."), errors.ImageTooLargeError),
    "internal": (gemini.error(500, "INTERNAL", "No."), errors.UpstreamFailedError),
    "overloaded": (gemini.error(503, "UNAVAILABLE", "No."), errors.UpstreamFailedError),
    "late": (gemini.error(504, "DEADLINE_EXCEEDED", "No."), errors.DeadlineExceededError),
    "page": (Reply(200, HTML), errors.UpstreamFailedError),
    "page of a proxy": (Reply(403, HTML), errors.UpstreamFailedError),
    "page of a gateway": (Reply(502, HTML), errors.UpstreamFailedError),
    "redirect": (
        Reply(302, HTML, {"location": "https://login.example"}),
        errors.UpstreamFailedError,
    ),
    "garbage": (Reply(200, b"\xff\xfe\x00\x01"), errors.UpstreamFailedError),
    "empty": (Reply(200, b""), errors.UpstreamFailedError),
    "a list": (Reply(200, []), errors.UpstreamFailedError),
    "a number": (Reply(200, b"5"), errors.UpstreamFailedError),
    "something else": (Reply(200, {"status": "ok"}), errors.UpstreamFailedError),
    "wrong types": (Reply(200, {"candidates": [{"content": 5}]}), errors.UpstreamFailedError),
    "hung up": (Reply(cut=True), errors.UpstreamFailedError),
    "cut": (Reply(body=generated(), cut=True), errors.UpstreamFailedError),
    "blocked": (Reply(body=blocked()), errors.UpstreamRefusedError),
    "unsafe": (Reply(body=generated(None, "SAFETY")), errors.UpstreamRefusedError),
    "recited": (Reply(body=generated("Two", "RECITATION")), errors.UpstreamRefusedError),
    "no candidates": (Reply(body=generated(candidates=[])), errors.UpstreamRefusedError),
    "malformed": (
        Reply(body=generated(None, "MALFORMED_RESPONSE")),
        errors.UpstreamFailedError,
    ),
}


# Whatever the provider does instead of answering is one error, and is asked for once.
@pytest.mark.parametrize("name", REFUSALS)
async def test_no_answer(name: str) -> None:
    reply, kind = REFUSALS[name]
    with provider(reply) as fake:
        async with asking(fake) as client:
            with pytest.raises(kind) as caught:
                await ask(client)
    assert type(caught.value) is kind
    assert len(fake.asked) == 1


# The same goes for those who read along.
@pytest.mark.parametrize("name", REFUSALS)
async def test_no_stream(name: str) -> None:
    reply, kind = REFUSALS[name]
    if isinstance(reply.body, dict) and reply.status == 200:
        reply = Reply(chunks=sse(reply.body), cut=reply.cut)
    with provider(reply) as fake:
        async with asking(fake) as client:
            with pytest.raises(kind) as caught:
                await read_along(client)
    assert type(caught.value) is kind
    assert len(fake.asked) == 1


# What came before a stream broke is handed on, and then its error.
@pytest.mark.parametrize(
    ("rest", "cut", "kind"),
    [
        ([], False, errors.UpstreamFailedError),
        ([], True, errors.UpstreamFailedError),
        ([generated(" cells", "SAFETY")], False, errors.UpstreamRefusedError),
        ([gemini.error(503, "UNAVAILABLE", "Overloaded.").body], False, errors.UpstreamFailedError),
        ([gemini.too_many(MINUTE).body], False, errors.UpstreamRateLimitedError),
        ([{"candidates": [5]}], False, errors.UpstreamFailedError),
    ],
)
async def test_stream_that_breaks(rest: list[Any], cut: bool, kind: type[errors.HookeError]) -> None:
    pieces: list[str] = []

    async def read(client: AsyncClient) -> None:
        async for piece in client.stream_ask(IMAGE, "What is this?", timeout_s=20):
            pieces.append(piece)  # noqa: PERF401 - what came before the error counts

    with provider(Reply(chunks=sse(generated("Six", None), *rest), cut=cut)) as fake:
        async with asking(fake) as client:
            with pytest.raises(kind):
                await read(client)
    assert pieces[0] == "Six"


# Nobody is there.
async def test_unreachable() -> None:
    with FakeGemini() as fake:
        values = settings_of(fake)
    async with (
        serving(GeminiModel, values=values) as service,
        AsyncClient(f"127.0.0.1:{service.server.port}", retries=False) as client,
    ):
        with pytest.raises(errors.UpstreamFailedError, match="cannot be reached"):
            await ask(client)


# The provider's delay reaches the caller, also above a minute, and until it is over nobody is sent there.
async def test_delay() -> None:
    with provider(gemini.too_many(MINUTE, gemini.retry_info("90.5s"))) as fake:
        async with asking(fake) as client:
            with pytest.raises(errors.UpstreamRateLimitedError) as first:
                await ask(client)
            with pytest.raises(errors.UpstreamRateLimitedError) as second:
                await ask(client)
    assert first.value.retry_after_s == pytest.approx(90.5)
    assert second.value.retry_after_s is not None
    assert 60 < second.value.retry_after_s <= 90.5
    assert len(fake.asked) == 1


# One model's limit is not another's.
async def test_limits_of_models() -> None:
    with provider(gemini.too_many(MINUTE, gemini.retry_info("90s"))) as fake:
        async with asking(fake, gemini_models="gemini-other") as client:
            with pytest.raises(errors.UpstreamRateLimitedError):
                await ask(client)
            other = GeminiParameters(provider_model="gemini-other")
            assert await ask(client, parameters=other) == gemini.TEXT


# A model that the operator does not offer is not asked for.
async def test_other_models() -> None:
    with provider() as fake:
        async with asking(fake) as client:
            with pytest.raises(errors.InvalidRequestError) as caught:
                await ask(client, parameters=GeminiParameters(provider_model="gemini-dear"))
    assert [violation.field for violation in caught.value.violations] == ["gemini.provider_model"]
    assert not fake.asked


# A slow answer ends with the caller's deadline, and the provider is told to stop.
@pytest.mark.parametrize("streamed", [False, True])
async def test_deadline(streamed: bool) -> None:
    late = Reply(chunks=sse(generated("Six", None), generated()), wait_s=30) if streamed else Reply(wait_s=30)
    with provider(late) as fake:
        async with asking(fake) as client:
            with pytest.raises(errors.DeadlineExceededError):
                await (read_along if streamed else ask)(client, timeout_s=1.0)
            assert await asyncio.to_thread(fake.left.acquire, timeout=10)


# A provider that says nothing for longer than the operator waits is too late.
async def test_silence() -> None:
    with provider(Reply(wait_s=30)) as fake:
        async with asking(fake, silence_s=0.5) as client:
            with pytest.raises(errors.DeadlineExceededError, match="silent"):
                await ask(client)
            assert await asyncio.to_thread(fake.left.acquire, timeout=10)


# Whoever leaves takes the call at the provider along.
@pytest.mark.parametrize("streamed", [False, True])
async def test_cancellation(streamed: bool) -> None:
    slow = Reply(chunks=sse(generated("Six", None), generated()), wait_s=30) if streamed else Reply(wait_s=30)
    with provider(slow) as fake:
        async with asking(fake) as client:
            call = asyncio.ensure_future((read_along if streamed else ask)(client))
            while not fake.asked:  # noqa: ASYNC110 - the fake lives on a thread of its own
                await asyncio.sleep(0.01)
            call.cancel()
            assert await asyncio.to_thread(fake.left.acquire, timeout=10)
            assert await ask(client) == gemini.TEXT


# A service without a key starts, says what is missing, and says so to every caller.
async def test_no_key() -> None:
    async with (
        serving(GeminiModel, values=GeminiSettings(host="127.0.0.1", port=0)) as service,
        AsyncClient(f"127.0.0.1:{service.server.port}", retries=False) as client,
    ):
        model = await client.model("gemini")
        assert model.state is ModelState.UNAVAILABLE
        assert "HOOKE_GEMINI_API_KEY" in model.state_message
        assert model.remote
        for question in (ask(client), client.count(IMAGE), client.classify(IMAGE, labels=["a", "b"])):
            with pytest.raises(errors.CredentialsMissingError, match="HOOKE_GEMINI_API_KEY"):
                await question


# A key that is not accepted is never shown.
async def test_wrong_key() -> None:
    with provider() as fake:
        async with asking(fake, gemini_api_key=WRONG_KEY) as client:
            with pytest.raises(errors.CredentialsRejectedError, match="HOOKE_GEMINI_API_KEY") as caught:
                await ask(client)
    assert WRONG_KEY not in str(caught.value)
