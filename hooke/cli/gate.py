"""The quality gate of `hooke evaluate`: figures below or above which the command fails."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer

METRICS: Mapping[str, bool | None] = {
    **dict.fromkeys(
        (
            *("seg_accuracy@0.5", "seg_accuracy@0.75", "seg_accuracy@0.9", "seg_accuracy@.50:.95"),
            *("pq", "sq", "rq", "pq_pooled", "aji_plus", "dice_mean", "dice_pooled", "iou_mean"),
            *("iou_pooled", "boundary_f1@2px", "coco_ap", "coco_ap50", "coco_ap75"),
            *("r2", "pearson_r", "exact", "within_10pct"),
            *("accuracy", "balanced_accuracy", "macro_f1", "mcc", "kappa"),
            *("anls_mean", "within_tolerance", "grade_mean"),
        ),
        True,
    ),
    **dict.fromkeys(
        (
            *("split_mean", "merge_mean", "missed_mean", "spurious_mean"),
            *("mae", "rmse", "mape", "relative_error_median", "unit_errors"),
        ),
        False,
    ),
    "bias": None,
}
"""Every metric with a strict value -> whether higher is better; None: neither end is. It repeats the list of
the evaluator, which this package cannot import; a test holds them together."""

UNDER, OVER = "--fail-under", "--fail-over"
_ANY = "*"


@dataclass(frozen=True, slots=True)
class Bound:
    """One value of --fail-under or --fail-over; `task` and `model` are "*" where any is meant."""

    option: str
    task: str
    model: str
    metric: str
    limit: float

    def allows(self, value: float | None) -> bool:
        """Whether a figure passes; one that is undefined does not."""
        if value is None:
            return False
        return value >= self.limit if self.option == UNDER else value <= self.limit


@dataclass(frozen=True, slots=True)
class Check:
    """A bound held against one figure.

    Attributes:
        task, model: whose figure it is; None where nothing in the report is meant by the bound.
        tasks: those of the report, where the bound names another one.
    """

    bound: Bound
    task: str | None
    model: str | None
    value: float | None
    passed: bool
    tasks: tuple[str, ...] = ()

    def __str__(self) -> str:
        bound = self.bound
        if self.tasks:
            return f"{bound.metric}: the report has no task {bound.task!r}; {listed(self.tasks)}."
        if self.task is None:
            return f"{bound.metric}: the report has no such figure of task {bound.task}, model {bound.model}."
        way = "below" if bound.option == UNDER else "above"
        told = "undefined" if self.value is None else f"{self.value:.6g}, {way} {bound.limit:g}"
        return f"{self.task}, {self.model}: {bound.metric} (strict) is {told}."


def bounds_of(under: Sequence[str], over: Sequence[str]) -> tuple[Bound, ...]:
    """Read the values of both options.

    Raises:
        typer.BadParameter: one is not of the form [TASK/[MODEL/]]METRIC=VALUE, names no metric, or would pass
            what is worse.
    """
    return tuple(_bound(option, text) for option, texts in ((UNDER, under), (OVER, over)) for text in texts)


def checks(bounds: Sequence[Bound], report: Mapping[str, Any] | None) -> tuple[Check, ...]:
    """Hold every bound against every figure that it means; what it means none of fails."""
    content = report or {"tasks": ()}
    tasks = tuple(task["task"] for task in content["tasks"])
    astray = without_task(bounds, tasks)
    found: list[Check] = []
    for bound in bounds:
        others = tasks if bound in astray else ()
        figures = list(_figures(bound, content))
        found += figures or [Check(bound, None, None, None, passed=False, tasks=others)]
    return tuple(found)


def without_task(bounds: Sequence[Bound], tasks: Sequence[str]) -> list[Bound]:
    """Return the bounds that name a task which is none of these."""
    return [bound for bound in bounds if bound.task not in (_ANY, *tasks)]


def listed(tasks: Sequence[str]) -> str:
    """Say which tasks there are, each once."""
    return f"there are {', '.join(dict.fromkeys(tasks))}" if tasks else "there is none"


def _bound(option: str, text: str) -> Bound:
    name, separator, number = text.rpartition("=")
    *where, metric = name.split("/")
    try:
        limit = float(number)
    except ValueError:
        limit = math.nan
    if not separator or not math.isfinite(limit) or len(where) > 2 or not all(where):
        text = f"{text!r} is not of the form METRIC=VALUE, TASK/METRIC=VALUE or TASK/MODEL/METRIC=VALUE."
        raise typer.BadParameter(text, param_hint=option)
    if metric not in METRICS:
        known = ", ".join(METRICS)
        raise typer.BadParameter(f"there is no metric {metric!r}; there are {known}.", param_hint=option)
    better = {UNDER: True, OVER: False}[option]
    if METRICS[metric] is (not better):
        other = OVER if option == UNDER else UNDER
        raise typer.BadParameter(
            f"of {metric} {'lower' if better else 'higher'} is better: use {other}.", param_hint=option
        )
    task, model = (*where, _ANY, _ANY)[:2]
    return Bound(option, task, model, metric, limit)


def _figures(bound: Bound, report: Mapping[str, Any]) -> Iterator[Check]:
    for task in report["tasks"]:
        for model in task["models"]:
            meant = bound.task in (_ANY, task["task"]) and bound.model in (_ANY, model["model"])
            figure = next((each for each in model["strict"] if each["name"] == bound.metric), None)
            if meant and figure is not None:
                value = figure["value"]
                yield Check(bound, task["task"], model["model"], value, bound.allows(value))
