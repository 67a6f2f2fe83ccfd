"""COCO's average precision of objects that have scores.

Unlike `seg_accuracy` it asks how well the scores tell right objects from wrong ones: the objects of all
images are ranked together by their scores, and precision is averaged over recall (Lin et al., ECCV 2014).
Without scores there is no such ranking, and no such number.

The library is imported where it is called: it takes OpenCV with it where that is installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.catalogue import COCO_AP
from evaluator.metrics.overlap import LabelImage
from evaluator.summaries import Estimate
from hooke.errors import InvalidRequestError

_CATEGORY = 1


@dataclass(frozen=True, slots=True, eq=False)
class ScoredImage:
    """The true and the found objects of one image.

    Attributes:
        truth: H x W integers, 0 background; gaps between labels are fine.
        predicted: the same; or, where objects overlap, each as COCO's compressed run lengths of H x W.
        scores: one for each object of `predicted`, in the order of the labels.
    """

    truth: LabelImage
    predicted: LabelImage | Sequence[bytes]
    scores: Sequence[float]


@dataclass(frozen=True, slots=True)
class CocoAP:
    """Average precision: the mean over the IoU thresholds .50:.05:.95, and at two of them."""

    ap: float
    ap50: float
    ap75: float


def average_precision(images: Sequence[ScoredImage]) -> CocoAP | None:
    """The average precision over all images, of objects of any size and as many of them as there are.

    Returns:
        None where no image has a true object.

    Raises:
        InvalidRequestError: not one score for each object, or a label image of another shape than the truth.
    """
    truths, found = [], []
    for image_id, image in enumerate(images, start=1):
        size = list(image.truth.shape)
        common = {"image_id": image_id, "category_id": _CATEGORY}
        truths += [
            {**common, "segmentation": rle, "area": area, "iscrowd": 0} for rle, area in _objects(image.truth)
        ]
        rles = _found(image)
        if len(rles) != len(image.scores):
            raise InvalidRequestError(f"{len(image.scores)} scores for {len(rles)} objects")
        found += [
            {**common, "segmentation": {"size": size, "counts": counts}, "score": float(score)}
            for counts, score in zip(rles, image.scores, strict=True)
        ]
    if not truths:
        return None
    if not found:
        return CocoAP(0.0, 0.0, 0.0)
    evaluation = _evaluation(images, truths, found)
    # Axes: threshold, recall, category, range of areas, most objects.
    precision: NDArray[np.float64] = evaluation.eval["precision"][:, :, 0, 0, -1]
    by_threshold = precision.mean(axis=1)
    return CocoAP(float(by_threshold.mean()), float(by_threshold[0]), float(by_threshold[5]))


def estimates(images: Sequence[ScoredImage]) -> tuple[Estimate, ...]:
    """The metrics of `catalogue.COCO_AP`, in its order. They have no interval; the note says why."""
    found = average_precision(images)
    values = (None, None, None) if found is None else (found.ap, found.ap50, found.ap75)
    note = "no true object" if found is None else "no interval: the objects of all images are ranked together"
    return tuple(
        Estimate(
            metric.name,
            value,
            None,
            None,
            "",
            len(images),
            higher_is_better=metric.higher_is_better,
            note=note,
        )
        for metric, value in zip(COCO_AP, values, strict=True)
    )


def _evaluation(
    images: Sequence[ScoredImage], truths: list[dict[str, Any]], found: list[dict[str, Any]]
) -> Any:
    """The library's evaluation, accumulated."""
    from faster_coco_eval import COCO, COCOeval_faster  # noqa: PLC0415  (see above)

    sizes = [image.truth.shape for image in images]
    truth = COCO(
        {
            "images": [{"id": i, "height": h, "width": w} for i, (h, w) in enumerate(sizes, start=1)],
            "categories": [{"id": _CATEGORY, "name": "object"}],
            "annotations": [{**annotation, "id": i} for i, annotation in enumerate(truths, start=1)],
        }
    )
    evaluation = COCOeval_faster(truth, truth.loadRes(found), "segm")
    # COCO looks at the best 100 objects of an image only; micrographs show more.
    evaluation.params.maxDets = [max(len(image.scores) for image in images)]
    evaluation.params.areaRng = evaluation.params.areaRng[:1]
    evaluation.params.areaRngLbl = evaluation.params.areaRngLbl[:1]
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation


def _found(image: ScoredImage) -> list[bytes]:
    if not isinstance(image.predicted, np.ndarray):
        return list(image.predicted)
    if image.predicted.shape != image.truth.shape:
        raise InvalidRequestError(
            f"label images of the shapes {image.truth.shape} and {image.predicted.shape}"
        )
    return [rle["counts"] for rle, _ in _objects(image.predicted)]


def _objects(labels: LabelImage) -> list[tuple[dict[str, Any], int]]:
    """The run lengths and the pixels of each object of a label image, in the order of the labels.

    All objects in one pass over the image, column by column as COCO has it: a mask of the whole image for
    each of 900 objects would take a second.
    """
    from faster_coco_eval import mask as run_lengths  # noqa: PLC0415

    flat = labels.ravel(order="F")
    if not flat.size:
        return []
    starts = np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1])
    ends = np.append(starts[1:], flat.size)
    owners = flat[starts]
    order = np.argsort(owners, kind="stable")
    order = order[owners[order] != 0]
    objects = []
    for runs in np.split(order, np.flatnonzero(np.diff(owners[order])) + 1):
        if not runs.size:
            continue
        edges = np.column_stack([starts[runs], ends[runs]]).ravel()
        counts = np.diff(edges, prepend=0, append=flat.size)
        rle = run_lengths.frPyObjects({"size": list(labels.shape), "counts": counts.tolist()}, *labels.shape)
        objects.append((rle, int((ends[runs] - starts[runs]).sum())))
    return objects
