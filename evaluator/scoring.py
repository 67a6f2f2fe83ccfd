"""From a prediction and the truth to the metrics of one sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluator.filters import filtered, is_text
from evaluator.judging import READ, READINGS
from evaluator.metrics import coco, counting, segmentation
from evaluator.metrics.answers import AnswerKind, AnswerScore, score_choice, score_number, score_text
from evaluator.metrics.grading import NO_GRADE, score_grade
from evaluator.metrics.overlap import LabelImage
from evaluator.metrics.quantities import score_quantity
from evaluator.records import ExpectedAnswer, Prediction, Sample, SampleScore, TaskKind, Truth
from evaluator.suites import TaskSpec
from hooke.types import FinishReason, SampleOutcome


def score(
    task: TaskSpec, sample: Sample, prediction: Prediction, labels: NDArray[np.integer[Any]] | None
) -> SampleScore:
    """Compare one answer with the truth, read through the first filter of the task, if it has any.

    What the other filters make of it stands in `details`, see `evaluator.judging.read_as`.

    Samples without an answer get no metrics: a failure never becomes a score. What aggregation needs to
    count a non-answer as wrong (the truth) stands in `details` all the same. An answer that answers
    something else, a mask of another size or a class outside the label schema, is *unparsed*.

    Args:
        task: what was asked.
        sample: with the truth that the task needs.
        prediction: the answer.
        labels: the predicted label image, H x W integers, 0 background; segmentation only.

    Raises:
        InvalidRequestError: a filter of the suite takes for ever.
    """
    if not task.filters or not is_text(prediction):
        return _score(task, sample, prediction, labels)
    whole, *others = (_score(task, sample, filtered(task, name, prediction), None) for name in task.filters)
    readings = {
        name: {field: getattr(other, field) for field in READ}
        for name, other in zip(list(task.filters)[1:], others, strict=True)
    }
    return replace(whole, details={**whole.details, READINGS: readings})


def _score(
    task: TaskSpec, sample: Sample, prediction: Prediction, labels: NDArray[np.integer[Any]] | None
) -> SampleScore:
    if sample.unreadable:
        return SampleScore(
            task=task.name,
            model=prediction.model,
            sample_id=sample.sample_id,
            outcome=SampleOutcome.FAILED,
            error_reason=prediction.error_reason,
        )
    if sample.truth.answer is not None:
        return _score_words(task, sample, sample.truth.answer, prediction)
    details: dict[str, Any] = {"true": _true_value(task, sample.truth)}
    if sample.truth.labels is not None:
        details["truth_area"] = int(np.count_nonzero(sample.truth.labels))
    outcome, reason = prediction.outcome, prediction.error_reason
    fault = _fault(task, sample, prediction, labels) if outcome is SampleOutcome.SCORED else ""
    if fault:
        outcome, reason = SampleOutcome.UNPARSED, fault
    metrics: Mapping[str, float] = {}
    answer, trivial = "", False
    if outcome is SampleOutcome.SCORED:
        if task.kind is TaskKind.SEGMENTATION:
            assert sample.truth.labels is not None
            assert labels is not None
            result = segmentation.compare(sample.truth.labels, labels)
            metrics, trivial = result.metrics, result.trivial
            details |= result.sums
            details |= _ranking(task, sample.truth.labels, labels, prediction)
            answer = _objects(int(result.sums["predicted_count"]))
        elif task.kind is TaskKind.COUNTING:
            assert prediction.count is not None
            metrics = _count_metrics(prediction.count, details["true"])
            details["predicted"] = prediction.count
            trivial = prediction.count == details["true"] == 0
            answer = str(prediction.count)
        else:
            assert prediction.label is not None
            metrics, more = _class_metrics(task.labels, prediction, details["true"])
            details |= more
            answer = prediction.label
    return SampleScore(
        task=task.name,
        model=prediction.model,
        sample_id=sample.sample_id,
        outcome=outcome,
        metrics=metrics,
        answer=answer,
        truth=_objects(details["true"]) if task.kind is TaskKind.SEGMENTATION else str(details["true"]),
        details=details,
        trivial=trivial,
        error_reason=reason,
        repeat=prediction.repeat,
    )


def _ranking(task: TaskSpec, truth: LabelImage, labels: LabelImage, prediction: Prediction) -> dict[str, Any]:
    """What average precision needs of one image, where a task asks for it and every object has a score."""
    if "coco_ap" not in task.metrics or prediction.scores is None:
        return {}
    ranked = coco.rank(truth, labels, prediction.scores)
    return {"scores": ranked.scores, "passed": ranked.passed}


def _score_words(
    task: TaskSpec, sample: Sample, truth: ExpectedAnswer, prediction: Prediction
) -> SampleScore:
    """Read the answer off what a model wrote, and compare it."""
    found = AnswerScore(prediction.outcome, note=prediction.error_reason)
    if prediction.outcome is SampleOutcome.SCORED:
        found = _read_words(task, sample, truth, prediction)
    elif truth.kind is AnswerKind.GRADE:  # whatever kept a judge from grading, it is no grade of anybody
        found = AnswerScore(SampleOutcome.FAILED, note=prediction.error_reason or NO_GRADE)
    return SampleScore(
        task=task.name,
        model=prediction.model,
        sample_id=sample.sample_id,
        outcome=found.outcome,
        metrics=found.metrics,
        answer=found.answer,
        truth=str(truth),
        details={"true": str(truth), "kind": str(truth.kind), "note": found.note},
        error_reason="" if found.outcome is SampleOutcome.SCORED else found.note,
        repeat=prediction.repeat,
    )


def _read_words(task: TaskSpec, sample: Sample, truth: ExpectedAnswer, prediction: Prediction) -> AnswerScore:
    assert sample.inquiry is not None
    text = prediction.written or ""
    finish = FinishReason.LENGTH if prediction.truncated else FinishReason.STOP
    if truth.kind is AnswerKind.CHOICE:
        return score_choice(truth.texts[0], text, sample.inquiry.options, finish)
    if truth.kind is AnswerKind.GRADE:
        grade = score_grade(text, finish)
        own = sample.slices.get("model") == prediction.model
        return replace(grade, note="graded its own answer") if own and grade.metrics else grade
    if truth.kind is AnswerKind.TEXT:
        return score_text(truth.texts, text, finish)
    assert truth.number is not None
    objects = "" if task.prompt is None else task.prompt.object_name
    if truth.kind is AnswerKind.NUMBER:
        return score_number(truth.number, text, truth.tolerance, objects=objects, finish=finish)
    return score_quantity(truth.number, truth.unit, text, truth.tolerance, objects=objects, finish=finish)


def _objects(count: int) -> str:
    return "1 object" if count == 1 else f"{count} objects"


def _true_value(task: TaskSpec, truth: Truth) -> int | str:
    """The class, or the number of objects."""
    value: int | str | None
    if task.kind is TaskKind.SEGMENTATION:
        value = None if truth.labels is None else int(np.count_nonzero(np.unique(truth.labels)))
    elif task.kind is TaskKind.COUNTING:
        value = truth.count
    else:
        value = truth.label
    if value is None:
        raise ValueError(f"the sample has no truth for {task.kind}")
    return value


def _fault(
    task: TaskSpec, sample: Sample, prediction: Prediction, labels: NDArray[np.integer[Any]] | None
) -> str:
    """Why an answer is none; empty if it can be scored."""
    if task.kind is TaskKind.COUNTING:
        return "NO_COUNT" if prediction.count is None or prediction.count < 0 else ""
    if task.kind is TaskKind.CLASSIFICATION:
        return "UNKNOWN_LABEL" if prediction.label not in task.labels else ""
    assert sample.truth.labels is not None
    if labels is None:
        return "NO_MASK"
    return "MASK_OF_ANOTHER_SIZE" if labels.shape != sample.truth.labels.shape else ""


def _count_metrics(predicted: int, true: int) -> dict[str, float]:
    error = predicted - true
    metrics = {
        "error": float(error),
        "absolute_error": float(abs(error)),
        "exact": float(error == 0),
        "within_10pct": float(counting.within(predicted, true, 10)),
    }
    if true:
        metrics["relative_error"] = abs(error) / true
    return metrics


def _class_metrics(
    labels: tuple[str, ...], prediction: Prediction, true: str
) -> tuple[dict[str, float], dict[str, Any]]:
    correct = prediction.label == true
    metrics, details = {"correct": float(correct)}, {"predicted": prediction.label}
    if prediction.probabilities:
        probabilities = {label: float(prediction.probabilities.get(label, 0.0)) for label in labels}
        metrics["brier"] = sum((p - (label == true)) ** 2 for label, p in probabilities.items())
        metrics["confidence"] = probabilities[str(prediction.label)]
    return metrics, details
