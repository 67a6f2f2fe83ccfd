"""Tasks as requests of the provider's two APIs."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from hooke import errors
from hooke.images import Micrograph
from hooke.types import TurnRole
from hooke.v1.parameters_pb2 import OpenaiParameters as ParametersMessage
from runtime.decoding import Decoding
from runtime.provider_images import ProviderImage, ProviderLimits, encode
from runtime.tasks import AskTask, Emitter, Turn
from services.openai.parameters import OpenaiParameters
from services.openai.requests import chat_request, choose, responses_request
from services.openai.settings import OpenaiSettings

SCHEMA = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
LIMITS = ProviderLimits(2048, 2048**2, 10**7, 90)


def micrograph(value: int) -> Micrograph:
    return Micrograph(np.full((4, 4), value, np.uint8), "YX", "0" * 64, 8)


def settings(**values: object) -> OpenaiSettings:
    return OpenaiSettings.model_validate({"openai_models": "gpt-4o", **values})


def talk(**fields: Any) -> tuple[AskTask, list[ProviderImage]]:
    task = AskTask(
        (
            Turn(TurnRole.USER, "Look.", (micrograph(1), micrograph(2))),
            Turn(TurnRole.MODEL, "Cells."),
            Turn(TurnRole.USER, "How many?", (micrograph(3),)),
        ),
        **fields,
    )
    return task, [encode(image, LIMITS) for image in task.images]


def url_of(image: ProviderImage) -> str:
    return "data:image/png;base64," + base64.b64encode(image.data).decode()


# What the wire can say is what the parameters take, field for field.
def test_fields_are_those_of_the_wire() -> None:
    assert set(OpenaiParameters.model_fields) == set(ParametersMessage.DESCRIPTOR.fields_by_name)


# In the Responses API every turn is a message, images stand before their text, and nothing is stored.
def test_responses() -> None:
    task, images = talk(instructions="Be brief.", schema=SCHEMA)
    request = responses_request(task, choose(OpenaiParameters(openai_detail="high"), settings()), images)
    first, second, third = request.pop("input")
    assert [part.get("image_url") or part["text"] for part in first["content"]] == [
        url_of(images[0]),
        url_of(images[1]),
        "Look.",
    ]
    assert {part["detail"] for part in first["content"] if part["type"] == "input_image"} == {"high"}
    assert second == {"role": "assistant", "content": "Cells."}
    assert [part["type"] for part in third["content"]] == ["input_image", "input_text"]
    assert request == {
        "model": "gpt-6-luna",
        "instructions": "Be brief.",
        "text": {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA, "strict": True}},
        "max_output_tokens": 16384,
        "store": False,
    }


# The same in Chat Completions, where instructions are a message and the schema stands elsewhere.
def test_chat() -> None:
    task, images = talk(instructions="Be brief.", schema=SCHEMA)
    choices = choose(OpenaiParameters(), settings(openai_api="chat"))
    request = chat_request(task, choices, images, from_vendor=True)
    system, first, second, third = request.pop("messages")
    assert system == {"role": "system", "content": "Be brief."}
    assert first["content"][0] == {
        "type": "image_url",
        "image_url": {"url": url_of(images[0]), "detail": "auto"},
    }
    assert first["content"][-1] == {"type": "text", "text": "Look."}
    assert second == {"role": "assistant", "content": "Cells."}
    assert third["content"][0]["image_url"]["url"] == url_of(images[2])
    assert request == {
        "model": "gpt-6-luna",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
        },
        "max_completion_tokens": 16384,
        "store": False,
    }


# Servers of others know the older name of the limit; who reads along still learns of the tokens.
def test_chat_of_others() -> None:
    task, images = talk(emit=Emitter(lambda _: None))
    parameters = OpenaiParameters(decoding=Decoding(seed=7, max_output_token_count=99))
    request = chat_request(task, choose(parameters, settings(openai_api="chat")), images, from_vendor=False)
    assert request["max_tokens"] == 99
    assert "max_completion_tokens" not in request
    assert request["seed"] == 7
    assert request["stream_options"] == {"include_usage": True}


# A model that reasons is told nothing about sampling unless the request asks; others are greedy by default.
@pytest.mark.parametrize(
    ("model", "decoding", "sent"),
    [
        ("", Decoding(), {}),
        ("", Decoding(temperature=0.5), {"temperature": 0.5}),
        ("", Decoding(decoding_preset="greedy"), {"temperature": 0.0, "top_p": 1.0}),
        ("", Decoding(decoding_preset="paper"), {}),
        ("gpt-4o", Decoding(), {"temperature": 0.0, "top_p": 1.0}),
        ("gpt-4o", Decoding(top_p=0.5), {"temperature": 0.0, "top_p": 0.5}),
        ("gpt-4o", Decoding(decoding_preset="paper"), {}),
    ],
)
def test_sampling(model: str, decoding: Decoding, sent: dict[str, float]) -> None:
    task, images = talk()
    choices = choose(OpenaiParameters(provider_model=model, decoding=decoding), settings())
    request = responses_request(task, choices, images)
    assert {name: request[name] for name in ("temperature", "top_p") if name in request} == sent
    used = {item.name: item.value for item in choices.used}
    assert {name: used[name] for name in ("temperature", "top_p") if name in used} == sent


# The provenance says what was used, and what of it nobody asked for.
def test_used() -> None:
    parameters = OpenaiParameters(
        provider_model="gpt-4o", openai_detail="low", decoding=Decoding(temperature=1)
    )
    used = {item.name: (item.value, item.chosen_by_server) for item in choose(parameters, settings()).used}
    assert used == {
        "provider_model": ("gpt-4o", False),
        "temperature": (1.0, False),
        "top_p": (1.0, True),
        "max_output_token_count": (16384, True),
        "openai_detail": ("low", False),
    }


# A model that is not offered is named, with those that are; a seed the API lacks is not dropped in silence.
def test_refused_parameters() -> None:
    with pytest.raises(errors.InvalidRequestError, match="gpt-6-luna, gpt-4o") as caught:
        choose(OpenaiParameters(provider_model="gpt-5-pro"), settings())
    assert caught.value.violations[0].field == "openai.provider_model"
    with pytest.raises(errors.InvalidRequestError) as caught:
        choose(OpenaiParameters(decoding=Decoding(seed=1)), settings())
    assert caught.value.violations[0].field == "openai.decoding.seed"
