"""Measurements of objects."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hooke import codecs, masks
from hooke.images import Micrograph, PixelSize
from hooke.types import Box, Instance

LABELS = np.zeros((12, 16), np.uint16)
LABELS[2:5, 3:7] = 1
LABELS[8:12, 10:16] = 2
LABELS[6, 1] = 3
INTENSITIES = (np.arange(12 * 16).reshape(12, 16) * 7 % 1000).astype(np.uint16)


def measured(labels: np.ndarray = LABELS, image: Micrograph | None = None) -> tuple[Instance, ...]:
    return masks.measure(labels, image or codecs.from_array(INTENSITIES))


# A rectangle has the area, box, centre, diameter and mean that one can work out by hand.
def test_a_rectangle() -> None:
    first = measured()[0]
    assert (first.label, first.area_px, first.bounding_box) == (1, 12, Box(3, 2, 4, 3))
    assert (first.centroid_x_px, first.centroid_y_px) == (4.5, 3.0)
    assert first.equivalent_diameter_px == pytest.approx(math.sqrt(4 * 12 / math.pi))
    assert first.mean_intensity == pytest.approx(INTENSITIES[LABELS == 1].mean())
    assert not first.touches_border


# Objects at the image's edge touch the border, others do not.
@pytest.mark.parametrize(
    ("rows", "columns"), [((0, 3), (5, 8)), ((9, 12), (5, 8)), ((4, 6), (0, 2)), ((4, 6), (14, 16))]
)
def test_the_border(rows: tuple[int, int], columns: tuple[int, int]) -> None:
    labels = np.zeros((12, 16), np.uint8)
    labels[slice(*rows), slice(*columns)] = 1
    assert measured(labels)[0].touches_border
    inner = np.zeros((12, 16), np.uint8)
    inner[1:11, 1:15] = 1
    assert not measured(inner)[0].touches_border


# The analysed field ends at the info bar: objects that reach it touch the border.
def test_the_info_bar_is_a_border() -> None:
    labels = np.zeros((12, 16), np.uint8)
    labels[3:8, 2:4] = 1
    labels[3:7, 6:9] = 2
    found = masks.measure(labels, codecs.from_array(INTENSITIES), info_bar=Box(0, 8, 16, 4))
    assert [instance.touches_border for instance in found] == [True, False]


# Without a pixel size there are no micrometres; with one, each axis counts.
def test_micrometres() -> None:
    assert all(found.area_um2 is None and found.equivalent_diameter_um is None for found in measured())
    scaled = measured(image=codecs.from_array(INTENSITIES, pixel_size=PixelSize(0.5, 2.0)))
    assert scaled[0].area_um2 == pytest.approx(12.0)
    assert scaled[0].equivalent_diameter_um == pytest.approx(math.sqrt(4 * 12 / math.pi))


# Intensities are those of the raw samples, averaged over channels or RGB samples.
@pytest.mark.parametrize(("axes", "dtype"), [("YXS", np.uint8), ("YXC", np.uint32), ("YXC", np.float32)])
def test_intensities_over_channels(axes: str, dtype: type) -> None:
    rng = np.random.default_rng(1)
    samples = (rng.random((12, 16, 3)) * 250).astype(dtype)
    found = measured(image=codecs.from_array(samples, axes))
    for instance in found:
        inside = samples[instance.label == LABELS].astype(np.float64)
        assert instance.mean_intensity == pytest.approx(inside.mean(), rel=1e-12)


# Sums of large samples do not overflow their type.
def test_intensities_do_not_overflow() -> None:
    image = codecs.from_array(np.full((300, 300), 2**32 - 1, np.uint32))
    (found,) = masks.measure(np.ones((300, 300), np.uint8), image)
    assert found.mean_intensity == 2**32 - 1


# Scores belong to the objects in the order of their labels; their number must fit.
def test_scores() -> None:
    image = codecs.from_array(INTENSITIES)
    found = masks.measure(LABELS, image, scores=np.array([0.9, 0.0, 0.5]))
    assert [instance.score for instance in found] == [0.9, 0.0, 0.5]
    assert all(type(instance.score) is float for instance in found)
    assert [instance.score for instance in measured()] == [None, None, None]
    with pytest.raises(ValueError, match="scores"):
        masks.measure(LABELS, image, scores=[0.5])


# Gaps between labels, however wide, cost nothing and are kept.
def test_gaps_between_labels() -> None:
    labels = np.zeros((12, 16), np.uint32)
    labels[1, 1], labels[5, 5] = 7, 2**32 - 1
    assert [found.label for found in measured(labels)] == [7, 2**32 - 1]


# Nothing found is an empty answer.
def test_nothing_to_measure() -> None:
    assert measured(np.zeros((12, 16), np.uint16)) == ()


# Labels that do not fit the image, or are none, are mistakes of the caller.
@pytest.mark.parametrize(
    "labels",
    [
        np.zeros((12, 15), int),
        np.zeros((12, 16)),
        np.full((12, 16), -1),
        np.zeros((0, 0), int),
        np.zeros(3, int),
        np.zeros((1, 12, 16), int),
    ],
)
def test_labels_that_do_not_fit(labels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="label"):
        measured(labels)


# Relabelling closes gaps, keeps the order, and chooses the type by the number of objects.
def test_relabel() -> None:
    labels = np.array([[0, 9, 9], [4, 0, 70_000]])
    assert masks.relabel(labels).tolist() == [[0, 2, 2], [1, 0, 3]]
    assert masks.relabel(labels).dtype == np.uint16
    many = masks.relabel(np.arange(2, 90_002).reshape(300, 300))
    assert many.dtype == np.uint32
    assert (int(many.min()), int(many.max())) == (1, 90_000)
    assert masks.relabel(np.zeros((2, 2), np.int8)).tolist() == [[0, 0], [0, 0]]
