"""From the scores of single images to the segmentation metrics of a set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluator.metrics.intervals import Floats, Statistic
from evaluator.metrics.segmentation import SegmentationScore
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


def statistics(images: Sequence[SegmentationScore], note: str = "") -> list[Statistic]:
    """Every segmentation metric of the catalogue.

    Args:
        images: the scores of the single images.
        note: passed on to the reader.
    """

    def column(name: str) -> Floats:
        return np.array([image.sums[name] for image in images], np.float64)

    areas, common = column("truth_area") + column("predicted_area"), column("common")
    pooled = {
        "pq_pooled": (column("iou_sum"), column("tp") + (column("fp") + column("fn")) / 2),
        "dice_pooled": (2 * common, areas),
        "iou_pooled": (common, areas - common),
    }
    return [
        *(
            mean(TaskKind.SEGMENTATION, name, [image.metrics.get(single, np.nan) for image in images], note)
            for name, single in MEANS.items()
        ),
        *(
            Statistic(name, np.column_stack(columns), _ratio_or_one, len(images), note=note)
            for name, columns in pooled.items()
        ),
    ]


def _ratio_or_one(sums: Floats) -> Floats:
    """Ratio of two sums; 1 where nothing was there and nothing was found."""
    return np.where(sums[:, 1] == 0, 1.0, divide(sums[:, 0], sums[:, 1]))
