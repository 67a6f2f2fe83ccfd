"""How well predicted objects agree with true ones, image by image.

Sources: `seg_accuracy` is the score of the 2018 Data Science Bowl (Caicedo et al., Nature Methods 16,
2019), as StarDist and Cellpose use it; it is not COCO's average precision. Panoptic quality: Kirillov et
al., CVPR 2019. AJI+: Kumar et al., IEEE TMI 36, 2017, with the one-to-one pairs of Graham et al., Medical
Image Analysis 58, 2019. Boundary F1: Csurka et al., BMVC 2013.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from evaluator.metrics.catalogue import BOUNDARY_TOLERANCE_PX, THRESHOLDS
from evaluator.metrics.overlap import LabelImage, Overlap

NAMED_THRESHOLDS = (0.5, 0.75, 0.9)
ACCURACIES = (*(f"seg_accuracy@{threshold:g}" for threshold in NAMED_THRESHOLDS), "seg_accuracy@.50:.95")


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """Which objects were found, by label.

    Attributes:
        found: labels of the prediction, each with its true partner in `partners`.
        missed: labels of the truth without a partner.
        spurious: labels of the prediction without a partner.
    """

    found: NDArray[np.int64]
    partners: NDArray[np.int64]
    missed: NDArray[np.int64]
    spurious: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SegmentationScore:
    """One image.

    Attributes:
        metrics: by the names of one image; `sq` is left out where nothing was matched.
        sums: what pooling over images needs: tp, fp, fn, iou_sum at IoU > 0.5; common, truth_area and
            predicted_area of the foreground in pixels; true_count and predicted_count.
        trivial: neither truth nor prediction has an object; everything is 1 by definition.
    """

    metrics: Mapping[str, float]
    sums: Mapping[str, float]
    trivial: bool


def match(truth: LabelImage, predicted: LabelImage, threshold: float = 0.5) -> Matching:
    """Match objects one to one at IoU >= `threshold` (0.5 or more); see `Overlap.match`."""
    overlap = Overlap.of(truth, predicted)
    pairs = overlap.match(threshold)
    found, partners = (
        overlap.predicted_labels[overlap.predicted[pairs]],
        overlap.truth_labels[overlap.truth[pairs]],
    )
    return Matching(
        found=found,
        partners=partners,
        missed=np.setdiff1d(overlap.truth_labels, partners),
        spurious=np.setdiff1d(overlap.predicted_labels, found),
    )


def compare(truth: LabelImage, predicted: LabelImage) -> SegmentationScore:
    """Score one prediction.

    Args:
        truth: H x W integers of any type, 0 background; gaps between labels are fine.
        predicted: the same.

    Raises:
        InvalidRequestError: not two label images of one shape.
    """
    overlap = Overlap.of(truth, predicted)
    true_count, predicted_count = overlap.truth_labels.size, overlap.predicted_labels.size
    trivial = true_count + predicted_count == 0
    metrics = _accuracies(overlap)
    above_half = overlap.iou[overlap.iou > 0.5]
    tp, fp, fn = above_half.size, predicted_count - above_half.size, true_count - above_half.size
    iou_sum = float(above_half.sum())
    metrics["pq"] = _ratio(2 * iou_sum, 2 * tp + fp + fn, empty=1.0)
    metrics["rq"] = _ratio(2 * tp, 2 * tp + fp + fn, empty=1.0)
    if tp or trivial:
        metrics["sq"] = _ratio(iou_sum, tp, empty=1.0)
    metrics["aji_plus"] = _aji_plus(overlap)
    common = int(overlap.common.sum())
    truth_area, predicted_area = int(overlap.truth_areas.sum()), int(overlap.predicted_areas.sum())
    metrics["dice"] = _ratio(2 * common, truth_area + predicted_area, empty=1.0)
    metrics["iou"] = _ratio(common, truth_area + predicted_area - common, empty=1.0)
    metrics[f"boundary_f1@{BOUNDARY_TOLERANCE_PX}px"] = _boundary_f1(truth, predicted, BOUNDARY_TOLERANCE_PX)
    metrics |= _faults(overlap)
    sums = {
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "iou_sum": iou_sum,
        "common": common,
        "truth_area": truth_area,
        "predicted_area": predicted_area,
        "true_count": true_count,
        "predicted_count": predicted_count,
    }
    return SegmentationScore(metrics, sums, trivial)


def no_answer(true_count: int, truth_area: int) -> SegmentationScore:
    """The score of an image that got no answer: 0 in everything, even where the truth is empty."""
    names = ("pq", "rq", "aji_plus", "dice", "iou", "split", "merge", "spurious")
    metrics = dict.fromkeys((*ACCURACIES, *names, f"boundary_f1@{BOUNDARY_TOLERANCE_PX}px"), 0.0)
    sums = dict.fromkeys(("tp", "fp", "iou_sum", "common", "predicted_area", "predicted_count"), 0)
    return SegmentationScore(
        {**metrics, "missed": float(true_count)},
        {**sums, "fn": true_count, "truth_area": truth_area, "true_count": true_count},
        trivial=False,
    )


def _ratio(numerator: float, denominator: float, empty: float) -> float:
    return numerator / denominator if denominator else empty


def _accuracies(overlap: Overlap) -> dict[str, float]:
    objects = overlap.truth_labels.size + overlap.predicted_labels.size
    matched = [overlap.match(threshold).size for threshold in THRESHOLDS]
    values = [_ratio(tp, objects - tp, empty=1.0) for tp in matched]
    by_threshold = dict(zip(THRESHOLDS, values, strict=True))
    named = [*(by_threshold[threshold] for threshold in NAMED_THRESHOLDS), sum(values) / len(values)]
    return dict(zip(ACCURACIES, named, strict=True))


def _aji_plus(overlap: Overlap) -> float:
    pairs = overlap.pair_up()
    common = int(overlap.common[pairs].sum())
    # Union of the pairs, plus the whole of every object without a partner.
    everything = int(overlap.truth_areas.sum() + overlap.predicted_areas.sum())
    return _ratio(common, everything - common, empty=1.0)


def _boundary_f1(truth: LabelImage, predicted: LabelImage, tolerance_px: int) -> float:
    true_outline, predicted_outline = _outline(truth), _outline(predicted)
    true_size, predicted_size = int(true_outline.sum()), int(predicted_outline.sum())
    if not true_size or not predicted_size:
        return 1.0 if true_size == predicted_size else 0.0
    reach = np.arange(-tolerance_px, tolerance_px + 1)
    disc = reach[:, np.newaxis] ** 2 + reach**2 <= tolerance_px**2
    precision = (predicted_outline & ndimage.binary_dilation(true_outline, disc)).sum() / predicted_size
    recall = (true_outline & ndimage.binary_dilation(predicted_outline, disc)).sum() / true_size
    return float(_ratio(2 * precision * recall, precision + recall, empty=0.0))


def _outline(labels: LabelImage) -> NDArray[np.bool_]:
    """Pixels of objects with a neighbour, of four, that is another object, background, or off the image."""
    padded = np.pad(labels, 1)
    centre = padded[1:-1, 1:-1]
    differs: NDArray[np.bool_] = np.zeros(labels.shape, bool)
    for neighbour in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
        differs |= neighbour != centre
    differs &= centre != 0
    return differs


def _faults(overlap: Overlap) -> dict[str, float]:
    """Count objects that were cut, joined, overlooked or made up, by who holds the larger part of whom.

    An object holds another one if more than half of the other's pixels lie in it. A true object that
    holds two answers or more was split, an answer that holds two true objects or more merged them. An
    object that neither holds nor is held was missed, or is spurious.
    """
    common = 2 * overlap.common
    truth_holds = common > overlap.predicted_areas[overlap.predicted]
    predicted_holds = common > overlap.truth_areas[overlap.truth]
    related = truth_holds | predicted_holds
    held = np.bincount(overlap.truth[truth_holds], minlength=1)
    joined = np.bincount(overlap.predicted[predicted_holds], minlength=1)
    return {
        "split": float((held >= 2).sum()),
        "merge": float((joined >= 2).sum()),
        "missed": float(overlap.truth_labels.size - np.unique(overlap.truth[related]).size),
        "spurious": float(overlap.predicted_labels.size - np.unique(overlap.predicted[related]).size),
    }
