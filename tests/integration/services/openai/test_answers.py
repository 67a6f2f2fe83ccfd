"""Answers of the OpenAI proxy: real gRPC before it, the real SDK in it, a fake of the provider behind it."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hooke.conversations import Prompt, Turn
from hooke.parameters import Decoding, OpenaiParameters
from hooke.types import AnswerOutcome, FinishReason, ModelState, Task
from tests.fakes.http import Reply
from tests.fakes.openai import ANSWERED, TEXT, FakeOpenai, completion, cut_short, images_of, response
from tests.integration.services.openai.proxy import asking

Pixels = NDArray[np.uint16]


def written(api: str, text: str) -> Reply:
    return Reply(body=completion(text) if api == "chat" else response(text))


def half_written(api: str, text: str) -> Reply:
    return Reply(body=completion(text, finish_reason="length") if api == "chat" else cut_short(text))


# An answer has its text, what answered, what the model saw, and what it cost.
async def test_ask(fake: FakeOpenai, api: str, image: Pixels) -> None:
    async with asking(fake, openai_api=api) as client:
        answer = await client.ask(image, "What is this?", instructions="Be brief.")
    assert answer.text == TEXT
    assert answer.finish_reason is FinishReason.STOP
    assert answer.provenance.model == "openai"
    assert answer.provenance.model_version == ANSWERED
    rendered = answer.provenance.rendered_image
    assert (rendered.width_px, rendered.height_px, rendered.axes) == (64, 48, "YX")
    assert (rendered.sample_type, rendered.media_type) == ("uint8", "image/png")
    assert len(rendered.intensity_ranges) == 1
    usage = answer.cost.token_usage
    assert usage is not None
    assert (usage.input_token_count, usage.cached_input_token_count, usage.output_token_count) == (
        400,
        100,
        100,
    )
    assert usage.cost_micro_usd == 81  # (300 x 0.10 + 100 x 0.01 + 100 x 0.50), rounded up
    assert not usage.price_missing
    assert usage.price_list_date
    used = {item.name: item.value for item in answer.provenance.parameters}
    assert used == {"provider_model": "gpt-6-luna", "max_output_token_count": 16384}


# The pixels arrive at the provider as they were rendered, in a file of their own for each image.
async def test_images(fake: FakeOpenai, api: str, image: Pixels) -> None:
    async with asking(fake, openai_api=api) as client:
        answer = await client.ask([image, image[:, ::-1].copy()], "And mirrored?")
    (first, _), (second, _) = sent = [
        (np.asarray(Image.open(io.BytesIO(data))), kind) for kind, data in images_of(fake.asked[0])
    ]
    assert {kind for _, kind in sent} == {"image/png"}
    assert first.shape == (48, 64)
    assert (first[:, ::-1] == second).all()
    assert (np.diff(first.reshape(-1).astype(int)) >= 0).all()
    assert [source.rendered_image.media_type for source in answer.provenance.images] == ["image/png"] * 2


# An image beyond the limits is scaled down, and the provenance says to what.
async def test_large_images(fake: FakeOpenai, image: Pixels) -> None:
    async with asking(fake, openai_max_side_px=64) as client:
        large = np.kron(image, np.ones((2, 2), np.uint16))
        answer = await client.ask(large, "What is this?")
    rendered = answer.provenance.rendered_image
    assert (rendered.width_px, rendered.height_px) == (64, 48)
    ((_, data),) = images_of(fake.asked[0])
    assert Image.open(io.BytesIO(data)).size == (64, 48)


# A conversation is sent whole, and nothing of it is kept by the provider.
async def test_conversations(fake: FakeOpenai, api: str, image: Pixels) -> None:
    async with asking(fake, openai_api=api) as client:
        history = [Turn("user", "What is this?", [image]), Turn("model", "A cell.")]
        await client.ask([], "Which one?", history=history, instructions="Be brief.")
    sent = fake.asked[0].json
    assert sent["store"] is False
    roles = [message["role"] for message in sent.get("input") or sent["messages"]]
    assert roles == (["system"] if api == "chat" else []) + ["user", "assistant", "user"]


# Read along, the pieces come as they are written, and the end as without.
async def test_stream_ask(fake: FakeOpenai, api: str, image: Pixels) -> None:
    async with (
        asking(fake, openai_api=api) as client,
        client.stream_ask(image, "What is this?") as pieces,
    ):
        texts = [piece async for piece in pieces]
        answer = await pieces.result()
    assert len(texts) > 1
    assert "".join(texts) == answer.text == TEXT
    assert answer.provenance.model_version == ANSWERED
    assert answer.cost.token_usage is not None
    assert answer.cost.token_usage.cost_micro_usd == 81
    assert fake.asked[0].json["stream"] is True


# An answer that met the limit on its tokens says so.
async def test_length(fake: FakeOpenai, api: str, image: Pixels) -> None:
    async with asking(fake, openai_api=api) as client:
        fake.script.append(half_written(api, "Six round"))
        answer = await client.ask(image, "What is this?")
    assert answer.text == "Six round"
    assert answer.finish_reason is FinishReason.LENGTH


# Classes and numbers are asked for by JSON schema and read from what comes back.
async def test_structured(fake: FakeOpenai, api: str, image: Pixels) -> None:
    async with asking(fake, openai_api=api) as client:
        fake.script.append(written(api, '{"answer": "b", "confidence": 0.8, "abstain": false}'))
        chosen = await client.classify(image, labels=["a", "b"])
        fake.script.append(written(api, '{"answer": 17, "confidence": 0.5, "abstain": false}'))
        counted = await client.count(image, prompt=Prompt(object_name="cells"))
    assert (chosen.outcome, chosen.label) == (AnswerOutcome.ANSWERED, "b")
    assert chosen.written is not None
    assert chosen.written.stated_confidence == 0.8
    assert (counted.outcome, counted.count) == (AnswerOutcome.ANSWERED, 17)
    assert chosen.cost.token_usage is not None
    assert chosen.provenance.prompt_version == "v1"
    for asked in fake.asked:
        form = asked.json["response_format" if api == "chat" else "text"]
        assert form["json_schema" if api == "chat" else "format"]["strict"] is True


# What says that it cannot tell abstains; what cannot be read, or is not all there, is never a number.
@pytest.mark.parametrize(
    ("text", "whole", "outcome"),
    [
        ('{"answer": null, "confidence": 0.1, "abstain": true}', True, AnswerOutcome.ABSTAINED),
        ('{"answer": 17, "conf', True, AnswerOutcome.UNPARSED),
        ('{"answer": 17', False, AnswerOutcome.UNPARSED),
        ("", False, AnswerOutcome.UNPARSED),
    ],
)
async def test_no_answers(
    fake: FakeOpenai, api: str, image: Pixels, text: str, whole: bool, outcome: AnswerOutcome
) -> None:
    async with asking(fake, openai_api=api) as client:
        fake.script.append(written(api, text) if whole else half_written(api, text))
        counted = await client.count(image)
    assert counted.outcome is outcome
    assert counted.count is None
    assert counted.written is not None
    assert counted.written.text == text
    assert (counted.written.finish_reason is FinishReason.STOP) is whole


# The paper's prompt asks for a line of text, without a schema.
async def test_paper_prompt(fake: FakeOpenai, image: Pixels) -> None:
    async with asking(fake) as client:
        fake.script.append(written("responses", "Count: 12"))
        counted = await client.count(image, prompt=Prompt(version="paper", object_name="cells"))
    assert counted.count == 12
    assert "text" not in fake.asked[0].json


# A request's own parameters reach the provider and stand in the provenance.
async def test_parameters(fake: FakeOpenai, api: str, image: Pixels) -> None:
    parameters = OpenaiParameters(
        provider_model="gpt-4o",
        decoding=Decoding(max_output_token_count=50, temperature=0.5),
        openai_detail="low",
    )
    async with asking(fake, openai_api=api, openai_models="gpt-4o") as client:
        answer = await client.ask(image, "What is this?", parameters=parameters)
    sent = fake.asked[0].json
    assert sent["model"] == "gpt-4o"
    assert sent["temperature"] == 0.5
    assert '"detail": "low"' in json.dumps(sent)
    used = {item.name: item.value for item in answer.provenance.parameters}
    assert used["provider_model"] == "gpt-4o"
    assert used["temperature"] == 0.5
    assert used["max_output_token_count"] == 50


# A price that the list does not know is missing; a server that charges nothing has none to miss.
@pytest.mark.parametrize(("settings", "missing"), [({}, True), ({"openai_free": True}, False)])
async def test_unknown_prices(
    fake: FakeOpenai, image: Pixels, settings: dict[str, Any], missing: bool
) -> None:
    async with asking(fake, **settings) as client:
        fake.script.append(Reply(body=response(model="llava:7b")))
        answer = await client.ask(image, "What is this?")
    assert answer.cost.token_usage is not None
    assert answer.cost.token_usage.cost_micro_usd is None
    assert answer.cost.token_usage.price_missing is missing


# Servers that count no tokens are taken as they are.
async def test_no_usage(fake: FakeOpenai, api: str, image: Pixels) -> None:
    async with asking(fake, openai_api=api) as client:
        fake.script.append(Reply(body=completion(usage=None) if api == "chat" else response(usage=None)))
        answer = await client.ask(image, "What is this?")
    assert answer.text == TEXT
    assert answer.cost.token_usage is None


# The model says of itself that it is remote, what it can do, and which models are behind it.
async def test_model_info(fake: FakeOpenai) -> None:
    async with asking(fake, openai_models="gpt-4o") as client:
        info = await client.model("openai")
    assert info.state is ModelState.READY
    assert info.remote
    assert info.tasks == {Task.ASK, Task.CLASSIFY, Task.COUNT}
    assert "gpt-6-luna, gpt-4o" in info.description
