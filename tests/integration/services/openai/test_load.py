"""The OpenAI proxy with slow answers, callers who leave, and many of them."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from numpy.typing import NDArray

from hooke import errors
from tests.fakes.http import Reply
from tests.fakes.openai import TEXT, FakeOpenai, chat_stream, completion, response, response_stream
from tests.integration.services.openai.proxy import asking
from tests.memory import resident_bytes

Pixels = NDArray[np.uint16]


def slow(api: str, wait_s: float) -> Reply:
    return Reply(body=completion() if api == "chat" else response(), wait_s=wait_s)


# The caller's deadline ends the call at the provider, and the connection with it.
async def test_deadline(fake: FakeOpenai, api: str, image: Pixels) -> None:
    async with asking(fake, openai_api=api) as client:
        fake.script.append(slow(api, 20.0))
        with pytest.raises(errors.DeadlineExceededError):
            await client.ask(image, "What is this?", timeout_s=0.5)
        assert await asyncio.to_thread(fake.left.acquire, timeout=5)
        assert (await client.ask(image, "What is this?")).text == TEXT


# A slow answer that comes in time is an answer.
async def test_slow_answers(fake: FakeOpenai, api: str, image: Pixels) -> None:
    async with asking(fake, openai_api=api) as client:
        fake.script.append(slow(api, 0.5))
        answer = await client.ask(image, "What is this?", timeout_s=20)
    assert answer.text == TEXT
    assert answer.cost.compute_s >= 0.5


# A caller who leaves takes the call at the provider along, so that nobody pays for an answer nobody reads.
async def test_cancellation(fake: FakeOpenai, api: str, image: Pixels) -> None:
    async with asking(fake, openai_api=api) as client:
        fake.script.append(slow(api, 20.0))
        asked = asyncio.create_task(client.ask(image, "What is this?"))
        assert await asyncio.to_thread(fake.arrived.acquire, timeout=5)
        asked.cancel()
        assert await asyncio.to_thread(fake.left.acquire, timeout=5)


# The same in the middle of an answer that is read along.
async def test_leaving_a_stream(fake: FakeOpenai, api: str, image: Pixels) -> None:
    async with asking(fake, openai_api=api) as client:
        words = "one two three four five six seven eight nine ten"
        make = chat_stream if api == "chat" else response_stream
        fake.script.append(make(words, wait_s=0.3))
        async with client.stream_ask(image, "Count.") as pieces:
            assert (await anext(pieces)).strip() == "one"
        assert await asyncio.to_thread(fake.left.acquire, timeout=5)


# Two hundred callers at once are all answered, each once, and never more at a time than the bound.
async def test_two_hundred_at_once(fake: FakeOpenai, api: str) -> None:
    async with asking(fake, openai_api=api, max_concurrency=48) as client:
        images = [np.full((32, 32), number, np.uint16) for number in range(200)]
        fake.script.extend(slow(api, 0.02) for _ in images)
        answers = await asyncio.gather(
            *(client.ask(image, f"Question {n}", timeout_s=60) for n, image in enumerate(images))
        )
    assert {answer.text for answer in answers} == {TEXT}
    assert len(fake.asked) == 200
    assert len({asked.body for asked in fake.asked}) == 200
    assert 4 < fake.most_at_once <= 48


# Memory after a thousand requests is that after a hundred: nothing is kept of a request.
@pytest.mark.slow
async def test_memory(fake: FakeOpenai) -> None:
    noise = np.random.default_rng(0)
    async with asking(fake) as client:

        async def ask(count: int) -> None:
            for _ in range(count // 10):
                images = noise.integers(0, 4096, (10, 256, 256), np.uint16)
                await asyncio.gather(*(client.ask(image, "What is this?") for image in images))
                fake.asked.clear()  # the fake is in this process too

        await ask(100)
        before = resident_bytes()
        await ask(900)
        assert resident_bytes() <= 1.05 * before
