"""What is sent to Gemini for a task."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from google.genai import types
from PIL import Image

from hooke import codecs, errors
from hooke.images import Micrograph
from hooke.types import RenderedImage, TurnRole, UsedParameter
from runtime.decoding import Decoding
from runtime.provider_images import ProviderImage, encode
from runtime.tasks import AskTask, Turn
from services.gemini.parameters import GeminiParameters
from services.gemini.requests import Choices, choose, config_of, contents_of, image_limits
from services.gemini.settings import GeminiSettings

SAMPLED = "gemini-2.5-flash-lite"
SETTINGS = GeminiSettings(gemini_models=(SAMPLED,))
LIMIT = SETTINGS.gemini_max_output_token_count


def picture(height_px: int = 8, width_px: int = 10, *, noise: bool = False) -> Micrograph:
    pixels = np.zeros((height_px, width_px, 3), np.uint8)
    if noise:
        pixels[:] = np.random.default_rng(0).integers(0, 255, pixels.shape, np.uint8)
    return codecs.from_array(pixels, axes="YXS")


def question(*images: Micrograph, **fields: Any) -> AskTask:
    return AskTask(turns=(Turn(TurnRole.USER, "What is this?", images or (picture(),)),), **fields)


def encoded(task: AskTask) -> list[ProviderImage]:
    limits = image_limits(len(task.images), SETTINGS)
    return [encode(image, limits) for image in task.images]


def config(task: AskTask) -> dict[str, Any]:
    return config_of(task, choose(task.parameters or GeminiParameters(), SETTINGS), SETTINGS.silence_s)


def chosen(provider_model: str = SAMPLED, **decoding: Any) -> Choices:
    return choose(
        GeminiParameters(provider_model=provider_model, decoding=Decoding.model_validate(decoding)), SETTINGS
    )


# The turns of a conversation keep their order and roles, and images stand before the text of their turn.
def test_conversation() -> None:
    task = AskTask(
        turns=(
            Turn(TurnRole.USER, "First?", (picture(4), picture(5))),
            Turn(TurnRole.MODEL, "A cell."),
            Turn(TurnRole.USER, "Second?", (picture(6),)),
        ),
        instructions="Be brief.",
    )
    contents = contents_of(task, encoded(task))
    assert [content["role"] for content in contents] == ["user", "model", "user"]
    kinds = [[next(iter(part)) for part in content["parts"]] for content in contents]
    assert kinds == [["inline_data", "inline_data", "text"], ["text"], ["inline_data", "text"]]
    assert config(task)["system_instruction"] == "Be brief."
    heights = [
        Image.open(io.BytesIO(part["inline_data"]["data"])).height
        for content in contents
        for part in content["parts"]
        if "inline_data" in part
    ]
    assert heights == [4, 5, 6]


# What is built is what the SDK takes: every name is one of its own.
def test_names() -> None:
    task = question(
        instructions="Be brief.",
        schema={"type": "object"},
        parameters=GeminiParameters(
            provider_model=SAMPLED,
            decoding=Decoding(max_output_token_count=9, seed=3),
            gemini_media_resolution="high",
        ),
    )
    taken = types.GenerateContentConfig.model_validate(config(task))
    assert taken.response_json_schema == {"type": "object"}
    assert taken.response_mime_type == "application/json"
    assert taken.media_resolution is types.MediaResolution.MEDIA_RESOLUTION_HIGH
    assert (taken.max_output_tokens, taken.seed, taken.temperature, taken.top_p) == (9, 3, 0.0, 1.0)
    assert taken.safety_settings is not None
    assert [setting.threshold for setting in taken.safety_settings] == (
        [types.HarmBlockThreshold.BLOCK_ONLY_HIGH] * 4
    )
    for content in contents_of(task, encoded(task)):
        types.Content.model_validate(content)


# Nothing is sent that nobody asked for, but for what protects whoever pays.
def test_defaults() -> None:
    sent = config(question())
    assert set(sent) == {
        "max_output_tokens",
        "safety_settings",
        "http_options",
        "automatic_function_calling",
        "automatic_continuation",
    }
    assert sent["max_output_tokens"] == LIMIT


# The likeliest word where a model takes that, unless the request says otherwise; "paper" leaves it to the
# provider, as the paper did; and what a request asks for is sent to any model.
@pytest.mark.parametrize(
    ("provider_model", "decoding", "temperature", "top_p"),
    [
        (SAMPLED, {}, 0.0, 1.0),
        (SAMPLED, {"temperature": 0.5}, 0.5, 1.0),
        (SAMPLED, {"decoding_preset": "paper"}, None, None),
        ("", {}, None, None),
        ("", {"top_p": 0.5}, None, 0.5),
        ("", {"decoding_preset": "greedy"}, 0.0, 1.0),
    ],
)
def test_sampling(
    provider_model: str, decoding: dict[str, Any], temperature: float | None, top_p: float | None
) -> None:
    choices = chosen(provider_model, **decoding)
    assert choices.config.get("temperature") == temperature
    assert choices.config.get("top_p") == top_p
    used = {used.name: used.value for used in choices.used}
    assert used.get("temperature") == temperature
    assert used.get("decoding_preset") == decoding.get("decoding_preset")


# Only what the operator offers is asked.
def test_offered_models() -> None:
    with pytest.raises(errors.InvalidRequestError, match=SAMPLED) as caught:
        chosen("gemini-dear")
    assert caught.value.violations[0].field == "gemini.provider_model"


# The provenance says what was asked, and which of it the caller did not choose.
def test_used_parameters() -> None:
    assert chosen(seed=7).used == (
        UsedParameter("provider_model", SAMPLED),
        UsedParameter("temperature", 0.0, chosen_by_server=True),
        UsedParameter("top_p", 1.0, chosen_by_server=True),
        UsedParameter("max_output_token_count", LIMIT, chosen_by_server=True),
        UsedParameter("gemini_safety_threshold", "block_only_high", chosen_by_server=True),
        UsedParameter("seed", 7),
    )


# An image is scaled down to what the provider looks at, and what it became is told.
def test_image() -> None:
    (image,) = encoded(question(picture(4000, 1000)))
    assert Image.open(io.BytesIO(image.data)).size == (768, 3072)
    assert image.rendered == RenderedImage(768, 3072, "YX", "uint8", media_type="image/png")


# Many images share what a request may weigh: each gets smaller before the provider refuses all of them.
def test_many_images() -> None:
    images = encoded(question(*[picture(512, 512, noise=True)] * 40))
    assert sum(len(image.data) for image in images) < 14_000_000
    assert {image.media_type for image in images} == {"image/jpeg"}


# Google is told how long the caller waits, but never less than it takes; here it is waited for no longer.
@pytest.mark.parametrize(
    ("timeout_s", "timeout_ms", "told_s"),
    [(60.5, 60_500, "61"), (2.0, 2_000, "10"), (None, 300_000, "300"), (900.0, 300_000, "300"), (0, 1, "10")],
)
def test_timeout(timeout_s: float | None, timeout_ms: int, told_s: str) -> None:
    options = config(question(timeout_s=timeout_s))["http_options"]
    assert options == {"timeout": timeout_ms, "headers": {"X-Server-Timeout": told_s}}
