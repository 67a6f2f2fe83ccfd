"""COCO's average precision of objects that have scores.

Unlike `seg_accuracy` it asks how well the scores tell right objects from wrong ones: the objects of all
images are ranked together by their scores, and precision is averaged over recall (Lin et al., ECCV 2014).
Without scores there is no such ranking, and no such number.

Whether an object is right is known from its own image. A resample of the bootstrap is then the same ranking
with other weights of the images, so that nothing has to be matched twice; the libraries of COCO know no
weights. The tests hold the number against pycocotools.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from evaluator.metrics.catalogue import COCO_AP
from evaluator.metrics.intervals import Floats, Statistic
from evaluator.metrics.overlap import LabelImage, Overlap
from hooke.errors import InvalidRequestError

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""Of IoU: .50:.05:.95, as the floats that COCO compares with."""
_RECALLS = np.linspace(0.0, 1.0, 101)
_COUNTED = {"coco_ap": range(10), "coco_ap50": (0,), "coco_ap75": (5,)}
"""Metric -> places of the thresholds that it is the mean over."""
_CELLS = 200_000
"""Weights of objects that are looked at together: few enough to stay near the processor."""


@dataclass(frozen=True, slots=True, eq=False)
class RankedImage:
    """The objects of one image, of any size and as many as there are.

    Attributes:
        true_count: how many there are.
        scores: of the objects that were found, in any order.
        passed: for each of them, how many of `THRESHOLDS` it is right at: the lowest ones.
    """

    true_count: int
    scores: Sequence[float] = ()
    passed: Sequence[int] = ()


def rank(truth: LabelImage, predicted: LabelImage, scores: Sequence[float]) -> RankedImage:
    """Find out at which thresholds each object is right.

    Above an IoU of 0.5 an object has at most one partner. At exactly 0.5 two answers may be halves of one
    true object; the one with the better score gets it.

    Args:
        truth: H x W integers, 0 background; gaps between labels are fine.
        predicted: the same.
        scores: one for each object of `predicted`, in the order of the labels.

    Raises:
        InvalidRequestError: not one score for each object, or label images of two shapes.
    """
    overlap = Overlap.of(truth, predicted)
    if overlap.predicted_labels.size != len(scores):
        raise InvalidRequestError(f"{len(scores)} scores for {overlap.predicted_labels.size} objects")
    given = np.asarray(scores, np.float64)
    good = np.flatnonzero(overlap.iou >= THRESHOLDS[0])
    good = good[np.argsort(-given[overlap.predicted[good]], kind="stable")]
    _, first = np.unique(overlap.truth[good], return_index=True)
    pairs = good[first]
    passed = np.zeros(given.size, np.int64)
    passed[overlap.predicted[pairs]] = np.searchsorted(THRESHOLDS, overlap.iou[pairs], side="right")
    return RankedImage(int(overlap.truth_labels.size), given.tolist(), passed.tolist())


def statistics(images: Sequence[RankedImage], note: str = "") -> list[Statistic]:
    """The metrics of `catalogue.COCO_AP`, in its order.

    Args:
        images: the single images; one without an answer has true objects only.
        note: passed on to the reader.
    """
    return [
        Statistic(
            metric.name,
            sparse.eye_array(len(images), format="csr"),
            _average_precision(images, _COUNTED[metric.name]),
            len(images),
            higher_is_better=metric.higher_is_better,
            undefined="no true object",
            note=note,
            swappable=False,
        )
        for metric in COCO_AP
    ]


def _average_precision(
    images: Sequence[RankedImage], thresholds: Sequence[int]
) -> Callable[[Floats], Floats]:
    """Rows of weights of the images -> the average precision of each row; NaN without a true object."""
    true_counts = np.array([image.true_count for image in images], np.float64)
    owners = np.repeat(np.arange(len(images)), [len(image.scores) for image in images])
    scores = np.array([score for image in images for score in image.scores], np.float64)
    passed = np.array([place for image in images for place in image.passed], np.int64)
    order = np.argsort(-scores, kind="stable")
    owners, passed = owners[order], passed[order]
    right = [np.flatnonzero(passed > threshold) for threshold in thresholds]
    rows_at_once = max(1, _CELLS // max(1, owners.size))

    def of_weights(weights: Floats) -> Floats:
        totals = weights @ true_counts
        result = np.full(weights.shape[0], np.nan)
        for start in range(0, weights.shape[0], rows_at_once):
            rows = slice(start, start + rows_at_once)
            drawn = weights[rows][:, owners]
            found = np.cumsum(drawn, axis=1)
            precisions = [
                _mean_precision(np.cumsum(drawn[:, places], axis=1), found[:, places], totals[rows])
                for places in right
            ]
            result[rows] = np.mean(precisions, axis=0)
        result[totals == 0] = np.nan
        return result

    return of_weights


def _mean_precision(right: Floats, found: Floats, totals: Floats) -> Floats:
    """The mean precision at 101 recalls, for each row.

    Args:
        right: rows x right objects, the best first: how many are right down to each of them.
        found: the same: how many were found down to it.
        totals: of true objects, for each row.
    """
    precision = np.divide(right, found, out=np.zeros_like(right), where=found > 0)
    # At any recall the best precision that is reached there or later counts.
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    padded = np.column_stack([precision, np.zeros(len(precision))])
    totals = totals[:, np.newaxis]
    recall = np.divide(right, totals, out=np.zeros_like(right), where=totals > 0)
    return np.array(
        [row[np.searchsorted(own, _RECALLS)].mean() for row, own in zip(padded, recall, strict=True)]
    )
