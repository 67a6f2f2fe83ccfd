"""From the scores of single images to the segmentation metrics of a set."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from evaluator.metrics.intervals import Floats, Statistic
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
    areas, common = images["truth_area"] + images["predicted_area"], images["common"]
    pooled = {
        "pq_pooled": (images["iou_sum"], images["tp"] + (images["fp"] + images["fn"]) / 2),
        "dice_pooled": (2 * common, areas),
        "iou_pooled": (common, areas - common),
    }
    return [
        *(mean(TaskKind.SEGMENTATION, name, images[single], note) for name, single in MEANS.items()),
        *(
            Statistic(name, np.column_stack(columns), _ratio_or_one, common.size, note=note)
            for name, columns in pooled.items()
        ),
    ]


def _ratio_or_one(sums: Floats) -> Floats:
    """Ratio of two sums; 1 where nothing was there and nothing was found."""
    return np.where(sums[:, 1] == 0, 1.0, divide(sums[:, 0], sums[:, 1]))
