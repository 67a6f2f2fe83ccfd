"""Measurements of objects that overlap."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hooke import codecs, masks
from hooke.errors import ImageUnreadableError
from hooke.images import PixelSize
from hooke.types import Box

RNG = np.random.default_rng(7)
SHAPE = (37, 53)


def blobs(count: int) -> list[np.ndarray]:
    """Ellipses of any place and size, most of them over others."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    found = []
    for _ in range(count):
        row, column, high, wide = RNG.uniform(0, (*SHAPE, 14, 14))
        found.append(((rows - row) / (high + 1)) ** 2 + ((columns - column) / (wide + 1)) ** 2 <= 1)
    return found


# Every object is measured as if it were alone, whatever lies over it.
@pytest.mark.parametrize(
    ("axes", "dtype"), [("YX", np.uint16), ("YXS", np.uint8), ("YXC", np.float32), ("YX", np.uint32)]
)
def test_each_object_is_measured_alone(axes: str, dtype: type) -> None:
    samples = (RNG.random((*SHAPE, 3)[: len(axes)]) * 250).astype(dtype)
    image = codecs.from_array(samples, axes, pixel_size=PixelSize(0.5, 0.25))
    objects, bar = blobs(40), Box(0, 30, 53, 7)
    found = masks.measure_rles(
        [masks.encode_mask(mask, SHAPE) for mask in objects], image, np.linspace(0, 1, 40), bar
    )
    assert len(found) == 40
    for number, (mask, instance) in enumerate(zip(objects, found, strict=True)):
        (alone,) = masks.measure(mask.astype(np.uint8), image, [number / 39], bar)
        assert instance.mean_intensity == pytest.approx(alone.mean_intensity, rel=1e-12)
        assert instance.centroid_x_px == pytest.approx(alone.centroid_x_px, rel=1e-12)
        assert instance.centroid_y_px == pytest.approx(alone.centroid_y_px, rel=1e-12)
        assert instance.score == pytest.approx(alone.score)
        same = ("mean_intensity", "centroid_x_px", "centroid_y_px", "score")
        known = {name: getattr(alone, name) for name in same}
        assert dataclasses.replace(instance, **known) == dataclasses.replace(alone, label=number + 1)


# Runs that go on from the bottom of a column to the top of the next, up to the last pixel, are cut there.
def test_whole_columns() -> None:
    image = codecs.from_array(np.arange(12, dtype=np.uint8).reshape(3, 4))
    mask = np.zeros((3, 4), bool)
    mask[:, 1:] = True
    (found,) = masks.measure_rles([masks.encode_mask(mask, mask.shape)], image)
    assert (found.area_px, found.bounding_box) == (9, Box(1, 0, 3, 3))
    assert (found.centroid_x_px, found.centroid_y_px) == (2, 1)
    assert found.mean_intensity == pytest.approx(image.pixels[mask].mean())
    assert (found.score, found.area_um2, found.touches_border) == (None, None, True)


# A mask without pixels keeps its place, with zeros; no masks, no objects.
def test_masks_without_pixels() -> None:
    image = codecs.from_array(np.ones((4, 5), np.uint8), pixel_size=PixelSize(1, 1))
    full = np.ones((4, 5), bool)
    rles = [masks.encode_mask(mask, (4, 5)) for mask in (~full, full, ~full)]
    found = masks.measure_rles(rles, image, [0.25, 0.5, 0.75])
    assert [(each.label, each.area_px, each.score) for each in found] == [
        (1, 0, 0.25),
        (2, 20, 0.5),
        (3, 0, 0.75),
    ]
    assert (found[0].bounding_box, found[0].area_um2, found[0].mean_intensity) == (Box(0, 0, 0, 0), 0.0, 0.0)
    assert not found[0].touches_border
    assert masks.measure_rles(rles[:1], image)[0].area_px == 0
    assert masks.measure_rles([], image) == ()


# Encodings of another size, other numbers of scores and volumes are refused.
def test_what_does_not_fit() -> None:
    image = codecs.from_array(np.ones((4, 5), np.uint8))
    rle = masks.encode_mask(np.ones((4, 5), bool), (4, 5))
    with pytest.raises(ImageUnreadableError):
        masks.measure_rles([masks.encode_mask(np.ones((4, 6), bool), (4, 6))], image)
    with pytest.raises(ValueError, match="scores"):
        masks.measure_rles([rle], image, [0.5, 0.5])
    with pytest.raises(ValueError, match="ZYX"):
        masks.measure_rles([rle], codecs.from_array(np.ones((2, 4, 5), np.uint8), "ZYX"))
