"""From scores to the summary of a task."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from evaluator.comparing import correct
from evaluator.metrics.answers import AnswerKind
from evaluator.metrics.catalogue import METRICS
from evaluator.records import ExpectedAnswer, TaskKind, Truth
from evaluator.scoring import score
from evaluator.summaries import ModelSummary, TaskSummary
from hooke.types import SampleOutcome
from tests.unit.evaluator.scored import (
    boxes,
    class_scores,
    count_scores,
    prediction_of,
    rows_of,
    sample_of,
    summarise,
    task_of,
)

SEGMENTATION, COUNTING, CLASSIFICATION = TaskKind.SEGMENTATION, TaskKind.COUNTING, TaskKind.CLASSIFICATION
ABSTAINED, UNPARSED, FAILED = SampleOutcome.ABSTAINED, SampleOutcome.UNPARSED, SampleOutcome.FAILED


def only_model(task, rows, scores, latencies=()) -> ModelSummary:
    (model,) = summarise(task, "set", rows, {"model": scores}, {"model": latencies}).models
    return model


def values(estimates) -> dict[str, float | None]:
    return {estimate.name: estimate.value for estimate in estimates}


# Strict counts what has no answer as wrong, answered leaves it out, and failures are in neither.
def test_strict_and_answered():
    scores = count_scores([10, 10, 10, 10, 10], [10, 12, ABSTAINED, UNPARSED, FAILED])
    model = only_model(task_of(COUNTING), rows_of(5), scores)
    assert model.outcome_counts == {"scored": 2, "abstained": 1, "unparsed": 1, "failed": 1}
    assert model.coverage == 2 / 5
    strict, answered = values(model.strict), values(model.answered)
    assert (strict["exact"], answered["exact"]) == (1 / 4, 1 / 2)
    assert (strict["mae"], answered["mae"]) == ((0 + 2 + 10 + 10) / 4, 1.0)
    assert {estimate.n for estimate in model.strict} == {4}
    assert all("2 without an answer" in estimate.note for estimate in model.strict)
    assert not any("without an answer" in estimate.note for estimate in model.answered)


# Silence about an empty image is wrong too, although it looks like the answer 0.
def test_silence_is_never_rewarded():
    model = only_model(task_of(COUNTING), rows_of(1), count_scores([0], [ABSTAINED]))
    strict = values(model.strict)
    assert (strict["exact"], strict["within_10pct"], strict["mae"]) == (0, 0, 1)


# Segmentation: an image without an answer scores 0 and its objects count as missed, in the pooled
# metrics as well.
def test_strict_segmentation():
    task, truth = task_of(SEGMENTATION), Truth(labels=boxes((1, 1), (8, 8)))
    scores = [
        score(task, sample_of(truth, 0), prediction_of(0), truth.labels),
        score(task, sample_of(truth, 1), prediction_of(1, ABSTAINED), None),
    ]
    model = only_model(task, rows_of(2), scores)
    strict, answered = values(model.strict), values(model.answered)
    assert (strict["seg_accuracy@0.5"], answered["seg_accuracy@0.5"]) == (0.5, 1)
    assert (strict["missed_mean"], answered["missed_mean"]) == (1, 0)
    # Pooled: 2 of 4 objects found, 18 of 36 pixels.
    assert strict["pq_pooled"] == pytest.approx(2 / (2 + 2 / 2))
    assert strict["dice_pooled"] == pytest.approx(2 * 18 / (36 + 18))
    assert strict["iou_pooled"] == pytest.approx(0.5)
    assert strict["dice_mean"] == 0.5
    assert strict["sq"] == 1


# Pooled metrics weigh by pixels and objects, means by images.
def test_pooled_is_not_the_mean():
    task = task_of(SEGMENTATION)
    large, small = boxes((0, 0), side=12), boxes((0, 0), side=3)
    scores = [
        score(task, sample_of(Truth(labels=large), 0), prediction_of(0), large),
        score(task, sample_of(Truth(labels=small), 1), prediction_of(1), np.zeros_like(small)),
    ]
    answered = values(only_model(task, rows_of(2), scores).answered)
    assert answered["dice_mean"] == 0.5
    assert answered["dice_pooled"] == pytest.approx(2 * 144 / (144 + 153))


# Images without objects on either side are counted as trivial.
def test_trivial_images_are_counted():
    model = only_model(task_of(COUNTING), rows_of(3), count_scores([0, 0, 4], [0, 1, 4]))
    assert model.trivial_count == 1


# Classification: the confusion matrix has the full label schema and a column without answer; failures are
# not in it.
def test_classification():
    scores = class_scores(["cat", "cat", "dog", "dog", "cat"], ["cat", "dog", "dog", ABSTAINED, FAILED], 0.8)
    model = only_model(task_of(CLASSIFICATION), rows_of(5), scores)
    assert model.confusion == {
        "labels": ["cat", "dog", "owl"],
        "matrix": [[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0]],
    }
    strict, answered = values(model.strict), values(model.answered)
    assert strict["accuracy"] == 2 / 4
    assert answered["accuracy"] == pytest.approx(2 / 3)
    assert strict["macro_f1"] == pytest.approx((2 / 3 + 2 / 4 + 0) / 3)
    assert answered["ece"] == pytest.approx(0.8 - 2 / 3)
    assert "ece" not in strict


# Without probabilities there is no calibration, and no confusion outside classification.
def test_calibration_needs_probabilities():
    model = only_model(task_of(CLASSIFICATION), rows_of(1), class_scores(["cat"], ["cat"]))
    assert {"ece", "brier"}.isdisjoint(values(model.answered))
    assert only_model(task_of(COUNTING), rows_of(1), count_scores([1], [1])).confusion is None


# Slices hold the strict numbers of their samples, in the natural order of their values; the density is
# that of the truth.
def test_slices():
    slices = [{"blur": blur} for blur in ("10", "2", "0.5", "none")]
    scores = count_scores([5, 150, 20, 0], [5, 100, ABSTAINED, 0])
    model = only_model(task_of(COUNTING), rows_of(4, slices), scores)
    assert list(model.by_slice) == ["blur", "objects"]
    assert list(model.by_slice["blur"]) == ["0.5", "2", "10", "none"]
    assert list(model.by_slice["objects"]) == ["0", "1-10", "11-30", "101 or more"]
    assert values(model.by_slice["blur"]["0.5"])["mae"] == 20
    assert values(model.by_slice["objects"]["101 or more"])["bias"] == -50


# A task may name the axes it wants.
def test_chosen_slices():
    scores = count_scores([5, 6], [5, 6])
    rows = rows_of(2, [{"overlap": "0", "blur": "1"}] * 2)
    assert list(only_model(task_of(COUNTING, slices=["overlap"]), rows, scores).by_slice) == ["overlap"]
    everything = only_model(task_of(COUNTING), rows, scores).by_slice
    assert set(everything) == {"overlap", "blur", "objects"}


# Samples of one patient widen the interval of a proportion and are told by the method.
def test_clusters_reach_the_intervals():
    true, answers = ["cat", "dog"] * 20, ["cat", "cat"] * 20
    rows = rows_of(40, clusters=[f"patient {i // 2 % 8}" for i in range(40)])
    scores = class_scores(true, answers[:30] + true[30:])
    methods = {e.name: e.method for e in only_model(task_of(CLASSIFICATION), rows, scores).strict}
    assert methods["accuracy"] == "bca-clustered"
    independent = only_model(task_of(CLASSIFICATION), rows_of(40), scores).strict
    assert {e.name: e.method for e in independent}["accuracy"] == "wilson"


# The order in which scores come does not matter, not even to the intervals.
def test_order_does_not_matter():
    true, answers = list(range(1, 21)), [n + n % 3 for n in range(1, 21)]
    scores = count_scores(true, answers)
    task, rows = task_of(COUNTING), rows_of(20)
    assert only_model(task, rows, scores) == only_model(task, rows, scores[::-1])


# Latencies are given as their median and 99th percentile.
def test_latencies():
    scores = count_scores([1], [1])
    model = only_model(task_of(COUNTING), rows_of(1), scores, [0.1 * n for n in range(101)])
    assert (model.latency_p50_s, model.latency_p99_s) == (pytest.approx(5.0), pytest.approx(9.9))
    assert only_model(task_of(COUNTING), rows_of(1), scores).latency_p50_s is None


# A model that failed on everything has a summary without numbers, and reasons.
@pytest.mark.parametrize(("kind", "scores"), [(COUNTING, count_scores([1, 2], [FAILED, FAILED]))])
def test_nothing_answered(kind, scores):
    model = only_model(task_of(kind), rows_of(2), scores)
    assert (model.coverage, model.by_slice) == (0, {})
    assert set(values(model.strict).values()) == {None}
    assert all(estimate.note for estimate in (*model.strict, *model.answered))


# Samples that were never sent, of a run that was stopped, lower the coverage only.
def test_unfinished_runs():
    model = only_model(task_of(COUNTING), rows_of(10), count_scores([1, 2], [1, 2]))
    assert (model.sample_count, model.coverage, values(model.strict)["mae"]) == (10, 0.2, 0)


# Strict and answered numbers stand in the order of the catalogue, all of them, with the better end.
@pytest.mark.parametrize("kind", list(TaskKind))
def test_every_metric_of_the_catalogue(kind):
    expected = ExpectedAnswer(AnswerKind.TEXT, ("cat",)) if kind is TaskKind.VQA else None
    truth = Truth(labels=boxes((1, 1)), count=1, label="cat", answer=expected)
    told = {"count": 1, "label": "cat", "probabilities": {"cat": 1.0}, "scores": (0.9,)}
    task = task_of(kind, **({"metrics": ["coco_ap"]} if kind is TaskKind.SEGMENTATION else {}))
    answer = prediction_of(**told, written="Answer: cat")
    model = only_model(task, rows_of(1), [score(task, sample_of(truth), answer, truth.labels)])
    catalogue = [(metric.name, metric.higher_is_better) for metric in METRICS[kind]]
    assert [(e.name, e.higher_is_better) for e in model.answered] == catalogue
    without = [(m.name, m.higher_is_better) for m in METRICS[kind] if not m.calibration]
    assert [(e.name, e.higher_is_better) for e in model.strict] == without


# The summary is plain data: it survives a round trip through JSON, without NaN.
def test_the_summary_is_plain_data():
    scores = class_scores(["cat", "cat"], ["cat", ABSTAINED], 0.9)
    summary = asdict(summarise(task_of(CLASSIFICATION), "set", rows_of(2), {"m": scores}, {}))
    again = json.loads(json.dumps(summary, allow_nan=False))
    assert again["models"][0]["confusion"] == summary["models"][0]["confusion"]


def published(path: Path) -> dict[str, list[str]]:
    header, *lines = path.read_text(encoding="utf-8-sig").splitlines()
    return dict(zip(header.split(","), zip(*(line.split(",") for line in lines), strict=True), strict=True))


# The published answers of the paper's models score to the published errors, to the last printed digit.
@pytest.mark.data
@pytest.mark.parametrize(
    ("table", "model", "answered", "mae", "rmse", "bias", "r2"),
    [
        ("BBBC005-S_w1", "GPT visual", 50, "19.72", "25.05", "-19.7", "0.376"),
        ("BBBC005-S_w1", "GPT code", 50, "8.48", "13.05", "-8.4", "0.831"),
        ("BBBC005-S_w1", "LLaVA", 43, "28.07", "39.44", "15.4", "-0.811"),
        ("BBBC005-S_w1", "SAM Manual", 50, "6.04", "8.54", "-5.9", "0.927"),
        ("BBBC005-S_w1", "SAM automated", 50, "3.52", "4.34", "3.3", "0.981"),
        ("BBBC005-S_w1", "Gemini", 50, "8.26", "11.60", "4.2", "0.866"),
        ("BBBC005-S_w2", "SAM automated", 50, "10.04", "13.15", "-1.7", "0.828"),
        ("BBBC005-S_w2", "Gemini", 50, "11.92", "17.67", "-1.8", "0.689"),
        ("NFFA-MS_fibers", "GPT visual", 25, "4.20", "6.02", "-3.9", "0.430"),
        ("NFFA-MS_fibers", "SAM automated", 25, "14.08", "17.14", "14.1", "-3.6"),
        ("NFFA-MS_fibers", "Gemini", 25, "3.40", "5.60", "-3.2", "0.508"),
        ("NFFA-MS_particles", "GPT visual", 25, "2.76", "5.16", "1.6", "0.819"),
        ("NFFA-MS_particles", "SAM automated", 25, "10.72", "18.6", "7.8", "-1.3"),
        ("NFFA-MS_particles", "Gemini", 25, "7.88", "15.0", "6.8", "-0.53"),
    ],
)
def test_the_papers_counts(real_data, table, model, answered, mae, rmse, bias, r2):
    columns = published(real_data / "paper_vlms_micrographs" / f"results_counting_{table}.csv")
    true = [int(count) for count in columns["ground truth"]]
    answers = [int(count) if count.strip() else UNPARSED for count in columns[model]]
    summary = only_model(task_of(COUNTING), rows_of(len(true)), count_scores(true, answers))
    found = values(summary.answered)
    assert summary.outcome_counts["scored"] == answered

    def printed(name: str, like: str) -> str:
        return f"{found[name]:.{len(like.split('.')[1])}f}"

    assert [printed("mae", mae), printed("rmse", rmse)] == [mae, rmse]
    assert [printed("bias", bias), printed("r2", r2)] == [bias, r2]


def two_models(task, answers: dict[str, list]) -> TaskSummary:
    true = list(range(10, 40))
    scores = {model: count_scores(true, given, task) for model, given in answers.items()}
    return summarise(task, "set", rows_of(30), scores, {})


# Two models are compared by the headline metric on the samples that neither failed on; silence is wrong
# in both.
def test_models_are_compared_on_common_samples():
    true = list(range(10, 40))
    good = [FAILED, *true[1:]]
    poor = [10, FAILED, ABSTAINED, *(count + 3 for count in true[3:])]
    (pair,) = two_models(task_of(COUNTING), {"good": good, "poor": poor}).comparisons
    assert (pair.first, pair.second, pair.method) == ("good", "poor", "permutation")
    assert (pair.difference.name, pair.difference.n) == ("mae", 28)
    assert pair.difference.value == pytest.approx(-(12 + 27 * 3) / 28)
    assert pair.better == "good"


# Models that cannot be told apart share a rank; a better one pushes the others down.
def test_ranks():
    true = list(range(10, 40))
    alternating = [count + (1 if count % 2 else -1) for count in true]
    other = [count + (1 if count % 3 else -1) for count in true]
    summary = two_models(
        task_of(COUNTING),
        {"a": alternating, "b": other, "exact": true, "poor": [count + 9 for count in true]},
    )
    assert {model.model: summary.rank(model.model) for model in summary.models} == {
        "exact": 1,
        "a": 2,
        "b": 2,
        "poor": 4,
    }
    assert len(summary.comparisons) == 6


# A bias has no better end, so it ranks nobody.
def test_bias_ranks_nobody():
    true = list(range(10, 40))
    task = task_of(COUNTING, headline="bias")
    summary = two_models(task, {"low": [count - 5 for count in true], "high": [count + 5 for count in true]})
    assert summary.comparisons[0].p_value < 0.05
    assert [summary.rank(model) for model in ("low", "high")] == [1, 1]


# The correction is over all tasks of a run: what one task alone would show may vanish among many.
def test_p_values_are_corrected_over_the_run():
    true = list(range(10, 40))
    close = [count + (count % 7 == 0) for count in true]
    one = two_models(
        task_of(COUNTING, headline="exact"),
        {"a": true, "b": [*close[:20], *(c + 1 for c in true[20:22]), *true[22:]]},
    )
    (alone,) = correct([one])[0].comparisons
    among = correct([one] * 10)
    assert alone.adjusted_p_value == alone.p_value
    assert among[3].comparisons[0].p_value == alone.p_value
    assert among[3].comparisons[0].adjusted_p_value == pytest.approx(min(1, 10 * alone.p_value))


# A single model is compared with nobody and ranks first.
def test_one_model():
    summary = two_models(task_of(COUNTING), {"only": list(range(10, 40))})
    assert (summary.comparisons, summary.rank("only")) == ((), 1)


# The published classes of ChatGPT score to the published figure: 138 of 250, 49.0 to 61.2 %.
@pytest.mark.data
def test_the_papers_classes(real_data):
    columns = published(real_data / "paper_vlms_micrographs" / "results_classification_NFFA-MS_chatgpt.csv")
    labels = [str(number) for number in range(1, 11)]
    task = task_of(CLASSIFICATION, dataset={"loader": "class_folders", "labels": labels})
    answers = zip(columns["actual_class"], columns["predicted_class"], strict=True)
    scores = [
        score(
            task,
            sample_of(Truth(label=true), i),
            prediction_of(i, label=answer) if answer in labels else prediction_of(i, UNPARSED),
            None,
        )
        for i, (true, answer) in enumerate(answers)
    ]
    accuracy = next(e for e in only_model(task, rows_of(250), scores).strict if e.name == "accuracy")
    assert accuracy.value == 138 / 250
    assert (round(accuracy.low, 3), round(accuracy.high, 3)) == (0.490, 0.612)
