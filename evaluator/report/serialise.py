"""`report.json`: the summary as JSON, and back."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from evaluator.records import TaskKind
from evaluator.summaries import (
    Comparison,
    Estimate,
    FaultCurve,
    FilteredSummary,
    ModelSummary,
    Reference,
    Robustness,
    RunSummary,
    SeverityPoint,
    TaskSummary,
    Usage,
)
from hooke.errors import InvalidRequestError

FORMAT_VERSION = 1
"""Raised whenever a reader of the version before could not read what is written now."""


def render_json(summary: RunSummary) -> str:
    """The summary as JSON: the fields of `RunSummary` beside a `format_version`.

    Undefined numbers are null, never NaN, which is no JSON. Mappings keep their order.
    """
    content = {"format_version": FORMAT_VERSION, **plain(summary)}
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_json(text: str) -> RunSummary:
    """The summary that `render_json` wrote.

    Raises:
        InvalidRequestError: the text is no report, or one of another format version.
    """
    try:
        content = json.loads(text)
        version = content["format_version"]
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidRequestError(f"This is no report of Hooke: {error}.") from error
    if version != FORMAT_VERSION:
        raise InvalidRequestError(
            f"The report has format version {version}; this program reads version {FORMAT_VERSION}."
        )
    try:
        del content["format_version"]
        return RunSummary(**{**content, "tasks": tuple(_task(task) for task in content["tasks"])})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidRequestError(f"The report is not whole: {error}.") from error


def plain(value: Any) -> Any:
    """The value as what JSON knows; numbers that are not finite become None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    return str(value)


def _task(content: Mapping[str, Any]) -> TaskSummary:
    return TaskSummary(
        **{
            **content,
            "kind": TaskKind(content["kind"]),
            "models": tuple(_model(model) for model in content["models"]),
            "comparisons": tuple(
                Comparison(**{**pair, "difference": Estimate(**pair["difference"])})
                for pair in content["comparisons"]
            ),
            # Reports of before know of none.
            "references": tuple(Reference(**reference) for reference in content.get("references", ())),
        }
    )


def _model(content: Mapping[str, Any]) -> ModelSummary:
    by_slice = {
        axis: {value: _estimates(estimates) for value, estimates in values.items()}
        for axis, values in content["by_slice"].items()
    }
    # Reports of before know of none of these.
    robustness, usage = content.get("robustness"), content.get("usage")
    repeated = {name: content.get(name) for name in ("stability", "within_sample_sd")}
    return ModelSummary(
        **{
            **content,
            "strict": _estimates(content["strict"]),
            "answered": _estimates(content["answered"]),
            "by_slice": by_slice,
            "robustness": None if robustness is None else _robustness(robustness),
            "usage": None if usage is None else Usage(**usage),
            **{name: None if said is None else Estimate(**said) for name, said in repeated.items()},
            "filtered": tuple(
                FilteredSummary(
                    each["filter"],
                    each["outcome_counts"],
                    _estimates(each["strict"]),
                    _estimates(each["answered"]),
                )
                for each in content.get("filtered", ())
            ),
        }
    )


def _robustness(content: Mapping[str, Any]) -> Robustness:
    curves = [
        FaultCurve(
            curve["fault"],
            tuple(
                SeverityPoint(point["severity"], Estimate(**point["value"]), Estimate(**point["ratio"]))
                for point in curve["points"]
            ),
            Estimate(**curve["area"]),
        )
        for curve in content["curves"]
    ]
    clean, area = Estimate(**content["clean"]), Estimate(**content["area"])
    return Robustness(content["metric"], clean, tuple(curves), area)


def _estimates(content: Sequence[Mapping[str, Any]]) -> tuple[Estimate, ...]:
    return tuple(Estimate(**estimate) for estimate in content)
