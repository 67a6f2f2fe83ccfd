"""Values that keep to JSON schemas, for fakes of models that write JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def least_of(schema: Mapping[str, Any]) -> Any:
    """The least value that keeps to a JSON schema of the kind that Hooke writes."""
    if "anyOf" in schema:
        return least_of(schema["anyOf"][0])
    if "enum" in schema:
        return schema["enum"][0]
    if schema["type"] == "object":
        return {name: least_of(inner) for name, inner in schema["properties"].items()}
    return {"string": "", "boolean": False}.get(schema["type"], schema.get("minimum", 0))
