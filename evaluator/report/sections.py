"""Which plots a task page has."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from evaluator.metrics.intervals import wilson
from evaluator.records import TaskKind
from evaluator.report.charts import Chart, Datum
from evaluator.report.collect import Gathered
from evaluator.report.numbers import (
    find,
    interval,
    is_defined,
    metric_names,
    number,
    percent,
    slice_values,
    with_unit,
)
from evaluator.report.pages import Line, TaskPage
from evaluator.report.plots import Profile, bland_altman, profile, reliability, scatter
from evaluator.suites import OBJECTS_AXIS
from evaluator.summaries import Estimate, ModelSummary

_ACCURACY = re.compile(r"seg_accuracy@(\d*\.\d+)")
_ERRORS = {
    "split_mean": "split",
    "merge_mean": "merged",
    "missed_mean": "missed",
    "spurious_mean": "spurious",
}


@dataclass(frozen=True, slots=True)
class PlotSection:
    """Charts under one heading; with a legend where each of them holds several models."""

    heading: str
    text: str
    charts: tuple[Chart, ...]
    legend: bool = False


@dataclass(frozen=True, slots=True)
class _Step:
    """A place on an axis, what it is in words, and each model's number there."""

    at: float
    what: str
    estimate: Callable[[ModelSummary], Estimate]


def plot_sections(page: TaskPage, gathered: Mapping[str, Gathered]) -> tuple[PlotSection, ...]:
    """The plots that belong to the kind of the task; none where there is nothing to plot."""
    makers: Mapping[TaskKind, Callable[[TaskPage, Mapping[str, Gathered]], list[PlotSection]]] = {
        TaskKind.SEGMENTATION: _segmentation,
        TaskKind.COUNTING: _counting,
        TaskKind.CLASSIFICATION: _classification,
        TaskKind.VQA: lambda _page, _gathered: [],
    }
    return tuple(section for section in makers[page.task.kind](page, gathered) if section.charts)


def slice_chart(page: TaskPage, axis: str) -> Chart:
    """The headline metric by the values of an axis."""
    headline, values = page.task.headline, slice_values(page.task, axis)
    steps = [
        _Step(place, f"{axis} {value}", partial(_in_slice, axis, value, headline))
        for place, value in enumerate(values)
    ]
    metric = with_unit(page.task.kind, headline)
    across = "true objects in the image" if axis == OBJECTS_AXIS else axis
    return profile(f"{headline} by {axis}", across, metric, _profiles(page, steps), values)


def _in_slice(axis: str, value: str, metric: str, model: ModelSummary) -> Estimate:
    return find(model.by_slice.get(axis, {}).get(value, ()), metric)


def _strict(metric: str, model: ModelSummary) -> Estimate:
    return find(model.strict, metric)


def _segmentation(page: TaskPage, _: Mapping[str, Gathered]) -> list[PlotSection]:
    thresholds = [match for name in metric_names(page.task) if (match := _ACCURACY.fullmatch(name))]
    accuracies = _profiles(
        page, [_Step(float(match[1]), f"IoU {match[1]}", partial(_strict, match[0])) for match in thresholds]
    )
    errors = _profiles(
        page, [_Step(at, _ERRORS[metric], partial(_strict, metric)) for at, metric in enumerate(_ERRORS)]
    )
    charts = []
    if any(line.data for line in accuracies):
        title = "Accuracy by the overlap that is asked for"
        charts.append(profile(title, "IoU threshold", "seg_accuracy", accuracies))
    if any(line.data for line in errors):
        words = tuple(_ERRORS.values())
        charts.append(
            profile("Kinds of error", "kind of error", "objects per image", errors, words, joined=False)
        )
    return [
        PlotSection(
            "Where accuracy is lost",
            "A split object was found in pieces, merged ones were found as one, a missed one was not found, "
            "a spurious one is not there.",
            tuple(charts),
            legend=True,
        )
    ]


def _counting(page: TaskPage, gathered: Mapping[str, Gathered]) -> list[PlotSection]:
    counted = [(line, gathered[line.model.model].pairs) for line in page.lines]
    counted = [(line, pairs) for line, pairs in counted if pairs]
    top = max((max(pair) for _, pairs in counted for pair in pairs), default=0.0)
    return [
        PlotSection(
            "Predicted against true counts",
            "Scored answers only. On the dashed line the answer is right; larger marks are more answers.",
            tuple(scatter(_named(line), line.style, pairs, top) for line, pairs in counted),
        ),
        PlotSection(
            "Agreement by size (Bland-Altman)",
            "Scored answers only. The solid line is the mean difference; 95 % of differences are expected "
            "between the dotted ones (mean \N{PLUS-MINUS SIGN} 1.96 standard deviations).",
            tuple(bland_altman(_named(line), line.style, pairs) for line, pairs in counted),
        ),
    ]


def _classification(page: TaskPage, gathered: Mapping[str, Gathered]) -> list[PlotSection]:
    charts = []
    for line in page.lines:
        bins = [chosen for chosen in gathered[line.model.model].bins if chosen.count]
        data = []
        for chosen in bins:
            confidence, right = chosen.confidence / chosen.count, chosen.right / chosen.count
            title = f"confidence {number(confidence)}: {chosen.right} of {chosen.count} right"
            ends = wilson(chosen.right, chosen.count)
            data.append(Datum(confidence, right, title, ends.low, ends.high))
        if data:
            charts.append(reliability(_named(line), line.style, data, sum(chosen.count for chosen in bins)))
    return [
        PlotSection(
            "Reliability of the probabilities",
            "Answered samples, in ten bins by the probability of the first choice. On the dashed line a "
            "model is right as often as it says; below it, it is too sure.",
            tuple(charts),
        )
    ]


def _named(line: Line) -> str:
    return f"{line.model.model} ({percent(line.model.coverage)} scored)"


def _profiles(page: TaskPage, steps: Sequence[_Step]) -> list[Profile]:
    """Every model's estimates along the steps of an axis; undefined ones are left out."""
    profiles = []
    for line in page.lines:
        data = []
        for step in steps:
            e = step.estimate(line.model)
            if is_defined(e.value):
                title = f"{line.model.model}, {step.what}: {number(e.value)} {interval(e)} n {e.n}"
                low, high = (end if is_defined(end) else None for end in (e.low, e.high))
                data.append(Datum(step.at, e.value, title, low, high))
        profiles.append(Profile(line.model.model, line.style, tuple(data)))
    return profiles
