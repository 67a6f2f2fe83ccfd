"""The overlap matrix and the one-to-one matching on it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evaluator.metrics.overlap import Overlap
from hooke.errors import InvalidRequestError

label_images = arrays(np.uint8, (4, 5), elements=st.integers(0, 4))


def brute_iou(truth: np.ndarray, predicted: np.ndarray) -> dict[tuple[int, int], float]:
    """IoU of every pair of labels that share a pixel, by the definition."""
    pairs = {}
    for a in set(truth.ravel().tolist()) - {0}:
        for b in set(predicted.ravel().tolist()) - {0}:
            common = np.sum((truth == a) & (predicted == b))
            if common:
                pairs[a, b] = float(common / np.sum((truth == a) | (predicted == b)))
    return pairs


def all_matchings(pairs: list[tuple[int, int]]) -> list[tuple[tuple[int, int], ...]]:
    """Every set of pairs in which no label comes twice on its side."""
    return [
        chosen
        for size in range(len(pairs) + 1)
        for chosen in itertools.combinations(pairs, size)
        if len({a for a, _ in chosen}) == size and len({b for _, b in chosen}) == size
    ]


# Areas, common pixels and IoU are those that one counts by hand.
def test_counts_by_hand():
    truth = np.array([[1, 1, 0], [5, 5, 5]])
    predicted = np.array([[9, 0, 0], [9, 7, 7]])
    overlap = Overlap.of(truth, predicted)
    assert overlap.truth_labels.tolist() == [1, 5]
    assert overlap.predicted_labels.tolist() == [7, 9]
    assert overlap.truth_areas.tolist() == [2, 3]
    assert overlap.predicted_areas.tolist() == [2, 2]
    found = dict(zip(zip(overlap.truth, overlap.predicted, strict=True), overlap.common, strict=True))
    assert found == {(0, 1): 1, (1, 0): 2, (1, 1): 1}
    assert overlap.iou.tolist() == pytest.approx([1 / 3, 2 / 3, 1 / 4])


# The matrix is the one that the definition gives, for any pair of label images.
@settings(deadline=None, max_examples=200)
@given(label_images, label_images)
def test_iou_is_that_of_the_definition(truth, predicted):
    overlap = Overlap.of(truth, predicted)
    found = {
        (int(overlap.truth_labels[a]), int(overlap.predicted_labels[b])): iou
        for a, b, iou in zip(overlap.truth, overlap.predicted, overlap.iou, strict=True)
    }
    assert found == pytest.approx(brute_iou(truth, predicted))


# Matching at a threshold forms as many pairs as any one-to-one choice could, of the largest total IoU.
@settings(deadline=None, max_examples=200)
@given(label_images, label_images, st.sampled_from([0.5, 0.55, 0.75, 0.9]))
def test_matching_is_the_best_of_all(truth, predicted, threshold):
    overlap = Overlap.of(truth, predicted)
    pairs = overlap.match(threshold)
    iou = brute_iou(truth, predicted)
    good = [pair for pair, value in iou.items() if value >= threshold]
    best = max((len(chosen), sum(iou[pair] for pair in chosen)) for chosen in all_matchings(good))
    assert len(set(overlap.truth[pairs])) == len(set(overlap.predicted[pairs])) == pairs.size
    assert (pairs.size, overlap.iou[pairs].sum()) == pytest.approx(best)


# Pairing up without a threshold reaches the largest total IoU of all one-to-one choices.
@settings(deadline=None, max_examples=100)
@given(label_images, label_images)
def test_pairing_up_is_the_best_of_all(truth, predicted):
    overlap = Overlap.of(truth, predicted)
    iou = brute_iou(truth, predicted)
    best = max(sum(iou[pair] for pair in chosen) for chosen in all_matchings(list(iou)))
    assert overlap.iou[overlap.pair_up()].sum() == pytest.approx(best)


# An object cut into exact halves has IoU 0.5 with both, and is found by one of them only.
def test_halves_match_once():
    truth = np.array([[3, 3, 3, 3]])
    predicted = np.array([[1, 1, 2, 2]])
    assert Overlap.of(truth, predicted).match(0.5).size == 1


# At exactly 0.5 the largest number of pairs is formed, although a greedy choice would form fewer.
def test_ties_do_not_cost_a_pair():
    # Pairs at IoU 0.5: (1, 8), (2, 8), (2, 9): only (1, 8) with (2, 9) are two.
    truth = np.array([[1, 1, 0, 0, 2, 2]])
    predicted = np.array([[8, 0, 0, 0, 9, 0]])
    assert Overlap.of(truth, predicted).match(0.5).size == 2


# Below 0.5 a match would not be unique, so asking for it is an error.
def test_low_thresholds_are_refused():
    with pytest.raises(ValueError, match=r"0\.4"):
        Overlap.of(np.ones((2, 2), int), np.ones((2, 2), int)).match(0.4)


# Labels may be far apart, of any integer type, and the same numbers come out.
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64])
def test_any_integer_type(dtype):
    small = np.array([[0, 1, 1], [2, 2, 0]], dtype)
    large = small * dtype(60) if dtype is np.uint8 else small * dtype(np.iinfo(dtype).max // 4)
    overlap = Overlap.of(large, small)
    assert overlap.truth_areas.tolist() == [2, 2]
    assert overlap.iou.tolist() == [1, 1]
    assert overlap.truth_labels.tolist() == sorted(int(label) for label in np.unique(large)[1:])


# Label images of different shapes, and negative labels, are refused with a reason.
@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        (np.zeros((2, 2), int), np.zeros((2, 3), int), "shapes"),
        (np.zeros((2, 2, 2), int), np.zeros((2, 2, 2), int), "shapes"),
        (np.full((2, 2), -1), np.zeros((2, 2), int), "negative"),
    ],
)
def test_refuses_what_is_no_pair_of_label_images(truth, predicted, message):
    with pytest.raises(InvalidRequestError, match=message):
        Overlap.of(truth, predicted)


# Without any object there is nothing to match, and no error.
def test_empty_images():
    overlap = Overlap.of(np.zeros((3, 3), int), np.zeros((3, 3), int))
    assert overlap.match(0.5).size == overlap.pair_up().size == overlap.truth_labels.size == 0
