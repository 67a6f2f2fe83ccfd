"""COCO's average precision."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from pycocotools.mask import encode

from evaluator.metrics.catalogue import COCO_AP
from evaluator.metrics.coco import RankedImage, rank, statistics
from evaluator.metrics.comparison import compare
from evaluator.metrics.intervals import estimate
from hooke.errors import InvalidRequestError


class ScoredImage(NamedTuple):
    """Label images of the true and the found objects, and a score for each of these."""

    truth: np.ndarray
    predicted: np.ndarray
    scores: Sequence[float]


def average_precision(images: Sequence[ScoredImage]) -> list[float]:
    """coco_ap, coco_ap50 and coco_ap75; NaN where they are undefined."""
    found = statistics([rank(*image) for image in images])
    weights = np.ones((1, len(images)))
    return [float(statistic.of_sums(weights @ statistic.features)[0]) for statistic in found]


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
    assert found == pytest.approx([expected] * 3)


# Ranking the wrong object last is better, first worse: scores are what AP is about.
def test_the_ranking_counts():
    truth, predicted = squares((0, 0), (8, 0)), squares((0, 0), (8, 0), (14, 14))
    last, first = (
        average_precision([ScoredImage(truth, predicted, scores)])
        for scores in ([0.9, 0.8, 0.1], [0.3, 0.2, 0.9])
    )
    assert last[0] == pytest.approx(1)
    assert first[0] < 0.7


# On random images the numbers are those of COCO's own library.
@pytest.mark.parametrize("seed", range(5))
def test_is_cocos(seed):
    rng = np.random.default_rng(seed)
    images = [random_image(rng, 25, (64, 48 + 8 * i)) for i in range(4)]
    images.append(ScoredImage(np.zeros((10, 10), int), squares((2, 2), shape=(10, 10)), [0.5]))
    found = average_precision(images)
    assert found == pytest.approx(reference(images, 100), abs=1e-9)
    assert 0 < found[0] < found[1]


# More than 100 objects in an image all count.
def test_many_objects():
    corners = [(row, column) for row in range(0, 60, 4) for column in range(0, 60, 4)]
    labels = squares(*corners, side=3, shape=(60, 60))
    image = ScoredImage(labels, labels, np.linspace(0.1, 0.9, len(corners)))
    assert len(corners) == 225
    assert average_precision([image])[0] == pytest.approx(1)
    assert reference([image], 100)[0] < 0.5


# Halves of a true object overlap it by exactly 0.5; only one of them is right, the one with the better score.
@pytest.mark.parametrize("scores", [[0.9, 0.2], [0.2, 0.9], [0.5, 0.5]])
def test_halves(scores):
    truth, predicted = squares((0, 0), (8, 8)), squares((0, 0), (8, 8))
    predicted[0:2, 0:4] = 3
    images = [ScoredImage(truth, predicted, [scores[0], 0.7, scores[1]])]
    assert average_precision(images) == pytest.approx(reference(images, 100), abs=1e-9)


# Nothing found is 0, also where there is no answer; nothing to be found has no value.
def test_empty():
    empty = np.zeros((20, 24), np.uint8)
    assert average_precision([ScoredImage(squares((0, 0)), empty, [])]) == [0, 0, 0]
    assert estimate(statistics([RankedImage(3)]), [None])[0].value == 0
    assert np.isnan(average_precision([ScoredImage(empty, squares((0, 0)), [0.5])])).all()
    assert np.isnan(average_precision([ScoredImage(empty, empty, [])])).all()
    told = estimate(statistics([RankedImage(0)]), [None])
    assert [(e.value, e.note) for e in told] == [(None, "no true object")] * 3


# A weight of two is an image that is there twice, and one of zero an image that is not there: what the
# bootstrap draws is what COCO's own library finds of the images that were drawn.
@pytest.mark.parametrize("weights", [(2, 1, 0, 1), (0, 3, 1, 0), (1, 0, 0, 0)])
def test_weights_are_images(weights):
    rng = np.random.default_rng(3)
    images = [random_image(rng, 20, (50, 60)) for _ in weights]
    drawn = [image for image, weight in zip(images, weights, strict=True) for _ in range(weight)]
    found = statistics([rank(*image) for image in images])
    rows = np.array([weights, np.ones(4)], float)
    values = [statistic.of_sums(rows @ statistic.features) for statistic in found]
    assert [value[0] for value in values] == pytest.approx(reference(drawn, 100), abs=1e-9)
    assert [value[1] for value in values] == pytest.approx(reference(images, 100), abs=1e-9)


# The numbers have the names of the catalogue and intervals around them, over images or over clusters of them.
@pytest.mark.parametrize(("clusters", "method"), [([None] * 12, "bca"), ([*"aabbccddeeff"], "bca-clustered")])
def test_intervals(clusters, method):
    rng = np.random.default_rng(1)
    images = [random_image(rng, 15, (50, 70)) for _ in range(12)]
    found = estimate(statistics([rank(*image) for image in images]), clusters)
    assert [e.name for e in found] == [metric.name for metric in COCO_AP]
    for value, each in zip(average_precision(images), found, strict=True):
        assert each.value == pytest.approx(value)
        assert each.low < each.value < each.high
        assert (each.method, each.n) == (method, 12)


# The difference of two models has an interval, and no test: the answers of one are ranked among its own.
def test_differences():
    rng = np.random.default_rng(2)
    images = [random_image(rng, 15, (50, 70)) for _ in range(10)]
    worse = [rank(image.truth, image.predicted, rng.permutation(image.scores)) for image in images]
    first, second = statistics([rank(*image) for image in images])[1], statistics(worse)[1]
    found = compare(first, second, [None] * 10)
    assert found.estimate.low < found.estimate.value < found.estimate.high
    assert (found.p_value, found.method) == (None, "")
    assert compare(first, first, [None] * 10).estimate.value == 0


# What does not belong together is refused with a reason.
@pytest.mark.parametrize(
    ("predicted", "scores", "message"),
    [(squares((0, 0)), [0.5, 0.6], "2 scores for 1 object"), (np.ones((3, 3), int), [0.5], "shapes")],
)
def test_refused(predicted, scores, message):
    with pytest.raises(InvalidRequestError, match=message):
        rank(squares((0, 0)), predicted, scores)
