"""What is sent: a task as a request of generateContent, in the names of the SDK."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from hooke.errors import InvalidRequestError
from hooke.types import UsedParameter
from runtime.decoding import Sampling
from runtime.provider_images import ProviderImage, ProviderLimits
from runtime.tasks import AskTask, Turn
from services.gemini.parameters import GeminiParameters
from services.gemini.settings import GeminiSettings

MODEL_FIELD = "gemini.provider_model"
"""The field of a request that names the provider's model."""

_PROVIDERS_OWN = Sampling(temperature=None, top_p=None)
"""Also what the paper's preset is: its authors asked with the provider's defaults."""

_MOST_BYTES_OF_IMAGE = 7_000_000
"""Largest image that every version of the API takes within a request."""
_MOST_BYTES_OF_IMAGES = 14_000_000
"""All images together: a request of 20 MB, less what base64 adds, and room for the words."""

_LEAST_TOLD_S = 10
"""The provider refuses to be told that anybody waits for less."""

_HARMS = ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")


@dataclass(frozen=True, slots=True)
class Choices:
    """What a task comes to: everything but its words and images."""

    provider_model: str
    config: dict[str, Any]
    """Of the SDK's GenerateContentConfig."""
    used: tuple[UsedParameter, ...]
    """The same for the provenance."""


def choose(parameters: GeminiParameters, settings: GeminiSettings) -> Choices:
    """Fill in what a request leaves open.

    Newer models choose their words in their own way, so only those that are known to be told how are asked to
    take the likeliest one. What a request asks for itself is always sent.

    Raises:
        InvalidRequestError: the provider's model is not one of those that are offered.
    """
    model = parameters.provider_model or settings.gemini_model
    offered = settings.provider.offered
    if model not in offered:
        raise InvalidRequestError.of_field(
            MODEL_FIELD, f"{model!r} is not offered here; choose of {', '.join(offered)}"
        )
    decoding = parameters.decoding
    sampling = decoding.sampling(_PROVIDERS_OWN)
    if decoding.decoding_preset is None and not settings.provider.takes_sampling(model):
        sampling = Sampling(decoding.temperature, decoding.top_p)
    limit = decoding.max_output_token_count or settings.gemini_max_output_token_count
    threshold = settings.gemini_safety_threshold
    config: dict[str, Any] = {
        "max_output_tokens": limit,
        "safety_settings": [
            {"category": f"HARM_CATEGORY_{harm}", "threshold": threshold.upper()} for harm in _HARMS
        ],
        # One call is one request: no rounds of tools, and none to finish what is too long for one reply.
        "automatic_function_calling": {"disable": True},
        "automatic_continuation": False,
    }
    used = [
        UsedParameter("provider_model", model, not parameters.provider_model),
        *(item for item in decoding.used(sampling) if item.name != "decoding_preset"),
        UsedParameter("max_output_token_count", limit, decoding.max_output_token_count is None),
        UsedParameter("gemini_safety_threshold", threshold, chosen_by_server=True),
    ]
    told = {"temperature": sampling.temperature, "top_p": sampling.top_p, "seed": decoding.seed}
    config |= {name: value for name, value in told.items() if value is not None}
    if decoding.decoding_preset is not None:
        used.append(UsedParameter("decoding_preset", decoding.decoding_preset))
    if decoding.seed is not None:
        used.append(UsedParameter("seed", decoding.seed))
    if (resolution := parameters.gemini_media_resolution) is not None:
        config["media_resolution"] = f"MEDIA_RESOLUTION_{resolution.upper()}"
        used.append(UsedParameter("gemini_media_resolution", resolution))
    return Choices(model, config, tuple(used))


def image_limits(image_count: int, settings: GeminiSettings) -> ProviderLimits:
    """What may be sent of each of so many images; the more there are, the fewer bytes each may have."""
    side = settings.gemini_max_side_px
    return ProviderLimits(
        max_side_px=side,
        max_pixels=side**2,
        max_bytes=min(_MOST_BYTES_OF_IMAGE, _MOST_BYTES_OF_IMAGES // max(1, image_count)),
        jpeg_quality=settings.jpeg_quality,
    )


def contents_of(task: AskTask, images: Sequence[ProviderImage]) -> list[dict[str, Any]]:
    """The turns, each as a value of the SDK's Content.

    Args:
        task: its words.
        images: those of all turns, encoded.
    """
    left = iter(images)
    return [_content(turn, left) for turn in task.turns]


def config_of(task: AskTask, choices: Choices, silence_s: float) -> dict[str, Any]:
    """All the rest, as a value of the SDK's GenerateContentConfig.

    Args:
        task: its instructions, schema and deadline.
        choices: what else was chosen.
        silence_s: seconds without a byte after which the call counts as failed.
    """
    waits_s = silence_s if task.timeout_s is None else min(task.timeout_s, silence_s)
    told_s = max(math.ceil(waits_s), _LEAST_TOLD_S)
    config = choices.config | {
        "http_options": {
            "timeout": max(1, math.ceil(waits_s * 1000)),  # 0 would be for ever
            "headers": {"X-Server-Timeout": str(told_s)},
        }
    }
    if task.instructions:
        config["system_instruction"] = task.instructions
    if task.schema is not None:
        config |= {"response_mime_type": "application/json", "response_json_schema": dict(task.schema)}
    return config


def _content(turn: Turn, images: Iterator[ProviderImage]) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [
        {"inline_data": {"data": image.data, "mime_type": image.media_type}}
        for image in islice(images, len(turn.images))
    ]
    if turn.text:
        parts.append({"text": turn.text})
    return {"role": turn.role.value, "parts": parts}
