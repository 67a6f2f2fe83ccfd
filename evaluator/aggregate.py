"""From the scores of single samples to the summary of a task, with intervals.

*Strict* numbers count what has no answer (abstained, unparsed) as wrong: a class that nobody asked for, a
mask without objects that scores 0, a count of 0 objects (of 1 where 0 is right). *Answered* numbers leave
such samples out. *Failed* samples, where the infrastructure gave no answer, are in neither: they stand in
the coverage. Samples that a model was tuned on are in none of its numbers; how many there are stands beside.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from evaluator.comparing import compare_models
from evaluator.judging import READINGS, Judged, Judging, read_as, statistics_of
from evaluator.metrics import classification
from evaluator.metrics.catalogue import METRICS
from evaluator.metrics.intervals import estimate
from evaluator.records import SampleRow, SampleScore, TaskKind
from evaluator.robustness import robustness_of
from evaluator.stability import spread_of, stability_of
from evaluator.suites import OBJECTS_AXIS, TaskSpec
from evaluator.summaries import Estimate, FilteredSummary, ModelSummary, Reference, TaskSummary
from hooke.types import SampleOutcome

DENSITIES = ((0, 0), (1, 10), (11, 30), (31, 100), (101, None))
"""Ranges of the axis "objects": how many there really are in an image."""
_UNRANKED = np.empty(0, np.object_)


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known of a model in a task.

    Attributes:
        judged: its answers, but for those to samples that it was tuned on.
        latency_p50_s, latency_p99_s: from sending to answer, of the samples with an answer.
        tuned_count: answers to samples that it was tuned on.
        filtered: further filters of the task -> what they make of what it wrote.
    """

    judged: Judged
    latency_p50_s: float | None
    latency_p99_s: float | None
    tuned_count: int
    filtered: Mapping[str, Judged]


def summarise(
    task: TaskSpec,
    dataset_name: str,
    sample_count: int,
    models: Mapping[str, Known],
    family: int | None = None,
) -> TaskSummary:
    """Summarise a task.

    Args:
        task: what was asked.
        dataset_name: for the reader.
        sample_count: samples of the task.
        models: name -> what is known of it.
        family: comparisons of the whole run; None: those of this task.
    """
    judged = {model: known.judged for model, known in models.items()}
    return TaskSummary(
        task=task.name,
        kind=task.kind,
        dataset=dataset_name,
        description=task.description,
        headline=task.headline_metric,
        sample_count=sample_count,
        models=tuple(
            _summarise_model(task, model, sample_count * task.answers_of(model), known)
            for model, known in models.items()
        ),
        comparisons=compare_models(
            task, judged, max(1, math.comb(len(judged), 2) if family is None else family)
        ),
        references=tuple(Reference(**reference.model_dump()) for reference in task.references),
        filter=next(iter(task.filters), ""),
    )


def known_of(
    task: TaskSpec,
    answers: Iterable[tuple[SampleRow, SampleScore]],
    latencies: Iterable[float] = (),
) -> Known:
    """Take what is known of a model.

    Args:
        task: what was asked.
        answers: the samples that have an outcome, in the order of the dataset; the repeats of one follow each
            other.
        latencies: seconds from sending to answer of the samples with an answer.
    """

    def slices(row: SampleRow, score: SampleScore) -> Mapping[str, str]:
        found = slices_of(task.kind, row, score)
        return {axis: value for axis, value in found.items() if not task.slices or axis in task.slices}

    judging = Judging(task, task.repeats, slices)
    filtered = {name: Judging(task, task.repeats) for name in list(task.filters)[1:]}
    tuned_count = 0
    for row, score in answers:
        if score.tuned_on:
            tuned_count += 1
            continue
        judging.add(row, score)
        if READINGS in score.details:
            for name, further in filtered.items():
                further.add(row, read_as(score, name))
    return Known(
        judging.done(),
        *_percentiles(latencies),
        tuned_count,
        {name: further.done() for name, further in filtered.items()},
    )


def _percentiles(latencies: Iterable[float]) -> tuple[float | None, float | None]:
    """The median and the 99th percentile; None where there is none."""
    found = np.fromiter(latencies, np.float64)
    if not found.size:
        return None, None
    median, late = np.percentile(found, (50, 99))
    return float(median), float(late)


