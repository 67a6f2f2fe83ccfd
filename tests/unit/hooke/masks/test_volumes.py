"""Measurements of objects in volumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from hooke import codecs, masks
from hooke.images import Micrograph, PixelSize
from hooke.types import Box, Extent

SIZE = PixelSize(0.5, 0.25, 2.0)


def labels() -> np.ndarray:
    """Object 1 leans to the right over three planes; object 5 lies above a part of it."""
    volume = np.zeros((5, 8, 10), np.uint16)
    volume[1, 2:4, 1:4] = 1
    volume[2, 2:4, 3:6] = 1
    volume[3, 2:3, 5:7] = 1
    volume[4, 3:8, 2:3] = 5
    return volume


def image(axes: str = "ZYX", size: PixelSize | None = None) -> Micrograph:
    shape = (5, 8, 10, 2)[: len(axes)]
    samples = np.random.default_rng(1).integers(0, 60_000, shape, np.uint16)
    return codecs.from_array(samples, axes, pixel_size=size)


# An object's box, area, centroid and border are those of its projection, its extent that of its voxels.
def test_a_leaning_object() -> None:
    leaning, above = masks.measure(labels(), image())
    footprint = (labels() == 1).any(axis=0)
    rows, columns = np.nonzero(footprint)
    assert (leaning.label, leaning.area_px) == (1, footprint.sum())
    assert leaning.bounding_box == Box(1, 2, 6, 2)
    assert leaning.centroid_x_px == pytest.approx(columns.mean())
    assert leaning.centroid_y_px == pytest.approx(rows.mean())
    assert not leaning.touches_border
    assert leaning.extent == Extent(14, None, 1, 3, pytest.approx(np.nonzero(labels() == 1)[0].mean()))
    assert (above.label, above.area_px, above.touches_border) == (5, 5, True)
    assert above.extent == Extent(5, None, 4, 1, 4.0)


# The intensity is the mean over all voxels and channels, not over the projection.
@pytest.mark.parametrize("axes", ["ZYX", "ZYXC"])
def test_intensities_are_those_of_all_voxels(axes: str) -> None:
    stack = image(axes)
    for found in masks.measure(labels(), stack):
        assert found.mean_intensity == pytest.approx(stack.pixels[labels() == found.label].mean())


# Cubic micrometres need the distance of the planes; square ones do not.
def test_volumes_in_micrometres() -> None:
    leaning, _ = masks.measure(labels(), image(size=SIZE))
    assert leaning.extent is not None
    assert leaning.extent.volume_um3 == pytest.approx(14 * 0.25)
    assert leaning.area_um2 == pytest.approx(leaning.area_px * 0.125)
    flat, _ = masks.measure(labels(), image(size=PixelSize(0.5, 0.25)))
    assert flat.extent is not None
    assert flat.extent.volume_um3 is None


# Whatever the shapes, the projection is that of NumPy, object by object.
def test_projections_of_anything() -> None:
    rng = np.random.default_rng(2)
    for _ in range(30):
        volume = rng.integers(0, 4, (4, 6, 7), np.uint8) * (rng.random((4, 6, 7)) < 0.5)
        stack = codecs.from_array(np.zeros((4, 6, 7), np.uint8), "ZYX")
        for found in masks.measure(volume, stack):
            footprint = (volume == found.label).any(axis=0)
            rows, columns = np.nonzero(footprint)
            assert found.area_px == footprint.sum()
            assert (found.centroid_x_px, found.centroid_y_px) == pytest.approx((columns.mean(), rows.mean()))
            assert found.bounding_box == Box(columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)


# A stack of one plane gives what the plane gives, and an extent beside.
def test_one_plane() -> None:
    plane = labels()[1]
    flat = codecs.from_array(image().pixels[1])
    stack = codecs.from_array(image().pixels[1:2], "ZYX")
    (in_plane,) = masks.measure(plane, flat)
    (in_stack,) = masks.measure(plane[np.newaxis], stack)
    assert in_stack.extent == Extent(6, None, 0, 1, 0.0)
    assert in_plane.extent is None
    assert (in_stack.bounding_box, in_stack.mean_intensity) == (
        in_plane.bounding_box,
        in_plane.mean_intensity,
    )


# An empty volume is an empty answer.
def test_nothing_in_a_volume() -> None:
    assert masks.measure(np.zeros((5, 8, 10), np.uint8), image()) == ()


# A volume does not fit a plane with as many channels, nor other planes.
@pytest.mark.parametrize(("axes", "shape"), [("YXC", (5, 8, 10)), ("ZYX", (4, 8, 10)), ("YX", (8, 10))])
def test_volumes_that_do_not_fit(axes: str, shape: tuple[int, ...]) -> None:
    other = codecs.from_array(np.zeros(shape, np.uint8), axes)
    with pytest.raises(ValueError, match="do not fit"):
        masks.measure(labels(), other)


# Relabelling closes gaps in a volume too.
def test_relabel_a_volume() -> None:
    renamed = masks.relabel(labels())
    assert renamed.shape == (5, 8, 10)
    assert np.array_equal(renamed == 2, labels() == 5)


# A label volume as a file keeps its planes, its labels and the size of its voxels.
@pytest.mark.parametrize("offset", [0, 65_535])
@pytest.mark.parametrize("size", [None, SIZE, PixelSize(0.5, 0.25)])
def test_label_tiff_of_a_volume(tmp_path: Path, offset: int, size: PixelSize | None) -> None:
    volume = np.where(labels() > 0, labels().astype(np.int64) + offset, 0)
    path = tmp_path / "labels.tif"
    masks.write_label_tiff(path, volume, size)
    with tifffile.TiffFile(path) as file:
        assert file.series[0].axes == "ZYX"
    read = codecs.read(path)
    assert read.axes == "ZYX"
    assert np.array_equal(read.pixels, volume)
    if size is None:
        assert read.pixel_size is None
    else:
        assert read.pixel_size is not None
        assert (read.pixel_size.x_um, read.pixel_size.y_um) == pytest.approx((0.5, 0.25))
        # Where no distance of planes is known, ImageJ's format has none to say either.
        assert read.pixel_size.z_um == size.z_um
