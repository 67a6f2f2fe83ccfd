"""From the scores of single images to the segmentation metrics of a set."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from evaluator.metrics.intervals import Derived, Floats, Statistic
from evaluator.metrics.statistics import divide, mean
from evaluator.records import TaskKind

MEANS = {
    "seg_accuracy@0.5": "seg_accuracy@0.5",
    "seg_accuracy@0.75": "seg_accuracy@0.75",
    "seg_accuracy@0.9": "seg_accuracy@0.9",
    "seg_accuracy@.50:.95": "seg_accuracy@.50:.95",
    "pq": "pq",
    "sq": "sq",
    "rq": "rq",
    "aji_plus": "aji_plus",
    "dice_mean": "dice",
    "iou_mean": "iou",
    "boundary_f1@2px": "boundary_f1@2px",
    "split_mean": "split",
    "merge_mean": "merge",
    "missed_mean": "missed",
    "spurious_mean": "spurious",
}
"""Metric of a set -> metric of an image that it is the mean of."""
SUMS = ("tp", "fp", "fn", "iou_sum", "common", "truth_area", "predicted_area")
"""What pooling over images needs of each; see `SegmentationScore`."""


def statistics(images: Mapping[str, Floats], note: str = "") -> list[Statistic]:
    """Every segmentation metric of the catalogue.

    Args:
        images: metrics and sums of the single images, an array for each name; NaN where an image has none.
        note: passed on to the reader.
    """
    areas = [images[name] for name in ("common", "truth_area", "predicted_area")]
    found = [images[name] for name in ("iou_sum", "tp", "fp", "fn")]
    pooled = {
        "pq_pooled": Derived(found, 2, _quality),
        "dice_pooled": Derived(areas, 2, _dice),
        "iou_pooled": Derived(areas, 2, _iou),
    }
    return [
        *(mean(TaskKind.SEGMENTATION, name, images[single], note) for name, single in MEANS.items()),
        *(
            Statistic(name, features, _ratio_or_one, features.shape[0], note=note)
            for name, features in pooled.items()
        ),
    ]


def _quality(iou_sum: Floats, tp: Floats, fp: Floats, fn: Floats) -> Floats:
    return np.column_stack([iou_sum, tp + (fp + fn) / 2])


def _dice(common: Floats, truth: Floats, predicted: Floats) -> Floats:
    return np.column_stack([2 * common, truth + predicted])


def _iou(common: Floats, truth: Floats, predicted: Floats) -> Floats:
    return np.column_stack([common, truth + predicted - common])


def _ratio_or_one(sums: Floats) -> Floats:
    """Ratio of two sums; 1 where nothing was there and nothing was found."""
    return np.where(sums[:, 1] == 0, 1.0, divide(sums[:, 0], sums[:, 1]))
