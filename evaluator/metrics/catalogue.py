"""Every metric that Hooke reports: its name, what it says, and which end is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from evaluator.records import TaskKind

THRESHOLDS = tuple(percent / 100 for percent in range(50, 100, 5))
"""IoU thresholds .50:.05:.95."""

BOUNDARY_TOLERANCE_PX = 2
"""How far apart two outlines may be and still agree, for `boundary_f1@2px`."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: as results, reports and suites write it.
        meaning: one sentence for the legend of a report.
        higher_is_better: None where neither end is better.
        calibration: judges probabilities, so it needs them and is given over answered samples only.
        optional: computed only where a task names it in `metrics`; no headline.
        unit: of the number; empty where it is a share, a ratio or a score.
    """

    name: str
    meaning: str
    higher_is_better: bool | None = True
    calibration: bool = False
    optional: bool = False
    unit: str = ""


COCO_AP = (
    Metric(
        "coco_ap",
        "COCO's average precision of objects ranked by their scores, IoU .50:.05:.95",
        optional=True,
    ),
    Metric("coco_ap50", "the same at IoU >= 0.5", optional=True),
    Metric("coco_ap75", "the same at IoU >= 0.75", optional=True),
)
"""Of models that give a score to every object that they find."""
SEGMENTATION = (
    Metric(
        "seg_accuracy@0.5",
        "TP / (TP + FP + FN) with objects matched one to one at IoU >= 0.5; mean of images",
    ),
    Metric("seg_accuracy@0.75", "the same at IoU >= 0.75"),
    Metric("seg_accuracy@0.9", "the same at IoU >= 0.9"),
    Metric("seg_accuracy@.50:.95", "mean of seg_accuracy over the IoU thresholds 0.50, 0.55 ... 0.95"),
    Metric("pq", "panoptic quality, SQ x RQ, of objects matched at IoU > 0.5; mean of images"),
    Metric("sq", "segmentation quality: mean IoU of matched objects; mean of the images that have any"),
    Metric("rq", "recognition quality: F1 of objects matched at IoU > 0.5; mean of images"),
    Metric("pq_pooled", "panoptic quality over the objects of all images together"),
    Metric("aji_plus", "aggregated Jaccard index with one-to-one pairs (AJI+); mean of images"),
    Metric("dice_mean", "Dice of the foreground, objects not told apart; mean of images"),
    Metric("dice_pooled", "the same over the pixels of all images together"),
    Metric("iou_mean", "IoU of the foreground, objects not told apart; mean of images"),
    Metric("iou_pooled", "the same over the pixels of all images together"),
    Metric("boundary_f1@2px", "F1 of outline pixels that have an outline of the other side within 2 px"),
    Metric(
        "split_mean",
        "true objects that hold the larger part of two answers or more; mean per image",
        False,
        unit="objects per image",
    ),
    Metric(
        "merge_mean",
        "answers that hold the larger part of two true objects or more; mean per image",
        False,
        unit="objects per image",
    ),
    Metric(
        "missed_mean",
        "true objects without an answer for their larger part; mean per image",
        False,
        unit="objects per image",
    ),
    Metric(
        "spurious_mean",
        "answers without a true object for their larger part; mean per image",
        False,
        unit="objects per image",
    ),
    *COCO_AP,
)
COUNTING = (
    Metric("mae", "mean absolute error, in objects", False, unit="objects"),
    Metric("rmse", "root of the mean squared error, in objects", False, unit="objects"),
    Metric("bias", "mean of answer - truth, in objects: above 0 counts too many", None, unit="objects"),
    Metric("mape", "mean of |answer - truth| / truth as a fraction, where truth is above 0", False),
    Metric("r2", "1 - squared error / variance of the truth; below 0 is worse than always saying the mean"),
    Metric("pearson_r", "correlation of answer and truth; hides bias, so read it beside r2"),
    Metric("exact", "share of answers that are exactly right"),
    Metric("within_10pct", "share of answers within 10 % of the truth"),
)
CLASSIFICATION = (
    Metric("accuracy", "share of right answers"),
    Metric("balanced_accuracy", "mean recall of the classes that occur"),
    Metric("macro_f1", "mean F1 of all classes of the label schema; 0 for a class that never occurs"),
    Metric("mcc", "Matthews correlation coefficient: 0 is chance"),
    Metric("kappa", "Cohen's kappa: agreement beyond chance"),
    Metric(
        "brier", "mean squared distance of the probabilities from the truth, 0 to 2", False, calibration=True
    ),
    Metric(
        "ece",
        "expected calibration error of the first choice, 15 bins of equal width",
        False,
        calibration=True,
    ),
)
VQA = (
    Metric("accuracy", "share of right answers; a number must be within its tolerance and have its unit"),
    Metric("anls_mean", "average normalised Levenshtein similarity (ANLS, threshold 0.5) of short texts"),
    Metric("within_tolerance", "share of the answers to questions for a number that are close enough"),
    Metric(
        "relative_error_median",
        "median of |answer - truth| / |truth| as a fraction, to two digits, where the truth is not 0",
        False,
    ),
    Metric(
        "unit_errors",
        "share of the answers to questions for a number with a unit of which nothing but the unit is wrong",
        False,
    ),
    Metric("grade_mean", "mean of the grades that a judge gave: A is 1, B 2/3, C 1/3 and D 0"),
)

METRICS: Mapping[TaskKind, tuple[Metric, ...]] = MappingProxyType(
    {
        TaskKind.SEGMENTATION: SEGMENTATION,
        TaskKind.COUNTING: COUNTING,
        TaskKind.CLASSIFICATION: CLASSIFICATION,
        TaskKind.VQA: VQA,
    }
)
"""The metrics of each kind of task, in the order of the report."""

MEANINGS: Mapping[TaskKind, Mapping[str, str]] = MappingProxyType(
    {kind: {metric.name: metric.meaning for metric in metrics} for kind, metrics in METRICS.items()}
)
"""What each metric says, by its name; the same name may say something else of another kind of task."""

HEADLINES: Mapping[TaskKind, str] = MappingProxyType(
    {
        TaskKind.SEGMENTATION: "seg_accuracy@0.5",
        TaskKind.COUNTING: "mae",
        TaskKind.CLASSIFICATION: "balanced_accuracy",
        TaskKind.VQA: "accuracy",
    }
)
"""The metric to look at first, where a suite does not say."""


def metric(kind: TaskKind, name: str) -> Metric:
    """The metric of this name; KeyError where there is none."""
    for candidate in METRICS[kind]:
        if candidate.name == name:
            return candidate
    raise KeyError(name)
