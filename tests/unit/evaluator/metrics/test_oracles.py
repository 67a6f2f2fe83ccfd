"""Segmentation metrics against StarDist's matching and against panoptic quality by its definition."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from stardist.matching import matching

from evaluator.metrics.catalogue import THRESHOLDS
from evaluator.metrics.segmentation import ACCURACIES, compare

PAIRS = 200
SHAPE = (32, 40)


def discs(rng: np.random.Generator, spots: np.ndarray) -> np.ndarray:
    """Discs at spots of row, column and radius, labelled with gaps; 0 where there is none."""
    labels = np.zeros(SHAPE, np.int32)
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    names = rng.choice(np.arange(1, 400), len(spots), replace=False)
    for name, (row, column, radius) in zip(names, spots, strict=True):
        labels[(rows - row) ** 2 + (columns - column) ** 2 <= radius**2] = name
    return labels


def moved(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Objects found a little off, some lost and some made up."""
    count = rng.integers(1, 14)
    spots = np.column_stack(
        [rng.integers(0, SHAPE[0], count), rng.integers(0, SHAPE[1], count), rng.integers(1, 6, count)]
    )
    other = spots + rng.integers(-1, 2, spots.shape)
    return discs(rng, spots[rng.random(count) < 0.8]), discs(rng, other[rng.random(count) < 0.8])


def halved(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rectangles that are cut into halves, or found with half or twice their width: IoU exactly 0.5."""
    truth, predicted = np.zeros(SHAPE, np.uint16), np.zeros(SHAPE, np.uint16)
    for i, row in enumerate(range(0, SHAPE[0] - 4, 5)):
        left, width, height = rng.integers(0, 8), rng.integers(1, 8), rng.integers(1, 5)
        first, second = slice(left, left + width), slice(left + width, left + 2 * width)
        rows, kind = slice(row, row + height), rng.integers(0, 4)
        truth[rows, first] = truth[rows, second] = 4 * i + 2
        predicted[rows, first] = 3 * i + 1
        if kind == 0:
            predicted[rows, second] = 3 * i + 2
        elif kind == 1:
            truth[rows, second] = 4 * i + 3
            predicted[rows, second] = 3 * i + 1
        elif kind == 2:  # 1-2-1: one pair is possible, or two if the right ones are chosen
            truth[rows, slice(left + 2 * width, left + 3 * width)] = 4 * i + 4
            predicted[rows, slice(left + width, left + 3 * width)] = 3 * i + 2
    return (truth, predicted) if rng.random() < 0.5 else (predicted, truth)


def noise(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Labels that hang together nowhere, and many pairs that share a few pixels."""
    small = (6, 7)
    return rng.integers(0, 5, small), np.where(rng.random(small) < 0.7, rng.integers(0, 5, small), 0)


def one_empty(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Objects on one side only."""
    truth, empty = moved(rng)[0], np.zeros(SHAPE, np.uint8)
    return (truth, empty) if rng.random() < 0.5 else (empty, truth)


KINDS = (moved, halved, moved, noise, halved, moved, halved, noise, moved, one_empty)


def pair(seed: int) -> tuple[np.ndarray, np.ndarray]:
    return KINDS[seed % len(KINDS)](np.random.default_rng(seed))


def exact_iou(truth: np.ndarray, predicted: np.ndarray) -> list[Fraction]:
    """IoU of all objects of one side with all of the other, as sets of pixels, without rounding."""

    def objects(labels: np.ndarray) -> list[set[int]]:
        return [set(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels) if label]

    return [Fraction(len(a & b), len(a | b)) for a in objects(truth) for b in objects(predicted)]


# On 200 random pairs of label images `seg_accuracy` is StarDist's accuracy, at every threshold.
@pytest.mark.parametrize("seed", range(PAIRS))
def test_seg_accuracy_is_stardists(seed):
    truth, predicted = pair(seed)
    found = compare(truth, predicted)
    if found.trivial:  # where nothing is there and nothing found, StarDist says 0
        assert {found.metrics[name] for name in ACCURACIES} == {1.0}
        return
    expected = [result.accuracy for result in matching(truth, predicted, thresh=THRESHOLDS)]
    by_threshold = dict(zip(THRESHOLDS, expected, strict=True))
    assert [found.metrics[name] for name in ACCURACIES] == pytest.approx(
        [by_threshold[0.5], by_threshold[0.75], by_threshold[0.9], np.mean(expected)], abs=1e-12
    )


# On the same pairs PQ, SQ and RQ are those of the definition: pairs above, not at, an IoU of 0.5.
@pytest.mark.parametrize("seed", range(PAIRS))
def test_panoptic_quality_is_that_of_the_definition(seed):
    truth, predicted = pair(seed)
    found = compare(truth, predicted).metrics
    matched = [iou for iou in exact_iou(truth, predicted) if iou > Fraction(1, 2)]
    objects = sum(np.unique(labels[labels > 0]).size for labels in (truth, predicted))
    if objects:
        assert found["pq"] == pytest.approx(float(2 * sum(matched) / Fraction(objects)))
        assert found["rq"] == pytest.approx(2 * len(matched) / objects)
    assert ("sq" in found) == bool(matched or not objects)
    if matched:
        assert found["sq"] == pytest.approx(float(sum(matched) / len(matched)))


# The pairs hold what is hard: gaps between labels, empty sides, objects at an IoU of exactly 0.5.
def test_the_pairs_are_hard():
    pairs = [pair(seed) for seed in range(PAIRS)]
    labels = [np.unique(side[side > 0]) for both in pairs for side in both]
    assert sum(found.size > 0 and found.max() > found.size for found in labels) > 100
    assert sum(found.size == 0 for found in labels) >= 20
    assert sum(Fraction(1, 2) in exact_iou(*both) for both in pairs) >= 60
