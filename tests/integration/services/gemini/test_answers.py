"""The Gemini proxy over real gRPC, with the provider's real SDK, before a fake of its API: answers."""

from __future__ import annotations

import asyncio
import io
import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from hooke.types import AnswerOutcome
from hooke.v1 import conversation_pb2, image_pb2
from hooke.v1 import inference_service_pb2 as pb
from tests.fakes.gemini import KEY, MODEL_VERSION, TEXT, FakeGemini, generated, images_of, streamed
from tests.fakes.http import Asked, Reply
from tests.integration.services.gemini.lab import MODEL, provider, proxy, question, read_along, turn
from tests.raw_images import raw_image

SECRET_NAME = "patient-4711"


# An answer comes with what it cost, who gave it, and what was sent for it.
async def test_ask() -> None:
    with provider() as fake:
        async with proxy(fake) as stub:
            answer = await stub.Ask(question(), timeout=20)
    assert answer.text == TEXT
    assert answer.finish_reason == conversation_pb2.FINISH_REASON_STOP
    usage = answer.cost.token_usage
    assert (usage.input_token_count, usage.cached_input_token_count, usage.output_token_count) == (
        300,
        100,
        100,
    )
    assert 0 < usage.cost_micro_usd < 10_000
    assert usage.price_list_date
    assert not usage.price_missing
    assert answer.provenance.model == "gemini"
    assert answer.provenance.model_version == MODEL_VERSION
    assert answer.provenance.rendered_image.media_type == "image/png"
    assert {used.name for used in answer.provenance.parameters} >= {
        "provider_model",
        "max_output_token_count",
        "gemini_safety_threshold",
    }


# The request is the provider's, with the key in its header, the deadline told, and the safety settings.
async def test_request() -> None:
    with provider() as fake:
        async with proxy(fake, gemini_safety_threshold="off") as stub:
            await stub.Ask(question(gemini_media_resolution=1), timeout=40)
    (asked,) = fake.asked
    assert asked.path == "/v1/models/gemini-3.8-flash:generateContent"
    assert asked.headers["x-goog-api-key"] == KEY
    # Whole seconds; gRPC rounds a deadline up to tenths on its way, the SDK to seconds after it.
    assert 30 <= int(asked.headers["x-server-timeout"]) <= 41
    assert {setting["threshold"] for setting in asked.json["safetySettings"]} == {"OFF"}
    assert asked.json["generationConfig"]["mediaResolution"] == "MEDIA_RESOLUTION_LOW"
    assert "tools" not in asked.json


# A version of the API, a model and a place of its own are the operator's to choose.
async def test_settings() -> None:
    values = {"gemini_api_version": "v1beta", "gemini_models": "gemini-2.5-flash-lite"}
    with provider() as fake:
        async with proxy(fake, **values) as stub:
            await stub.Ask(question(provider_model="gemini-2.5-flash-lite"), timeout=20)
    assert fake.asked[0].path == "/v1beta/models/gemini-2.5-flash-lite:generateContent"
    assert fake.asked[0].json["generationConfig"]["temperature"] == 0


# The SDK has variables of its own; none of them changes who is asked, or with whose key.
async def test_foreign_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "GOOGLE_API_KEY": "another",
        "GEMINI_API_KEY": "another",
        "GOOGLE_GENAI_USE_VERTEXAI": "true",
        "GOOGLE_GENAI_API_VERSION": "v9",
        "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:9",
        "GOOGLE_CLOUD_PROJECT": "another",
    }.items():
        monkeypatch.setenv(name, value)
    with provider() as fake:
        async with proxy(fake) as stub:
            answer = await stub.Ask(question(), timeout=20)
    assert answer.text == TEXT
    assert fake.asked[0].path == "/v1/models/gemini-3.8-flash:generateContent"


