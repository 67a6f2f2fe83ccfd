"""What Gemini's replies mean."""

from __future__ import annotations

from typing import Any

import pytest
from google.genai import types

from hooke import errors
from hooke.types import FinishReason
from runtime.tasks import Emitter
from services.gemini.replies import Reply
from tests.fakes.gemini import MODEL_VERSION, blocked, generated


def reply_of(*pieces: dict[str, Any], emit: Emitter | None = None) -> Reply:
    reply = Reply(emit)
    for piece in pieces:
        reply.add(types.GenerateContentResponse.model_validate(piece))
    return reply


# The text of a reply is all that was written, but not what was thought; tokens of both are paid for.
def test_whole() -> None:
    reply = reply_of(generated("Two cells.", thought="I count."))
    assert (reply.text, reply.finish_reason) == ("Two cells.", FinishReason.STOP)
    assert reply.model_version == MODEL_VERSION
    assert reply.usage is not None
    assert reply.usage.input_token_count == 300
    assert reply.usage.cached_input_token_count == 100
    assert reply.usage.output_token_count == 40 + 60


# Pieces are handed on as they come; counts stand for all of them.
def test_pieces() -> None:
    heard: list[str] = []
    pieces = [generated("Two ", None, usageMetadata=None), generated("cells.", None), generated(None)]
    reply = reply_of(*pieces, emit=Emitter(heard.append))
    assert heard == ["Two ", "cells."]
    assert (reply.text, reply.finish_reason) == ("Two cells.", FinishReason.STOP)
    assert reply.usage is not None
    assert reply.usage.output_token_count == 100


# A limit of tokens ends a text; what there is of it is an answer.
@pytest.mark.parametrize("ending", ["MAX_TOKENS", "CONTINUATION"])
def test_length(ending: str) -> None:
    reply = reply_of(generated('{"answer": 1', ending))
    assert (reply.text, reply.finish_reason) == ('{"answer": 1', FinishReason.LENGTH)


# Every other ending that the SDK knows is a refusal or a fault, and named.
@pytest.mark.parametrize(
    "ending",
    sorted({ending.value for ending in types.FinishReason} - {"STOP", "MAX_TOKENS", "CONTINUATION"}),
)
def test_every_other_ending(ending: str) -> None:
    with pytest.raises((errors.UpstreamRefusedError, errors.UpstreamFailedError), match=ending):
        _ = reply_of(generated("Two", ending)).finish_reason


# Filters, recitation and what sounds like them are refusals.
@pytest.mark.parametrize(
    "ending", ["SAFETY", "RECITATION", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "LANGUAGE", "IMAGE_SAFETY"]
)
def test_unsafe(ending: str) -> None:
    with pytest.raises(errors.UpstreamRefusedError, match=ending):
        _ = reply_of(generated("Two", ending)).finish_reason


# An ending that came after the SDK was written is not taken for an answer.
@pytest.mark.filterwarnings("ignore:NEW_FILTER is not a valid FinishReason")
def test_unknown_ending() -> None:
    with pytest.raises(errors.UpstreamRefusedError, match="NEW_FILTER"):
        _ = reply_of(generated("Two", "NEW_FILTER")).finish_reason


# A question that is blocked has no answer, and the reason is told.
@pytest.mark.parametrize("reason", [reason.value for reason in types.BlockedReason])
def test_blocked(reason: str) -> None:
    with pytest.raises(errors.UpstreamRefusedError, match=reason) as caught:
        _ = reply_of(blocked(reason)).finish_reason
    assert caught.value.metadata == {"providerReason": reason}


# No candidate in an honest reply is a refusal without a reason.
@pytest.mark.parametrize("candidates", [None, []])
def test_no_candidates(candidates: list[Any] | None) -> None:
    with pytest.raises(errors.UpstreamRefusedError, match="does not say why"):
        _ = reply_of(generated(candidates=candidates)).finish_reason


# JSON that is something else is nobody's refusal.
@pytest.mark.parametrize("pieces", [(), ({},)])
def test_something_else(pieces: tuple[dict[str, Any], ...]) -> None:
    with pytest.raises(errors.UpstreamFailedError, match="not an answer"):
        _ = reply_of(*pieces).finish_reason


# A text without an ending broke off, and is not passed off as whole.
def test_broken_off() -> None:
    with pytest.raises(errors.UpstreamFailedError, match="broke off"):
        _ = reply_of(generated("Two ce", None)).finish_reason