def _summarise_model(task: TaskSpec, model: str, answer_count: int, known: Known) -> ModelSummary:
    asked = known.judged.choose(~known.judged.failed)
    answered = asked.choose(asked.answered)
    strict = _estimates(task, asked)
    # The same answers have the same numbers, but for those that only answered samples have.
    same = answered is asked and task.kind is not TaskKind.CLASSIFICATION
    several = task.answers_of(model) > 1
    return ModelSummary(
        model=model,
        sample_count=answer_count - known.tuned_count,
        outcome_counts={str(outcome): known.judged.count(outcome) for outcome in SampleOutcome},
        strict=strict,
        answered=strict if same else _estimates(task, answered, calibration=True),
        by_slice=_by_slice(task, asked),
        confusion=_confusion(task, asked) if task.kind is TaskKind.CLASSIFICATION else None,
        latency_p50_s=known.latency_p50_s,
        latency_p99_s=known.latency_p99_s,
        trivial_count=int(answered.trivial.sum()),
        robustness=robustness_of(task, asked) if task.corruption else None,
        stability=stability_of(task, asked) if several else None,
        within_sample_sd=spread_of(asked) if several and task.kind is TaskKind.COUNTING else None,
        tuned_count=known.tuned_count if task.names_tuned(model) else None,
        filtered=tuple(_filtered(task, name, read) for name, read in known.filtered.items() if len(read)),
    )


def _filtered(task: TaskSpec, name: str, judged: Judged) -> FilteredSummary:
    """What a filter beside the first one makes of the same answers."""
    asked = judged.choose(~judged.failed)
    return FilteredSummary(
        name,
        {str(outcome): judged.count(outcome) for outcome in SampleOutcome},
        _estimates(task, asked),
        _estimates(task, asked.choose(asked.answered)),
    )


def _estimates(task: TaskSpec, judged: Judged, *, calibration: bool = False) -> tuple[Estimate, ...]:
    statistics = statistics_of(task, judged)
    if calibration and task.kind is TaskKind.CLASSIFICATION:
        values = judged.values
        if len(judged) and not np.isnan(values["brier"]).any():
            statistics += classification.calibration(
                values["brier"], values["confidence"], values["correct"] == 1
            )
    order = {metric.name: place for place, metric in enumerate(METRICS[task.kind])}
    statistics.sort(key=lambda statistic: order[statistic.name])
    return estimate(statistics, judged.clusters)


def _confusion(task: TaskSpec, judged: Judged) -> dict[str, list[str] | list[list[int]]]:
    true, predicted = judged.values["true"], judged.values["predicted"]
    matrix = classification.confusion_matrix(true, predicted, len(task.labels))
    return {"labels": list(task.labels), "matrix": matrix}


def slices_of(kind: TaskKind, row: SampleRow, score: SampleScore) -> dict[str, str]:
    """Where a sample belongs: the slices of its dataset, and by how many objects there really are."""
    if not kind.counts_objects or "true" not in score.details:  # of what cannot be read, nothing is known
        return dict(row.slices)
    return {**row.slices, OBJECTS_AXIS: _density(score.details["true"])}


def _by_slice(task: TaskSpec, judged: Judged) -> dict[str, dict[str, tuple[Estimate, ...]]]:
    """Axis -> value -> estimates, values in their natural order; without average precision, which is dear."""
    found: dict[str, dict[str, tuple[Estimate, ...]]] = {}
    for name, axis in judged.axes.items():
        for code, value in sorted(enumerate(axis.values), key=lambda pair: _natural(pair[1])):
            there = axis.codes == code
            if there.any():
                part = replace(judged.choose(there), ranked=_UNRANKED)
                found.setdefault(name, {})[value] = _estimates(task, part)
    return found


def _density(count: int) -> str:
    low, high = next(pair for pair in DENSITIES if pair[1] is None or count <= pair[1])
    if high is None:
        return f"{low} or more"
    return str(low) if low == high else f"{low}-{high}"


def _natural(value: str) -> tuple[float, str]:
    """Numbers by their size, before and apart from words."""
    number = re.match(r"-?\d+(\.\d+)?", value)
    return (float(number[0]) if number else math.inf, value)
