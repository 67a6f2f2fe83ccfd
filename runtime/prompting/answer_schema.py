"""JSON schemas of answers: every property required and none beside them, as strict modes want it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def class_schema(labels: Sequence[str]) -> Mapping[str, Any]:
    """The schema of an answer that is one of `labels`, or null."""
    return _schema({"type": "string", "enum": list(labels)})


def count_schema() -> Mapping[str, Any]:
    """The schema of an answer that is a number of 0 or more, or null."""
    return _schema({"type": "integer", "minimum": 0})


def _schema(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = {
        # A list of types instead of `anyOf` would leave it open whether null has to stand in the enum.
        "answer": {"anyOf": [answer, {"type": "null"}]},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "abstain": {"type": "boolean"},
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
