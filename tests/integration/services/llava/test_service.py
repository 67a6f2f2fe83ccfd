"""LLaVA behind real gRPC: many callers at once, streams, callers who leave, and what the runtime derives."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import hooke
from hooke import errors
from hooke.images import Micrograph
from hooke.parameters import Decoding, LlavaParameters
from hooke.types import AnswerOutcome, FinishReason
from runtime.fakes import serving
from services.llava.model import LlavaModel
from tests.integration.services.llava.conftest import Stage
from tests.integration.services.llava.lab import ask, micrograph, turn
from tests.memory import resident_bytes
from tests.tiny.llava import CONTEXT_TOKENS, settings_of

pytestmark = pytest.mark.torch

MANY = LlavaParameters(Decoding(max_output_token_count=150))


@asynccontextmanager
async def client_of(folder: Path, **settings: Any) -> AsyncIterator[tuple[hooke.AsyncClient, LlavaModel]]:
    """A client of a real service of the checkpoint, and the model within it."""
    values = settings_of(folder, **settings)
    model = LlavaModel.from_settings(values)
    async with (
        serving(LlavaModel, lambda: model, values=values) as service,
        hooke.AsyncClient(f"127.0.0.1:{service.server.port}") as client,
    ):
        yield client, model


def question(number: int) -> tuple[Micrograph, str]:
    """Questions of different length about images of different size."""
    return micrograph(number, 20 + 5 * number, 90 - 4 * number), "What is in the image? " * (1 + number % 4)


# Sixteen callers at once get what each of them gets alone, which is what the library writes.
async def test_callers_at_once_get_their_own_answers(stage: Stage) -> None:
    async with client_of(stage.folder) as (client, _):
        alone = [await client.ask(*question(number)) for number in range(16)]
        together = await asyncio.gather(*(client.ask(*question(number)) for number in range(16)))
    assert [answer.text for answer in together] == [answer.text for answer in alone]
    assert max(answer.cost.batch_size for answer in together) > 4
    for number, answer in enumerate(together):
        image, text = question(number)
        assert answer.text == stage.library.answer(ask(turn(text, image)))


# A stream brings the same text, tokens and provenance as the whole answer, in several pieces.
async def test_a_stream_says_what_the_answer_says(llava: Stage) -> None:
    async with client_of(llava.folder) as (client, _):
        whole = await client.ask(*question(3))
        async with client.stream_ask(*question(3)) as stream:
            pieces = [piece async for piece in stream]
            end = await stream.result()
    assert len(pieces) > 3
    assert "".join(pieces) == end.text == whole.text
    assert end.provenance == whole.provenance
    assert end.finish_reason is whole.finish_reason is FinishReason.LENGTH
    assert end.cost.token_usage == whole.cost.token_usage


# A caller who leaves costs a few more steps, and those who were asked along with him get their answers.
async def test_a_caller_who_leaves_stops_the_computing(llava: Stage) -> None:
    async with client_of(llava.folder) as (client, model):
        alone = await client.ask(*question(2))
        steps = _Steps(model, step_s=0.01)
        stream = client.stream_ask(*question(1), parameters=MANY)
        await anext(stream)
        mates = [asyncio.create_task(client.ask(*question(2))) for _ in range(2)]
        seen = steps.count
        await stream.close()
        answers = await asyncio.gather(*mates)
        # Of the 150 steps of the stream a few were done, and the two answers took 12 together.
        assert steps.count - seen < 100
        steps.end()
    assert [answer.text for answer in answers] == [alone.text] * 2


# In one batch, too: the one who leaves ends, the others go on to their ends.
async def test_a_caller_who_leaves_a_batch_harms_nobody(llava: Stage) -> None:
    async with client_of(llava.folder) as (client, model):
        alone = await client.ask(*question(2), parameters=MANY)
        steps = _Steps(model, step_s=0.005)
        first = asyncio.create_task(client.ask(*question(0), parameters=MANY))
        await asyncio.to_thread(steps.begun.wait)  # while it is computed, a batch gathers behind it
        stream = client.stream_ask(*question(1), parameters=MANY)
        piece = asyncio.create_task(anext(stream))
        mates = [asyncio.create_task(client.ask(*question(2), parameters=MANY)) for _ in range(2)]
        await first
        await piece
        await stream.close()
        answers = await asyncio.gather(*mates)
        steps.end()
    assert [answer.text for answer in answers] == [alone.text] * 2
    assert {answer.cost.batch_size for answer in answers} == {3}


# What can answer can classify, by likelihood or in words, and count; the rule stands in the answer.
async def test_classes_and_counts(llava: Stage) -> None:
    labels = ("cell", "nucleus", "fibre")
    image, _ = question(1)
    async with client_of(llava.folder, llava_max_output_token_count=4) as (client, _):
        likely = await client.classify(
            image, labels=labels, parameters=LlavaParameters(label_normalization="prior")
        )
        counted = await client.count(image)
        written = await client.classify(image, labels=labels, prompt=hooke.Prompt(answer_mode="generation"))
    assert sum(likely.probabilities.values()) == pytest.approx(1)
    assert likely.label == max(likely.probabilities, key=lambda label: likely.probabilities[label])
    assert likely.provenance.prompt_version
    used = {parameter.name: parameter.value for parameter in likely.provenance.parameters}
    assert used["label_normalization"] == "prior"
    # Random weights write nothing that could be read; what they wrote comes back.
    assert counted.count is None
    assert counted.outcome is AnswerOutcome.UNPARSED
    assert counted.written is not None
    assert counted.written.text
    assert written.label is None
    assert written.cost.token_usage is not None
    assert written.cost.token_usage.output_token_count == 4


# A request that is too long is refused with its length; others of its batch are answered.
async def test_a_request_that_is_too_long(llava: Stage) -> None:
    image, _ = question(1)
    async with client_of(llava.folder) as (client, _):
        long = asyncio.create_task(client.ask(image, "many " * CONTEXT_TOKENS))
        answers = await asyncio.gather(*(client.ask(*question(number)) for number in range(4)))
        with pytest.raises(errors.InvalidRequestError, match="tokens") as caught:
            await long
    assert int(caught.value.metadata["tokenCount"]) > CONTEXT_TOKENS
    assert caught.value.metadata["maxTokenCount"] == str(CONTEXT_TOKENS)
    assert all(answer.text for answer in answers)


# After a thousand requests the process is as large as after a hundred, within a twentieth.
@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_memory_does_not_grow(llava: Stage) -> None:
    async with client_of(llava.folder, llava_max_output_token_count=3) as (client, _):

        async def hundred() -> None:
            for number in range(10):
                five = [question((number + 3 * other) % 16) for other in range(5)]
                await asyncio.gather(*(client.ask(*each) for each in five))
                await asyncio.gather(
                    *(client.classify(image, labels=("cell", "nucleus")) for image, _ in five)
                )

        await hundred()
        before = resident_bytes()
        for _ in range(9):
            await hundred()
        assert resident_bytes() < 1.05 * before


class _Steps:
    """Counts the forward passes of a model, and slows them down so that a test can act between them."""

    def __init__(self, model: LlavaModel, step_s: float) -> None:
        engine = model._engine
        assert engine is not None
        self.count = 0
        self.begun = threading.Event()
        self._wait = threading.Event()
        self._step_s = step_s
        self._hook = engine.checkpoint.network.register_forward_hook(self._step)

    def _step(self, *_: object) -> None:
        self.count += 1
        self.begun.set()
        self._wait.wait(self._step_s)

    def end(self) -> None:
        """Count and wait no more."""
        self._hook.remove()
