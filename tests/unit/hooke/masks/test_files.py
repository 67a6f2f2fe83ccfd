"""Label images, tables and pictures on disk."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import tifffile

from hooke import codecs, masks
from hooke.images import PixelSize

LABELS = np.kron(np.arange(12).reshape(3, 4), np.ones((10, 10), int))
SIZE = PixelSize(0.25, 0.5)


# Label files keep every label, in a type that ImageJ reads where it can, and the pixel size.
@pytest.mark.parametrize(("offset", "dtype", "kind"), [(0, "uint16", "imagej"), (65_535, "uint32", "ome")])
@pytest.mark.parametrize("size", [None, SIZE])
def test_label_tiff(tmp_path: Path, offset: int, dtype: str, kind: str, size: PixelSize | None) -> None:
    labels = np.where(LABELS > 0, LABELS + offset, 0)
    path = tmp_path / "labels.tif"
    masks.write_label_tiff(path, labels, size)
    with tifffile.TiffFile(path) as file:
        assert file.series[0].kind == kind
        assert file.pages[0].dtype == dtype
        assert np.array_equal(file.asarray(), labels)
    image = codecs.read(path)
    assert np.array_equal(image.pixels, labels)
    if size is None:
        assert image.pixel_size is None
    else:
        assert image.pixel_size is not None
        assert (image.pixel_size.x_um, image.pixel_size.y_um) == (pytest.approx(0.25), pytest.approx(0.5))


# Labels that fit no type are not cut off.
def test_impossible_labels_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="32 bits"):
        masks.write_label_tiff(tmp_path / "labels.tif", np.full((2, 2), 2**32))
    with pytest.raises(ValueError, match="label image"):
        masks.write_label_tiff(tmp_path / "labels.tif", np.zeros((2, 2)))  # type: ignore[arg-type]


# The table has a row for each object, full precision, and empty cells for what is unknown.
def test_csv(tmp_path: Path) -> None:
    image = codecs.from_array(LABELS.astype(np.uint16) * 3)
    found = masks.measure(LABELS, image)
    masks.write_csv(tmp_path / "objects.csv", found)
    with (tmp_path / "objects.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == masks.CSV_COLUMNS
    assert len(rows) == len(found) == 11
    for row, instance in zip(rows, found, strict=True):
        assert int(row["label"]) == instance.label
        assert int(row["area_px"]) == 100
        assert float(row["equivalent_diameter_px"]) == instance.equivalent_diameter_px
        assert float(row["mean_intensity"]) == instance.mean_intensity
        assert (row["area_um2"], row["score"]) == ("", "")
        assert row["touches_border"] == str(instance.touches_border).lower()


# The overlay has the image's size, colours only outlines, and gives neighbours different colours.
@pytest.mark.parametrize(("axes", "shape"), [("YX", (30, 40)), ("YXC", (30, 40, 2)), ("YXS", (30, 40, 3))])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_overlay(axes: str, shape: tuple[int, ...], dtype: str) -> None:
    samples = (np.random.default_rng(2).random(shape) * 200).astype(dtype)
    image = codecs.from_array(samples, axes)
    plain = masks.overlay(image, np.zeros((30, 40), np.uint16))
    drawn = masks.overlay(image, LABELS)
    assert drawn.shape == (30, 40, 3)
    assert drawn.dtype == np.uint8
    outlined = (drawn != plain).any(axis=2)
    inner = np.zeros((30, 40), bool)
    inner[1:-1, 1:-1] = True
    edges = np.isin(np.arange(30) % 10, (0, 9))[:, None] | np.isin(np.arange(40) % 10, (0, 9))[None]
    assert not outlined[~edges].any()
    assert outlined[edges & inner & (LABELS > 0)].mean() > 0.95
    assert len({tuple(drawn[10 * (label // 4) + 5, 10 * (label % 4)]) for label in (2, 3, 5, 6, 7)}) == 5


# 8-bit colours are shown as they are; everything else is stretched from dark to bright.
def test_display_range() -> None:
    nothing = np.zeros((50, 50), np.uint8)
    colours = np.random.default_rng(3).integers(90, 110, (50, 50, 3), np.uint8)
    assert np.array_equal(masks.overlay(codecs.from_array(colours, "YXS"), nothing), colours)
    deep = np.linspace(3000, 4000, 2500).astype(np.uint16).reshape(50, 50)
    shown = masks.overlay(codecs.from_array(deep), nothing)
    assert (shown.min(), shown.max()) == (0, 255)
    flat = masks.overlay(codecs.from_array(np.full((50, 50), 7, np.uint16)), nothing)
    assert flat.min() == flat.max()


# Outlines of large images are wide enough to be seen when they are scaled down.
def test_outlines_of_large_images() -> None:
    labels = np.zeros((64, 3600), np.uint8)
    labels[10:50, 100:3500] = 1
    image = codecs.from_array(np.zeros((64, 3600), np.uint8))
    column = masks.overlay(image, labels)[:, 1000].any(axis=1)
    assert np.flatnonzero(column).tolist() == [10, 11, 12, 47, 48, 49]


# Labels of another size are a mistake of the caller.
def test_overlay_needs_fitting_labels() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        masks.overlay(codecs.from_array(np.zeros((4, 4), np.uint8)), np.zeros((4, 5), np.uint8))


# The PNG file holds the overlay.
def test_overlay_png(tmp_path: Path) -> None:
    image = codecs.from_array((LABELS * 20).astype(np.uint16))
    masks.write_overlay_png(tmp_path / "overlay.png", image, LABELS)
    assert np.array_equal(codecs.read(tmp_path / "overlay.png").pixels, masks.overlay(image, LABELS))
