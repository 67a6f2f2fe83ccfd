"""What comes back: answers, whole or piece by piece, and what their headers say of limits."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Callable, Mapping
from typing import TYPE_CHECKING

from hooke.errors import UpstreamRefusedError
from hooke.types import FinishReason, TokenUsage
from runtime.provider_model import ProviderReply
from runtime.tasks import RateLimits
from services.openai.errors import garbled, of_code

if TYPE_CHECKING:
    from openai.types import CompletionUsage
    from openai.types.chat import ChatCompletion, ChatCompletionChunk
    from openai.types.responses import Response, ResponseStreamEvent, ResponseUsage


def read_response(response: Response) -> ProviderReply:
    """Read an answer of the Responses API.

    Raises:
        HookeError: the answer says that something failed or was refused.
        AttributeError, TypeError, IndexError: it is no answer; see OpenaiClient.
    """
    if response.error is not None:
        raise of_code(response.error.code, response.error.message)
    parts = [part for item in response.output if item.type == "message" for part in item.content]
    reason = response.incomplete_details.reason if response.incomplete_details else None
    if reason == "content_filter" or any(part.type == "refusal" for part in parts):
        raise refused()
    if reason is None and response.status != "completed":
        raise garbled()
    return ProviderReply(
        "".join(part.text for part in parts if part.type == "output_text"),
        FinishReason.STOP if reason is None else FinishReason.LENGTH,
        response.model or "",
        *_response_usage(response.usage),
    )


async def read_response_stream(
    events: AsyncIterable[ResponseStreamEvent], emit: Callable[[str], None]
) -> ProviderReply:
    """Read an answer of the Responses API piece by piece; raises as `read_response`."""
    async for event in events:
        if event.type == "response.output_text.delta":
            emit(event.delta)
        elif event.type in {"response.completed", "response.incomplete", "response.failed"}:
            return read_response(event.response)
        elif event.type == "error":
            raise of_code(event.code, event.message, event.param)
    raise garbled()


def read_completion(completion: ChatCompletion) -> ProviderReply:
    """Read an answer of the Chat Completions API; raises as `read_response`."""
    choice = completion.choices[0]
    if choice.message.refusal:
        raise refused()
    return ProviderReply(
        choice.message.content or "",
        _finish_reason(choice.finish_reason),
        completion.model or "",
        *_completion_usage(completion.usage),
    )


async def read_completion_stream(
    chunks: AsyncIterable[ChatCompletionChunk], emit: Callable[[str], None]
) -> ProviderReply:
    """Read an answer of the Chat Completions API piece by piece; raises as `read_response`."""
    pieces: list[str] = []
    reason, model, usage = None, "", None
    async for chunk in chunks:
        model = chunk.model or model
        usage = chunk.usage or usage
        for choice in chunk.choices or ():
            if choice.delta.refusal:
                raise refused()
            if choice.delta.content:
                pieces.append(choice.delta.content)
                emit(choice.delta.content)
            reason = choice.finish_reason or reason
    return ProviderReply("".join(pieces), _finish_reason(reason), model, *_completion_usage(usage))


def refused() -> UpstreamRefusedError:
    """The error of an answer that is a refusal; its words would name what was asked, and stay here."""
    return UpstreamRefusedError("the provider's model refuses to answer, or its filter stopped the answer")


def _finish_reason(reason: str | None) -> FinishReason:
    if reason == "content_filter":
        raise refused()
    if reason is None:
        raise garbled()
    return FinishReason.LENGTH if reason == "length" else FinishReason.STOP


def _response_usage(usage: ResponseUsage | None) -> tuple[TokenUsage | None, int]:
    if usage is None:
        return None, 0
    details = usage.input_tokens_details
    cached = details.cached_tokens if details else 0
    written = getattr(details, "cache_write_tokens", 0) or 0
    return TokenUsage(usage.input_tokens, usage.output_tokens, cached or 0), written


def _completion_usage(usage: CompletionUsage | None) -> tuple[TokenUsage | None, int]:
    if usage is None:
        return None, 0
    details = usage.prompt_tokens_details
    cached = details.cached_tokens if details else 0
    written = getattr(details, "cache_write_tokens", 0) or 0
    return TokenUsage(usage.prompt_tokens, usage.completion_tokens, cached or 0), written


_SPAN = re.compile(
    r"(?:(?P<d>\d+)d)?(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m(?!s))?(?:(?P<s>\d+(?:\.\d+)?)s)?(?:(?P<ms>\d+)ms)?"
)
_UNITS_S = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def read_limits(headers: Mapping[str, str]) -> RateLimits | None:
    """What the headers `x-ratelimit-*` say is left; None where they say nothing."""
    requests = _count(headers.get("x-ratelimit-remaining-requests"))
    tokens = _count(headers.get("x-ratelimit-remaining-tokens"))
    if requests is None and tokens is None:
        return None
    resets = [
        span
        for name in ("x-ratelimit-reset-requests", "x-ratelimit-reset-tokens")
        if (span := _span_s(headers.get(name))) is not None
    ]
    return RateLimits(requests, tokens, max(resets, default=None))


def _count(text: str | None) -> int | None:
    # Some servers say -1 where they do not know.
    return int(text) if text and text.isdecimal() else None


def _span_s(text: str | None) -> float | None:
    """Seconds of a span such as "6m0s", "1.5s" or "20ms"; None where it is none."""
    found = _SPAN.fullmatch(text) if text else None
    if found is None:
        return None
    return sum(float(value) * _UNITS_S[unit] for unit, value in found.groupdict().items() if value)
