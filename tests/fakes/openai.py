"""An API of OpenAI's kind on loopback: Responses and Chat Completions in the provider's own formats."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from tests.fakes.http import Asked, FakeServer, Reply
from tests.fakes.schemas import least_of

KEY = "sk-proj-not-a-real-key-0123456789abcdef"
"""The only key that is accepted."""
ANSWERED = "gpt-6-luna-2026-09-22"
"""The version that answers."""
TEXT = "Six round cells."
LIMITS = {
    "x-ratelimit-limit-requests": "10000",
    "x-ratelimit-remaining-requests": "9999",
    "x-ratelimit-reset-requests": "6ms",
    "x-ratelimit-remaining-tokens": "199000",
    "x-ratelimit-reset-tokens": "1.5s",
}


class FakeOpenai(FakeServer):
    """Answers every question with `TEXT`, or, where it is to keep to a schema, with the least that does."""

    def reply(self, asked: Asked) -> Reply:
        """As the real one, if the request is one that the real one would take."""
        if asked.headers.get("authorization") != f"Bearer {KEY}":
            return wrong_key()
        if asked.method != "POST" or asked.path not in {"/v1/responses", "/v1/chat/completions"}:
            return Reply(404, "<html><title>404 Not Found</title></html>")
        question = asked.json
        chat = asked.path.endswith("completions")
        form = question.get("response_format") if chat else question.get("text", {}).get("format")
        if form is None:
            text = TEXT
        else:
            text = json.dumps(least_of((form["json_schema"] if chat else form)["schema"]))
        if question.get("stream"):
            return chat_stream(text) if chat else response_stream(text)
        return Reply(body=completion(text) if chat else response(text), headers=LIMITS)


def images_of(asked: Asked) -> list[tuple[str, bytes]]:
    """Media type and bytes of every image of a request, in order."""
    found = []
    for message in asked.json.get("input") or asked.json["messages"]:
        for part in message["content"] if isinstance(message["content"], list) else ():
            if "image_url" in part:
                url = part["image_url"] if isinstance(part["image_url"], str) else part["image_url"]["url"]
                kind, _, data = url.removeprefix("data:").partition(";base64,")
                found.append((kind, base64.b64decode(data)))
    return found


def response(text: str | None = TEXT, refusal: str | None = None, **fields: Any) -> dict[str, Any]:
    """A Response object; `fields` replace others."""
    part: dict[str, Any] = {"type": "output_text", "text": text, "annotations": []}
    if refusal is not None:
        part = {"type": "refusal", "refusal": refusal}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1790000000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": ANSWERED,
        "output": [
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {
                "type": "message",
                "id": "msg_1",
                "status": "completed",
                "role": "assistant",
                "content": [part],
            },
        ],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 400,
            "input_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 0},
            "output_tokens": 100,
            "output_tokens_details": {"reasoning_tokens": 64},
            "total_tokens": 500,
        },
        **fields,
    }


def cut_short(text: str = '{"answer": ') -> dict[str, Any]:
    """A Response that met the limit on its tokens."""
    return response(text, status="incomplete", incomplete_details={"reason": "max_output_tokens"})


def filtered() -> dict[str, Any]:
    """A Response that the provider's filter stopped."""
    return response("", status="incomplete", incomplete_details={"reason": "content_filter"})


def failed(code: str, message: str) -> dict[str, Any]:
    """A Response that failed."""
    return response(status="failed", output=[], error={"code": code, "message": message})


def response_stream(text: str = TEXT, end: Mapping[str, Any] | None = None, **reply: Any) -> Reply:
    """A streamed Response, one event for each word and one for the end."""
    body = response(text)
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**body, "status": "in_progress", "output": []}},
        *({"type": "response.output_text.delta", "delta": word, **_PLACE} for word in words_of(text)),
        {"type": "response.output_text.done", "text": text, **_PLACE},
        dict(end) if end is not None else {"type": "response.completed", "response": body},
    ]
    return Reply(
        chunks=[
            f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': number})}\n\n"
            for number, event in enumerate(events)
        ],
        headers=LIMITS,
        **reply,
    )


def completion(
    text: str | None = TEXT, refusal: str | None = None, finish_reason: str = "stop", **fields: Any
) -> dict[str, Any]:
    """A chat completion; `fields` replace others."""
    message = {"role": "assistant", "content": text, "refusal": refusal}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1790000000,
        "model": ANSWERED,
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": None}],
        "usage": _CHAT_USAGE,
        **fields,
    }


def chat_stream(
    text: str = TEXT, finish_reason: str | None = "stop", refusal: str | None = None, **reply: Any
) -> Reply:
    """A streamed chat completion: one chunk for each word, one for the end, one for the tokens."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word} for word in words_of(text)]
    if refusal is not None:
        deltas = [{"role": "assistant", "refusal": refusal}]
    chunks = [_chunk([{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
    if finish_reason is not None:
        chunks.append(_chunk([{"index": 0, "delta": {}, "finish_reason": finish_reason}]))
        chunks.append(_chunk([], usage=_CHAT_USAGE))
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return Reply(chunks=[*lines, "data: [DONE]\n\n"], headers=LIMITS, **reply)


def error(
    status: int,
    message: str,
    code: str | None = None,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
    kind: str = "invalid_request_error",
) -> Reply:
    """An error in the provider's format."""
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return Reply(status, body, {"x-request-id": "req_1", **(headers or {})})


def wrong_key() -> Reply:
    """What a wrong key gets; the real one shows parts of it, this one shows all."""
    message = f"Incorrect API key provided: {KEY}. You can find your API key at https://platform.openai.com."
    return error(401, message, "invalid_api_key")


def out_of_credit() -> Reply:
    """What is said when nothing is left to pay with."""
    message = "You exceeded your current quota, please check your plan and billing details."
    return error(429, message, "insufficient_quota", kind="insufficient_quota")


def too_fast(span: str = "min", headers: Mapping[str, str] | None = None) -> Reply:
    """What is said of too many questions in a span of time: "min" or "day"."""
    message = (
        f"Rate limit reached for gpt-6-luna in organization org-secret on requests per {span}: "
        "Limit 3, Used 3, Requested 1. Please try again in 20s."
    )
    return error(429, message, "rate_limit_exceeded", headers=headers, kind="requests")


def words_of(text: str) -> list[str]:
    """The pieces in which a text is streamed."""
    first, *others = text.split(" ")
    return [first, *(f" {word}" for word in others)]


_PLACE = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "logprobs": []}
_CHAT_USAGE = {
    "prompt_tokens": 400,
    "completion_tokens": 100,
    "total_tokens": 500,
    "prompt_tokens_details": {"cached_tokens": 100},
}


def _chunk(choices: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1790000000,
        "model": ANSWERED,
        "choices": choices,
        **fields,
    }
