"""A Gemini API on loopback: generateContent and streamGenerateContent in the provider's own formats."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.fakes.http import Asked, FakeServer, Reply

KEY = "AIza-not-a-real-key-0123456789"
"""The only key that is accepted."""
MODEL_VERSION = "gemini-3.8-flash"
TEXT = "Six round cells."
_RPC = "type.googleapis.com/google.rpc."


class FakeGemini(FakeServer):
    """Answers every question with `TEXT`, or, where it is to keep to a schema, with the least that does."""

    def reply(self, asked: Asked) -> Reply:
        """As the real one, if the request is one that the real one would take."""
        if asked.headers.get("x-goog-api-key") != KEY:
            return api_key_invalid()
        path, _, query = asked.path.partition("?")
        model, _, method = path.rpartition("/")[2].partition(":")
        if asked.method != "POST" or not path.startswith(("/v1/models/", "/v1beta/models/")):
            return Reply(404, "<html>Error 404 (Not Found)!!1</html>")
        if not model.startswith("gemini-"):
            return error(404, "NOT_FOUND", f"models/{model} is not found for API version v1")
        schema = asked.json["generationConfig"].get("responseJsonSchema")
        text = TEXT if schema is None else json.dumps(least_of(schema))
        if method == "generateContent":
            return Reply(body=generated(text))
        assert (method, query) == ("streamGenerateContent", "alt=sse")
        return streamed(text.partition(" ")[0], " ", text.partition(" ")[2])


def images_of(asked: Asked) -> list[tuple[str, bytes]]:
    """Media type and bytes of every image of a request, in order."""
    blobs = [
        part["inlineData"]
        for content in asked.json["contents"]
        for part in content["parts"]
        if "inlineData" in part
    ]
    # The SDK writes this one name as in the provider's protobuf, which means the same.
    return [(blob["mime_type"], base64.urlsafe_b64decode(blob["data"])) for blob in blobs]


def generated(
    text: str | None = TEXT, finish_reason: str | None = "STOP", thought: str = "", **fields: Any
) -> dict[str, Any]:
    """One reply, or one piece of a streamed one; `fields` replace others or, where None, leave them out."""
    parts = ([{"text": thought, "thought": True}] if thought else []) + ([{"text": text}] if text else [])
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish_reason is not None:
        candidate["finishReason"] = finish_reason
    reply = {
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": 300,
            "cachedContentTokenCount": 100,
            "candidatesTokenCount": 40,
            "thoughtsTokenCount": 60,
            "totalTokenCount": 400,
        },
        "modelVersion": MODEL_VERSION,
        "responseId": "r-1",
    }
    return {name: value for name, value in (reply | fields).items() if value is not None}


def sse(*pieces: Mapping[str, Any]) -> list[str]:
    """Pieces of a streamed reply as server-sent events."""
    return [f"data: {json.dumps(piece)}\r\n\r\n" for piece in pieces]


def streamed(*texts: str, finish_reason: str = "STOP", **reply: Any) -> Reply:
    """A streamed reply with one piece for each text; only the last one says why it ends."""
    *first, last = texts
    pieces = [generated(text, finish_reason=None) for text in first]
    return Reply(chunks=sse(*pieces, generated(last, finish_reason)), **reply)


def blocked(reason: str = "PROHIBITED_CONTENT") -> dict[str, Any]:
    """What is said of a question that is not even put to the model."""
    return generated(candidates=None, promptFeedback={"blockReason": reason})


def error(
    code: int,
    status: str,
    message: str,
    *details: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """A refusal in Google's format."""
    body: dict[str, Any] = {"code": code, "message": message, "status": status}
    if details:
        body["details"] = list(details)
    return Reply(code, {"error": body}, headers or {})


def error_info(reason: str) -> dict[str, Any]:
    """The detail that says for programs what is wrong."""
    return {"@type": _RPC + "ErrorInfo", "reason": reason, "domain": "googleapis.com"}


def quota_failure(*quota_ids: str) -> dict[str, Any]:
    """The detail that says which quotas are used up."""
    violations = [
        {"quotaMetric": "generativelanguage.googleapis.com/requests", "quotaId": quota_id, "quotaValue": "10"}
        for quota_id in quota_ids
    ]
    return {"@type": _RPC + "QuotaFailure", "violations": violations}


def retry_info(delay: str) -> dict[str, Any]:
    """The detail that says when to come back, for example "26s"."""
    return {"@type": _RPC + "RetryInfo", "retryDelay": delay}


def api_key_invalid() -> Reply:
    """What a wrong key gets."""
    return error(
        400,
        "INVALID_ARGUMENT",
        "API key not valid. Please pass a valid API key.",
        error_info("API_KEY_INVALID"),
    )


def too_many(*details: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Reply:
    """A refusal for a limit; the same words stand there whatever the limit is."""
    message = "You exceeded your current quota, please check your plan and billing details."
    return error(429, "RESOURCE_EXHAUSTED", message, *details, headers=headers)


def least_of(schema: Mapping[str, Any]) -> Any:
    """The least value that keeps to a JSON schema of the kind that Hooke writes."""
    if "anyOf" in schema:
        return least_of(schema["anyOf"][0])
    if "enum" in schema:
        return schema["enum"][0]
    kinds: str | Sequence[str] = schema.get("type", "object")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if kind == "object":
        return {name: least_of(inner) for name, inner in schema.get("properties", {}).items()}
    return {"string": "", "boolean": False, "array": []}.get(kind, schema.get("minimum", 0))
