"""What is sent: a task as a request of the Responses or the Chat Completions API."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hooke.errors import InvalidRequestError
from hooke.types import TurnRole, UsedParameter
from runtime.decoding import Sampling
from runtime.provider_images import ProviderImage
from runtime.tasks import AskTask, Turn
from services.openai.parameters import OpenaiParameters
from services.openai.settings import OpenaiSettings

_PROVIDERS_OWN = Sampling(temperature=None, top_p=None)
"""Also what the paper's preset is: its authors asked with the provider's defaults."""

SENT_NAMES = {
    "model": "provider_model",
    "temperature": "decoding.temperature",
    "top_p": "decoding.top_p",
    "seed": "decoding.seed",
    "max_output_tokens": "decoding.max_output_token_count",
    "max_completion_tokens": "decoding.max_output_token_count",
    "max_tokens": "decoding.max_output_token_count",
}
"""For each parameter of the provider, the field of our own that it comes from."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What a task comes to: everything but its words and images."""

    provider_model: str
    sampling: Sampling
    seed: int | None
    max_output_token_count: int
    detail: str
    used: tuple[UsedParameter, ...]
    """The same for the provenance."""


def choose(parameters: OpenaiParameters, settings: OpenaiSettings) -> Choices:
    """Fill in what a request leaves open.

    A model that reasons refuses to be told how to choose its words, so only those that are known to take it
    are asked to take the likeliest one. What a request asks for itself is always sent.

    Raises:
        InvalidRequestError: the provider's model is not one of those that are offered; or a seed is asked for
            and the Responses API is spoken, which has none.
    """
    model = parameters.provider_model or settings.openai_model
    offered = settings.provider.offered
    if model not in offered:
        raise InvalidRequestError.of_field(
            "openai.provider_model", f"{model!r} is not offered here; choose of {', '.join(offered)}"
        )
    decoding = parameters.decoding
    if decoding.seed is not None and settings.openai_api == "responses":
        raise InvalidRequestError.of_field("openai.decoding.seed", "the Responses API takes no seed")
    sampling = decoding.sampling(_PROVIDERS_OWN)
    if decoding.decoding_preset is None and not settings.provider.takes_sampling(model):
        sampling = Sampling(decoding.temperature, decoding.top_p)
    limit = decoding.max_output_token_count or settings.openai_max_output_token_count
    used = [
        UsedParameter("provider_model", model, not parameters.provider_model),
        *(item for item in decoding.used(sampling) if item.name != "decoding_preset"),
        UsedParameter("max_output_token_count", limit, decoding.max_output_token_count is None),
    ]
    if decoding.decoding_preset is not None:
        used.append(UsedParameter("decoding_preset", decoding.decoding_preset))
    if decoding.seed is not None:
        used.append(UsedParameter("seed", decoding.seed))
    if parameters.openai_detail is not None:
        used.append(UsedParameter("openai_detail", parameters.openai_detail))
    return Choices(model, sampling, decoding.seed, limit, parameters.openai_detail or "auto", tuple(used))


def responses_request(task: AskTask, choices: Choices, images: Sequence[ProviderImage]) -> dict[str, Any]:
    """The arguments of `responses.create`.

    Args:
        task: its words.
        choices: the rest of it.
        images: those of all turns, encoded.
    """
    left = iter(images)
    request: dict[str, Any] = {
        "model": choices.provider_model,
        "input": [
            _message(
                turn,
                [
                    {"type": "input_image", "image_url": url, "detail": choices.detail}
                    for url in _urls(left, len(turn.images))
                ],
                {"type": "input_text", "text": turn.text},
            )
            for turn in task.turns
        ],
        "max_output_tokens": choices.max_output_token_count,
        "store": False,
        **_sampling(choices),
    }
    if task.instructions:
        request["instructions"] = task.instructions
    if task.schema is not None:
        request["text"] = {"format": {"type": "json_schema", **_format(task)}}
    return request


def chat_request(
    task: AskTask, choices: Choices, images: Sequence[ProviderImage], *, from_vendor: bool
) -> dict[str, Any]:
    """The arguments of `chat.completions.create`; see `responses_request`.

    Args:
        task: its words.
        choices: the rest of it.
        images: those of all turns, encoded.
        from_vendor: whether OpenAI is asked, which has a name of its own for the limit on tokens.
    """
    left = iter(images)
    messages: list[dict[str, Any]] = []
    if task.instructions:
        messages.append({"role": "system", "content": task.instructions})
    messages += [
        _message(
            turn,
            [
                {"type": "image_url", "image_url": {"url": url, "detail": choices.detail}}
                for url in _urls(left, len(turn.images))
            ],
            {"type": "text", "text": turn.text},
        )
        for turn in task.turns
    ]
    request: dict[str, Any] = {
        "model": choices.provider_model,
        "messages": messages,
        "max_completion_tokens" if from_vendor else "max_tokens": choices.max_output_token_count,
        "store": False,
        **_sampling(choices),
    }
    if choices.seed is not None:
        request["seed"] = choices.seed
    if task.schema is not None:
        request["response_format"] = {"type": "json_schema", "json_schema": _format(task)}
    if task.emit is not None:
        request["stream_options"] = {"include_usage": True}
    return request


def _message(turn: Turn, images: list[dict[str, Any]], text: dict[str, Any]) -> dict[str, Any]:
    if turn.role is TurnRole.MODEL:
        return {"role": "assistant", "content": turn.text}
    return {"role": "user", "content": [*images, text] if turn.text else images}


def _urls(images: Iterator[ProviderImage], count: int) -> Iterable[str]:
    """The next images as data URLs."""
    for _ in range(count):
        image = next(images)
        yield f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"


def _sampling(choices: Choices) -> dict[str, Any]:
    both = {"temperature": choices.sampling.temperature, "top_p": choices.sampling.top_p}
    return {name: value for name, value in both.items() if value is not None}


def _format(task: AskTask) -> dict[str, Any]:
    return {"name": "answer", "schema": task.schema, "strict": True}
