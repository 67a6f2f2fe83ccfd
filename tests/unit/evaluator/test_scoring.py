"""From one prediction and the truth to a score."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from evaluator.aggregate import slices_of
from evaluator.metrics.answers import AnswerKind
from evaluator.records import ExpectedAnswer, TaskKind, Truth
from evaluator.scoring import score
from hooke.types import SampleOutcome
from tests.unit.evaluator.scored import boxes, prediction_of, rows_of, sample_of, task_of

SEGMENTATION, COUNTING, CLASSIFICATION = TaskKind.SEGMENTATION, TaskKind.COUNTING, TaskKind.CLASSIFICATION
TRUTHS = {
    SEGMENTATION: Truth(labels=boxes((1, 1), (8, 8))),
    COUNTING: Truth(count=20),
    CLASSIFICATION: Truth(label="dog"),
    TaskKind.VQA: Truth(answer=ExpectedAnswer(AnswerKind.TEXT, ("a rod",))),
}
SILENT = [outcome for outcome in SampleOutcome if outcome is not SampleOutcome.SCORED]


# A mask is scored by its objects; answer and truth are told in words.
def test_segmentation():
    truth, answer = TRUTHS[SEGMENTATION], boxes((1, 1))
    result = score(task_of(SEGMENTATION), sample_of(truth), prediction_of(), answer)
    assert result.outcome is SampleOutcome.SCORED
    assert result.metrics["seg_accuracy@0.5"] == 1 / 2
    assert (result.answer, result.truth, result.trivial) == ("1 object", "2 objects", False)
    assert (result.details["true"], result.details["predicted_count"]) == (2, 1)


# An empty mask for an empty image is right and trivial.
def test_trivial_segmentation():
    empty = np.zeros((4, 4), np.uint8)
    result = score(task_of(SEGMENTATION), sample_of(Truth(labels=empty)), prediction_of(), empty)
    assert result.trivial
    assert result.metrics["seg_accuracy@0.5"] == 1


# A count has an error, a relative error where there is truth, and may be exact or close.
@pytest.mark.parametrize(
    ("true", "answer", "metrics"),
    [
        (20, 18, {"error": -2, "absolute_error": 2, "relative_error": 0.1, "exact": 0, "within_10pct": 1}),
        (20, 20, {"error": 0, "absolute_error": 0, "relative_error": 0, "exact": 1, "within_10pct": 1}),
        (0, 3, {"error": 3, "absolute_error": 3, "exact": 0, "within_10pct": 0}),
        (0, 0, {"error": 0, "absolute_error": 0, "exact": 1, "within_10pct": 1}),
    ],
)
def test_counting(true, answer, metrics):
    result = score(task_of(COUNTING), sample_of(Truth(count=true)), prediction_of(count=answer), None)
    assert result.metrics == metrics
    assert (result.answer, result.truth) == (str(answer), str(true))
    assert result.trivial == (true == answer == 0)


# A class is right or wrong; with probabilities it has a Brier score and a confidence.
def test_classification():
    told = {"cat": 0.2, "dog": 0.7, "owl": 0.1}
    result = score(
        task_of(CLASSIFICATION),
        sample_of(Truth(label="cat")),
        prediction_of(label="dog", probabilities=told),
        None,
    )
    assert result.metrics == {
        "correct": 0,
        "brier": pytest.approx(0.8**2 + 0.7**2 + 0.1**2),
        "confidence": 0.7,
    }
    assert (result.answer, result.truth) == ("dog", "cat")
    bare = score(task_of(CLASSIFICATION), sample_of(Truth(label="cat")), prediction_of(label="cat"), None)
    assert bare.metrics == {"correct": 1}


# What has no answer has no metrics, and keeps its outcome, its reason and the truth.
@pytest.mark.parametrize("kind", list(TaskKind))
@pytest.mark.parametrize("outcome", SILENT)
def test_no_answer_is_no_score(kind, outcome):
    prediction = prediction_of(0, outcome, error_reason="QUEUE_FULL")
    result = score(task_of(kind), sample_of(TRUTHS[kind]), prediction, None)
    assert (result.outcome, dict(result.metrics), result.answer) == (outcome, {}, "")
    assert result.error_reason == "QUEUE_FULL"
    assert result.truth in {"2 objects", "20", "dog", "a rod"}


# An answer to something else is unparsed, and the reason says what it is.
@pytest.mark.parametrize(
    ("kind", "answer", "labels", "reason"),
    [
        (SEGMENTATION, {}, None, "NO_MASK"),
        (SEGMENTATION, {}, np.zeros((2, 2), int), "MASK_OF_ANOTHER_SIZE"),
        (COUNTING, {}, None, "NO_COUNT"),
        (COUNTING, {"count": -1}, None, "NO_COUNT"),
        (CLASSIFICATION, {}, None, "UNKNOWN_LABEL"),
        (CLASSIFICATION, {"label": "horse"}, None, "UNKNOWN_LABEL"),
    ],
)
def test_answers_to_something_else_are_unparsed(kind, answer, labels, reason):
    result = score(task_of(kind), sample_of(TRUTHS[kind]), prediction_of(**answer), labels)
    assert (result.outcome, result.error_reason, dict(result.metrics)) == (SampleOutcome.UNPARSED, reason, {})


# A sample without the truth that the task needs is a mistake of the loader.
@pytest.mark.parametrize("kind", list(TaskKind))
def test_truth_is_needed(kind):
    with pytest.raises(ValueError, match="no truth"):
        score(task_of(kind), sample_of(Truth()), prediction_of(), None)


# Of a sample that cannot be read nothing is known: it has failed, whatever was asked.
@pytest.mark.parametrize("kind", list(TaskKind))
def test_unreadable_samples(kind):
    sample = replace(sample_of(Truth()), unreadable="it is no image")
    prediction = prediction_of(0, SampleOutcome.FAILED, error_reason="IMAGE_UNREADABLE")
    result = score(task_of(kind), sample, prediction, None)
    assert (result.outcome, dict(result.metrics), result.truth) == (SampleOutcome.FAILED, {}, "")
    assert result.error_reason == "IMAGE_UNREADABLE"
    assert slices_of(kind, rows_of(1)[0], result) == {}


# Scores survive a round trip through JSON.
@pytest.mark.parametrize("kind", list(TaskKind))
def test_scores_are_plain_data(kind):
    told = {"count": 3, "label": "cat", "probabilities": {"cat": np.float32(1.0)}, "written": "a rod"}
    answer = prediction_of(**told)
    result = asdict(score(task_of(kind), sample_of(TRUTHS[kind]), answer, boxes((1, 1))))
    assert json.loads(json.dumps(result)) == result
