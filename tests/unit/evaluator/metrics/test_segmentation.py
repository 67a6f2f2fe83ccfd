"""Segmentation metrics of one image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evaluator.metrics.catalogue import METRICS
from evaluator.metrics.segmentation import compare, match, no_answer
from evaluator.metrics.segmentation_statistics import MEANS
from evaluator.records import TaskKind

label_images = arrays(np.uint8, (6, 6), elements=st.integers(0, 4))
COUNTS = ("split", "merge", "missed", "spurious")


def squares(*corners: tuple[int, int], side: int = 4, shape: tuple[int, int] = (20, 20)) -> np.ndarray:
    """Squares with these top-left corners, labelled 1, 2, ..."""
    labels = np.zeros(shape, np.uint16)
    for label, (row, column) in enumerate(corners, start=1):
        labels[row : row + side, column : column + side] = label
    return labels


# Three squares, one found exactly, one shifted by a column (IoU 12/20 = 0.6), one missed, one made up.
def test_by_hand():
    truth = squares((0, 0), (0, 8), (8, 0))
    predicted = squares((0, 0), (0, 9), (12, 12))
    result = compare(truth, predicted)
    metrics = result.metrics
    assert metrics["seg_accuracy@0.5"] == 2 / 4
    assert metrics["seg_accuracy@0.75"] == 1 / 5
    assert metrics["seg_accuracy@0.9"] == 1 / 5
    # 0.50, 0.55 and 0.60 match two, the seven higher thresholds one.
    assert metrics["seg_accuracy@.50:.95"] == pytest.approx((3 * 2 / 4 + 7 * 1 / 5) / 10)
    assert metrics["sq"] == pytest.approx((1 + 0.6) / 2)
    assert metrics["rq"] == pytest.approx(2 / 3)
    assert metrics["pq"] == pytest.approx((1 + 0.6) / 2 * 2 / 3)
    # Intersections 16 + 12; unions 16 + 20, and 16 each of the missed and the made-up square.
    assert metrics["aji_plus"] == pytest.approx(28 / 68)
    assert metrics["dice"] == pytest.approx(2 * 28 / 96)
    assert metrics["iou"] == pytest.approx(28 / 68)
    assert [metrics[name] for name in COUNTS] == [0, 0, 1, 1]
    assert result.sums == {
        "tp": 2,
        "fp": 1,
        "fn": 1,
        "iou_sum": pytest.approx(1.6),
        "common": 28,
        "truth_area": 48,
        "predicted_area": 48,
        "true_count": 3,
        "predicted_count": 3,
    }
    assert not result.trivial


# Outlines that lie up to 2 px apart agree, and farther ones do not.
@pytest.mark.parametrize(("shift", "expected"), [(0, 1.0), (2, 1.0), (10, 0.0)])
def test_boundary_tolerance(shift, expected):
    truth, predicted = squares((4, 2)), squares((4, 2 + shift))
    assert compare(truth, predicted).metrics["boundary_f1@2px"] == expected


# A square moved by 3 px keeps the outline pixels that are within 2 px of the other outline.
def test_boundary_by_hand():
    truth, predicted = squares((4, 2), side=8), squares((4, 5), side=8)
    # Of the 28 outline pixels of the truth the 8 of its left side are 3 px from any of the prediction, and
    # of its right side the 2 in the middle; the prediction mirrors that.
    assert compare(truth, predicted).metrics["boundary_f1@2px"] == pytest.approx(18 / 28)


# One object answered as two is a split; two answered as one are a merge; the other way round is the other.
def test_split_and_merge_mirror_each_other():
    whole, halves = squares((2, 2), side=8), squares((2, 2), side=8)
    halves[:, 6:10][halves[:, 6:10] > 0] = 2
    split, merge = compare(whole, halves).metrics, compare(halves, whole).metrics
    assert [split[name] for name in COUNTS] == [1, 0, 0, 0]
    assert [merge[name] for name in COUNTS] == [0, 1, 0, 0]


# Without objects on either side everything is 1 and marked as trivial.
def test_both_empty_is_trivial():
    empty = np.zeros((5, 5), np.uint8)
    result = compare(empty, empty)
    assert result.trivial
    assert {name: value for name, value in result.metrics.items() if name not in COUNTS} == {
        name: 1.0 for name in result.metrics if name not in COUNTS
    }
    assert [result.metrics[name] for name in COUNTS] == [0, 0, 0, 0]


# If only one side is empty, everything is 0 and nothing is trivial; `sq` has nothing to be the mean of.
@pytest.mark.parametrize("swap", [False, True])
def test_one_side_empty(swap):
    sides = [np.zeros((20, 20), np.uint16), squares((1, 1), (8, 8))]
    truth, predicted = reversed(sides) if swap else sides
    result = compare(truth, predicted)
    assert not result.trivial
    assert "sq" not in result.metrics
    assert all(value == 0 for name, value in result.metrics.items() if name not in COUNTS)
    assert [result.metrics[name] for name in COUNTS] == ([0, 0, 2, 0] if swap else [0, 0, 0, 2])


# A prediction equal to the truth is perfect, whatever the truth is.
@settings(deadline=None, max_examples=100)
@given(label_images)
def test_perfect_is_one(labels):
    metrics = compare(labels, labels).metrics
    assert all(value == pytest.approx(1) for name, value in metrics.items() if name not in COUNTS)
    assert all(metrics[name] == 0 for name in COUNTS)


# Every share lies between 0 and 1, and stricter thresholds never score higher.
@settings(deadline=None, max_examples=200)
@given(label_images, label_images)
def test_bounds(truth, predicted):
    metrics = compare(truth, predicted).metrics
    assert all(0 <= value <= 1 for name, value in metrics.items() if name not in COUNTS)
    assert metrics["seg_accuracy@0.5"] >= metrics["seg_accuracy@0.75"] >= metrics["seg_accuracy@0.9"]
    assert metrics["seg_accuracy@.50:.95"] <= metrics["seg_accuracy@0.5"] + 1e-9


# Exchanging truth and prediction changes nothing but the names of the faults.
@settings(deadline=None, max_examples=200)
@given(label_images, label_images)
def test_symmetry(truth, predicted):
    there, back = compare(truth, predicted).metrics, compare(predicted, truth).metrics
    mirror = {"split": "merge", "merge": "split", "missed": "spurious", "spurious": "missed"}
    assert there == pytest.approx({name: back[mirror.get(name, name)] for name in there})


# Which numbers the objects have, and whether there are gaps between them, does not matter.
@settings(deadline=None, max_examples=100)
@given(label_images, label_images, st.permutations([3, 70_001, 12, 900, 4_000_000]))
def test_relabelling_changes_nothing(truth, predicted, numbers):
    names = np.array([0, *numbers], np.uint32)
    assert compare(names[truth], names[predicted]).metrics == pytest.approx(compare(truth, predicted).metrics)


# The matching names the labels of both sides, those found with their partners.
def test_matching_names_labels():
    truth, predicted = squares((0, 0), (0, 8), (8, 0)) * 10, squares((0, 8), (0, 0), (12, 12))
    matching = match(truth, predicted)
    assert dict(zip(matching.found.tolist(), matching.partners.tolist(), strict=True)) == {1: 20, 2: 10}
    assert matching.missed.tolist() == [30]
    assert matching.spurious.tolist() == [3]


# What an image without an answer scores has the same names as one with an answer, and no credit.
def test_no_answer_has_no_credit():
    result = no_answer(true_count=0, truth_area=0)
    answered = compare(squares((0, 0)), squares((0, 0)))
    assert set(result.metrics) == set(answered.metrics) - {"sq"}
    assert set(result.sums) == set(answered.sums)
    assert all(value == 0 for value in result.metrics.values())
    assert no_answer(true_count=3, truth_area=48).metrics["missed"] == 3
    assert not result.trivial


# Each metric of a set that is a mean names a metric of an image, and all are in the catalogue.
def test_means_name_metrics_of_images():
    assert set(MEANS.values()) == set(compare(squares((0, 0)), squares((0, 0))).metrics)
    assert set(MEANS) < {metric.name for metric in METRICS[TaskKind.SEGMENTATION]}
