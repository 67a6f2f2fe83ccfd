"""From the scores of single samples to the summary of a task, with intervals.

*Strict* numbers count what has no answer (abstained, unparsed) as wrong: a class that nobody asked for, a
mask without objects that scores 0, a count of 0 objects (of 1 where 0 is right). *Answered* numbers leave
such samples out. *Failed* samples, where the infrastructure gave no answer, are in neither: they stand in
the coverage. Samples that a model was tuned on are in none of its numbers; how many there are stands beside.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from evaluator.comparing import compare_models
from evaluator.judging import Judged, classes_of, statistics_of
from evaluator.metrics import classification
from evaluator.metrics.catalogue import METRICS
from evaluator.metrics.intervals import estimate
from evaluator.records import SampleRow, SampleScore, TaskKind
from evaluator.robustness import robustness_of
from evaluator.stability import stability_of
from evaluator.suites import OBJECTS_AXIS, TaskSpec
from evaluator.summaries import Estimate, ModelSummary, Reference, TaskSummary
from hooke.types import SampleOutcome

DENSITIES = ((0, 0), (1, 10), (11, 30), (31, 100), (101, None))
"""Ranges of the axis "objects": how many there really are in an image."""


def summarise(
    task: TaskSpec,
    dataset_name: str,
    rows: Sequence[SampleRow],
    scores: Mapping[str, Sequence[SampleScore]],
    latencies: Mapping[str, Sequence[float]],
    family: int | None = None,
) -> TaskSummary:
    """Summarise a task.

    Args:
        task: what was asked.
        dataset_name: for the reader.
        rows: every sample of the task.
        scores: model -> one score, of each repeat, for each sample that has an outcome; those of others do
            not count.
        latencies: model -> seconds from sending to answer of the samples with an answer.
        family: comparisons of the whole run; None: those of this task.
    """
    by_id = {row.sample_id: _clustered(task, row) for row in rows}
    known = {
        model: sorted(
            (Judged(by_id[score.sample_id], score) for score in model_scores if score.sample_id in by_id),
            key=lambda sample: sample.row.index,
        )
        for model, model_scores in scores.items()
    }
    judged = {
        model: [sample for sample in samples if not sample.score.tuned_on] for model, samples in known.items()
    }
    return TaskSummary(
        task=task.name,
        kind=task.kind,
        dataset=dataset_name,
        description=task.description,
        headline=task.headline_metric,
        sample_count=len(rows),
        models=tuple(
            _summarise_model(
                task,
                model,
                len(rows) * task.answers_of(model),
                samples,
                len(known[model]) - len(samples),
                latencies.get(model, ()),
            )
            for model, samples in judged.items()
        ),
        comparisons=compare_models(
            task, judged, max(1, math.comb(len(judged), 2) if family is None else family)
        ),
        references=tuple(Reference(**reference.model_dump()) for reference in task.references),
    )


def _clustered(task: TaskSpec, row: SampleRow) -> SampleRow:
    """Answers to the same sample are dependent."""
    if task.repeats == 1 or row.cluster is not None:
        return row
    return replace(row, cluster=row.sample_id)


def _summarise_model(
    task: TaskSpec,
    model: str,
    answer_count: int,
    judged: Sequence[Judged],
    tuned_count: int,
    latencies: Sequence[float],
) -> ModelSummary:
    outcomes = Counter(str(sample.score.outcome) for sample in judged)
    asked = [sample for sample in judged if sample.score.outcome is not SampleOutcome.FAILED]
    answered = [sample for sample in asked if sample.answered]
    return ModelSummary(
        model=model,
        sample_count=answer_count - tuned_count,
        outcome_counts={str(outcome): outcomes[str(outcome)] for outcome in SampleOutcome},
        strict=_estimates(task, asked),
        answered=_estimates(task, answered, calibration=True),
        by_slice={
            axis: {value: _estimates(task, samples) for value, samples in values.items()}
            for axis, values in _slices(task, asked).items()
        },
        confusion=_confusion(task, asked) if task.kind is TaskKind.CLASSIFICATION else None,
        latency_p50_s=float(np.percentile(latencies, 50)) if latencies else None,
        latency_p99_s=float(np.percentile(latencies, 99)) if latencies else None,
        trivial_count=sum(sample.score.trivial for sample in answered),
        robustness=robustness_of(task, asked) if task.corruption else None,
        stability=stability_of(task, asked) if task.answers_of(model) > 1 else None,
        tuned_count=tuned_count,
    )


def _estimates(
    task: TaskSpec, samples: Sequence[Judged], *, calibration: bool = False
) -> tuple[Estimate, ...]:
    statistics = statistics_of(task, samples)
    if calibration and task.kind is TaskKind.CLASSIFICATION:
        told = [sample.score for sample in samples if "brier" in sample.score.metrics]
        if len(told) == len(samples) > 0:
            statistics += classification.calibration(
                [score.metrics["brier"] for score in told],
                [score.metrics["confidence"] for score in told],
                [score.metrics["correct"] == 1 for score in told],
            )
    order = {metric.name: place for place, metric in enumerate(METRICS[task.kind])}
    statistics.sort(key=lambda statistic: order[statistic.name])
    return estimate(statistics, [sample.row.cluster for sample in samples])


def _confusion(task: TaskSpec, samples: Sequence[Judged]) -> dict[str, list[str] | list[list[int]]]:
    matrix = classification.confusion_matrix(*classes_of(task, samples), len(task.labels))
    return {"labels": list(task.labels), "matrix": matrix}


def slices_of(kind: TaskKind, row: SampleRow, score: SampleScore) -> dict[str, str]:
    """Where a sample belongs: the slices of its dataset, and by how many objects there really are."""
    if not kind.counts_objects or "true" not in score.details:  # of what cannot be read, nothing is known
        return dict(row.slices)
    return {**row.slices, OBJECTS_AXIS: _density(score.details["true"])}


def _slices(task: TaskSpec, samples: Sequence[Judged]) -> dict[str, dict[str, list[Judged]]]:
    """Axis -> value -> samples, values in their natural order."""
    found: dict[str, dict[str, list[Judged]]] = {}
    for sample in samples:
        for axis, value in slices_of(task.kind, sample.row, sample.score).items():
            if not task.slices or axis in task.slices:
                found.setdefault(axis, {}).setdefault(value, []).append(sample)
    return {axis: dict(sorted(values.items(), key=_natural)) for axis, values in found.items()}


def _density(count: int) -> str:
    low, high = next(pair for pair in DENSITIES if pair[1] is None or count <= pair[1])
    if high is None:
        return f"{low} or more"
    return str(low) if low == high else f"{low}-{high}"


def _natural(item: tuple[str, object]) -> tuple[float, str]:
    """Numbers by their size, before and apart from words."""
    number = re.match(r"-?\d+(\.\d+)?", item[0])
    return (float(number[0]) if number else math.inf, item[0])
