"""COCO's average precision."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from pycocotools.mask import encode

from evaluator.metrics.catalogue import COCO_AP
from evaluator.metrics.coco import CocoAP, ScoredImage, average_precision, estimates
from hooke.errors import InvalidRequestError


def squares(*corners: tuple[int, int], side: int = 4, shape: tuple[int, int] = (20, 24)) -> np.ndarray:
    """Squares with these top-left corners, labelled 1, 2, ..."""
    labels = np.zeros(shape, np.uint16)
    for label, (row, column) in enumerate(corners, start=1):
        labels[row : row + side, column : column + side] = label
    return labels


def masks_of(labels: np.ndarray) -> list[np.ndarray]:
    return [np.asfortranarray(labels == label, np.uint8) for label in np.unique(labels) if label]


def reference(images: list[ScoredImage], most: int) -> list[float]:
    """What COCO's own library finds, from one mask an object."""
    truths, found = [], []
    for i, image in enumerate(images, start=1):
        common = {"image_id": i, "category_id": 1}
        for mask in masks_of(image.truth):
            area = int(mask.sum())
            truths.append(
                {**common, "id": len(truths) + 1, "segmentation": encode(mask), "area": area, "iscrowd": 0}
            )
        for mask, score in zip(masks_of(image.predicted), image.scores, strict=True):
            found.append({**common, "segmentation": encode(mask), "score": score})
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        sizes = [image.truth.shape for image in images]
        truth.dataset = {
            "info": {},
            "images": [{"id": i, "height": h, "width": w} for i, (h, w) in enumerate(sizes, start=1)],
            "categories": [{"id": 1, "name": "object"}],
            "annotations": truths,
        }
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found), "segm")
        evaluation.params.maxDets = [1, 10, most]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, 0, 0, -1].mean(axis=1)
    return [precision.mean(), precision[0], precision[5]]


def random_image(rng: np.random.Generator, count: int, shape: tuple[int, int]) -> ScoredImage:
    """Discs, found moved by a few pixels, some lost and some made up, with gaps between the labels."""
    truth, predicted = np.zeros(shape, np.int32), np.zeros(shape, np.uint16)
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    for i in range(count):
        row, column, radius = rng.integers(0, shape[0]), rng.integers(0, shape[1]), rng.integers(2, 6)
        if rng.random() < 0.8:
            truth[(rows - row) ** 2 + (columns - column) ** 2 <= radius**2] = 3 * i + 1
        if rng.random() < 0.8:
            row, column = row + rng.integers(-1, 2), column + rng.integers(-1, 2)
            predicted[(rows - row) ** 2 + (columns - column) ** 2 <= radius**2] = 2 * i + 1
    found = np.unique(predicted)
    return ScoredImage(truth, predicted, rng.permutation(found[found > 0].size) / 1000)


# Two objects found out of three, a wrong one ranked between them: precision 1 up to recall 1/3, then 2/3.
def test_by_hand():
    truth = squares((0, 0), (8, 0), (8, 10))
    predicted = squares((0, 0), (14, 18), (8, 0))
    found = average_precision([ScoredImage(truth, predicted, [0.9, 0.8, 0.7])])
    # Of the 101 recalls 0.00 to 1.00, 34 are at most 1/3 and 33 more at most 2/3.
    expected = (34 * 1 + 33 * 2 / 3) / 101
    assert found == CocoAP(*[pytest.approx(expected)] * 3)


# Ranking the wrong object last is better, first worse: scores are what AP is about.
def test_the_ranking_counts():
    truth, predicted = squares((0, 0), (8, 0)), squares((0, 0), (8, 0), (14, 14))
    last, first = (
        average_precision([ScoredImage(truth, predicted, scores)])
        for scores in ([0.9, 0.8, 0.1], [0.3, 0.2, 0.9])
    )
    assert last.ap == pytest.approx(1)
    assert first.ap < 0.7


# On random images the numbers are those of COCO's own library.
@pytest.mark.parametrize("seed", range(5))
def test_is_cocos(seed):
    rng = np.random.default_rng(seed)
    images = [random_image(rng, 25, (64, 48 + 8 * i)) for i in range(4)]
    images.append(ScoredImage(np.zeros((10, 10), int), squares((2, 2), shape=(10, 10)), [0.5]))
    found = average_precision(images)
    assert [found.ap, found.ap50, found.ap75] == pytest.approx(reference(images, 100), abs=1e-9)
    assert 0 < found.ap < found.ap50


# More than 100 objects in an image all count.
def test_many_objects():
    corners = [(row, column) for row in range(0, 60, 4) for column in range(0, 60, 4)]
    labels = squares(*corners, side=3, shape=(60, 60))
    image = ScoredImage(labels, labels, np.linspace(0.1, 0.9, len(corners)))
    assert len(corners) == 225
    assert average_precision([image]).ap == pytest.approx(1)
    assert reference([image], 100)[0] < 0.5


# Run lengths, which may overlap, give the same as the label image that they were made of.
def test_run_lengths():
    image = random_image(np.random.default_rng(9), 20, (50, 70))
    rles = [encode(mask)["counts"] for mask in masks_of(image.predicted)]
    assert average_precision([ScoredImage(image.truth, rles, image.scores)]) == average_precision([image])


# Nothing found is 0; nothing to be found has no value.
def test_empty():
    empty = np.zeros((20, 24), np.uint8)
    assert average_precision([ScoredImage(squares((0, 0)), empty, [])]) == CocoAP(0, 0, 0)
    assert average_precision([ScoredImage(empty, squares((0, 0)), [0.5])]) is None
    assert average_precision([ScoredImage(empty, empty, [])]) is None
    assert [e.note for e in estimates([ScoredImage(empty, empty, [])])] == ["no true object"] * 3


# The estimates have the names of the catalogue, and say why they have no interval.
def test_estimates():
    image = random_image(np.random.default_rng(1), 20, (50, 70))
    found, estimated = average_precision([image]), estimates([image])
    assert [e.name for e in estimated] == [metric.name for metric in COCO_AP]
    assert [e.value for e in estimated] == [found.ap, found.ap50, found.ap75]
    assert all((e.low, e.high, e.method, e.n) == (None, None, "", 1) and e.note for e in estimated)


# What does not belong together is refused with a reason.
@pytest.mark.parametrize(
    ("predicted", "scores", "message"),
    [(squares((0, 0)), [0.5, 0.6], "2 scores for 1 object"), (np.ones((3, 3), int), [0.5], "shapes")],
)
def test_refused(predicted, scores, message):
    with pytest.raises(InvalidRequestError, match=message):
        average_precision([ScoredImage(squares((0, 0)), predicted, scores)])