# A conversation arrives whole and in order.
async def test_conversation() -> None:
    request = pb.AskRequest(
        conversation=conversation_pb2.Conversation(
            instructions="Be brief.",
            turns=[
                turn("First?", raw_image(8), raw_image(9)),
                turn("A cell.", role=MODEL),
                turn("Second?", raw_image(10)),
            ],
        )
    )
    with provider() as fake:
        async with proxy(fake) as stub:
            answer = await stub.Ask(request, timeout=20)
    (asked,) = fake.asked
    assert asked.json["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    assert [content["role"] for content in asked.json["contents"]] == ["user", "model", "user"]
    texts = [content["parts"][-1]["text"] for content in asked.json["contents"]]
    assert texts == ["First?", "A cell.", "Second?"]
    assert [Image.open(io.BytesIO(data)).width for _, data in images_of(asked)] == [8, 9, 10]
    assert [image.rendered_image.width_px for image in answer.provenance.images] == [8, 9, 10]


# Words come as they are written, and the end says the rest.
async def test_stream() -> None:
    with provider(streamed("Six", " round", " cells.")) as fake:
        async with proxy(fake) as stub:
            parts = [part async for part in read_along(stub)]
    assert [part.text_delta for part in parts[:-1]] == ["Six", " round", " cells."]
    end = parts[-1].end
    assert end.finish_reason == conversation_pb2.FINISH_REASON_STOP
    assert end.provenance.model_version == MODEL_VERSION
    assert end.cost.token_usage.output_token_count == 100
    assert fake.asked[0].path.endswith(":streamGenerateContent?alt=sse")


# The first word is there long before the last.
async def test_stream_is_live() -> None:
    with provider(streamed("Six", " cells.", wait_s=1.5)) as fake:
        async with proxy(fake) as stub:
            stream = read_along(stub)
            first = await anext(aiter(stream))
            assert first.text_delta == "Six"
            assert len(fake.asked) == 1
            rest = [part.text_delta async for part in stream]
    assert rest == [" cells.", ""]


# A text that was cut off by its limit is handed on, and said to be cut.
async def test_length() -> None:
    with provider(Reply(body=generated("Six rou", "MAX_TOKENS"))) as fake:
        async with proxy(fake) as stub:
            answer = await stub.Ask(question(decoding={"max_output_token_count": 3}), timeout=20)
    assert (answer.text, answer.finish_reason) == ("Six rou", conversation_pb2.FINISH_REASON_LENGTH)
    assert fake.asked[0].json["generationConfig"]["maxOutputTokens"] == 3


# What a class or a number is asked by is a schema, and what comes back is read by it.
async def test_classes_and_counts() -> None:
    with provider() as fake:
        async with proxy(fake) as stub:
            classified = await stub.Classify(
                pb.ClassifyRequest(image=raw_image(), labels=["healthy", "infected"]), timeout=20
            )
            counted = await stub.Count(pb.CountRequest(image=raw_image()), timeout=20)
    assert classified.label == "healthy"
    assert not classified.probabilities
    assert counted.count == 0
    assert counted.written_answer.text
    for asked in fake.asked:
        config = asked.json["generationConfig"]
        assert config["responseMimeType"] == "application/json"
        assert config["responseJsonSchema"]["type"] == "object"


# Broken, cut and hesitant answers are no numbers.
@pytest.mark.parametrize(
    ("text", "ending", "outcome"),
    [
        ('{"answer": 12, "confidence": 0.9, "abstain": false}', "STOP", AnswerOutcome.ANSWERED),
        ('{"answer": null, "confidence": 0.1, "abstain": true}', "STOP", AnswerOutcome.ABSTAINED),
        ('{"answer": 12, "conf', "MAX_TOKENS", AnswerOutcome.UNPARSED),
        ('{"answer": 12, "conf', "STOP", AnswerOutcome.UNPARSED),
        ("", "STOP", AnswerOutcome.UNPARSED),
    ],
)
async def test_count_outcomes(text: str, ending: str, outcome: AnswerOutcome) -> None:
    with provider(Reply(body=generated(text, ending))) as fake:
        async with proxy(fake) as stub:
            answer = await stub.Count(pb.CountRequest(image=raw_image()), timeout=20)
    name = conversation_pb2.AnswerOutcome.Name(answer.answer_outcome)
    assert name == f"ANSWER_OUTCOME_{outcome.name}"
    assert answer.HasField("count") is (outcome is AnswerOutcome.ANSWERED)
    assert answer.written_answer.text == text


# A model without a price is paid for all the same: its cost is missing, not zero.
async def test_unknown_price() -> None:
    with provider(Reply(body=generated(modelVersion="gemini-99-flash"))) as fake:
        async with proxy(fake) as stub:
            answer = await stub.Ask(question(), timeout=20)
    assert answer.provenance.model_version == "gemini-99-flash"
    assert answer.cost.token_usage.price_missing
    assert not answer.cost.token_usage.HasField("cost_micro_usd")


# What is sent is pixels and the question: nothing of the file, nothing of the key, nothing of the machine.
async def test_no_metadata() -> None:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 4000, (64, 80), np.uint16)
    tifffile.imwrite(
        buffer, pixels, description=SECRET_NAME, metadata=None, extratags=[(315, "s", 0, SECRET_NAME, True)]
    )
    photo = io.BytesIO()
    exif = Image.Exif()
    exif[0x9286] = SECRET_NAME
    Image.new("RGB", (60, 40), "red").save(photo, "JPEG", exif=exif, comment=SECRET_NAME)
    request = pb.AskRequest(
        conversation=conversation_pb2.Conversation(
            turns=[
                turn(
                    "What is this?",
                    image_pb2.Image(encoded=buffer.getvalue()),
                    image_pb2.Image(encoded=photo.getvalue()),
                )
            ]
        )
    )
    assert SECRET_NAME.encode() in buffer.getvalue()
    assert SECRET_NAME.encode() in photo.getvalue()
    with provider() as fake:
        async with proxy(fake) as stub:
            await stub.Ask(request, timeout=20)
    (asked,) = fake.asked
    assert KEY not in asked.path
    assert KEY.encode() not in asked.body
    images = images_of(asked)
    assert [media_type for media_type, _ in images] == ["image/png", "image/png"]
    for _, data in images:
        assert SECRET_NAME.encode() not in data
        picture = Image.open(io.BytesIO(data))
        assert not picture.info
        assert not picture.getexif()
    assert SECRET_NAME not in json.dumps(asked.json)


class Echo(FakeGemini):
    """Answers with the question."""

    def reply(self, asked: Asked) -> Reply:
        """Take a moment for it."""
        return Reply(body=generated(asked.json["contents"][0]["parts"][-1]["text"]), wait_s=0.02)


# Two hundred callers at once all get their own answer, with no more calls under way than allowed.
async def test_many_callers() -> None:
    texts = [f"Question {number}?" for number in range(200)]
    with Echo() as fake:
        async with proxy(fake, max_concurrency=32) as stub:
            answers = await asyncio.gather(*(stub.Ask(question(text), timeout=60) for text in texts))
    assert [answer.text for answer in answers] == texts
    assert 1 < fake.most_at_once <= 32
