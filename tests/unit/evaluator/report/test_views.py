"""Images as pages show them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluator.report.views import THUMBNAIL_PX, VIEW_PX, ImageView, display, write_view
from hooke.codecs import from_array


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


# Dim images of any depth are stretched until they can be seen, and the caption says from where to where.
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "float32"])
def test_stretch(dtype: str) -> None:
    ramp = np.tile(np.arange(100, 164, dtype=dtype), (64, 1))
    shown = display(from_array(ramp))
    assert shown.pixels.dtype == np.uint8
    assert (shown.pixels.min(), shown.pixels.max()) == (0, 255)
    assert (np.diff(shown.pixels[0].astype(int)) >= 0).all()
    assert "100 to 163" in shown.note


# However few values the samples can have, the stretch is the same.
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_stretch_of_few_values(dtype: str) -> None:
    random = np.random.default_rng(0)
    for size, most in ((1, 9), (7, 5), (90, 255), (300, 40)):
        pixels = random.integers(0, most, (size, size + 3))
        few, many = (display(from_array(pixels.astype(name))) for name in (dtype, "uint32"))
        assert few.note == many.note
        assert np.array_equal(few.pixels, many.pixels)


# A few hot pixels on nothing do not hide the image: where percentiles agree, all values count.
def test_stretch_of_few_bright_pixels() -> None:
    pixels = np.zeros((200, 200), np.uint16)
    pixels[3, 3] = 4000
    shown = display(from_array(pixels)).pixels
    assert (shown[3, 3], shown[0, 0]) == (255, 0)


# 8-bit RGB is shown with its own colours; deeper RGB is stretched in all samples alike, so hues stay.
def test_rgb() -> None:
    colours = np.random.default_rng(0).integers(60, 90, (20, 20, 3), dtype=np.uint8)
    assert np.array_equal(display(from_array(colours, axes="YXS")).pixels, colours)
    deep = np.zeros((20, 20, 3), np.uint16)
    deep[..., 0], deep[..., 1] = np.linspace(0, 4000, 20), np.linspace(0, 2000, 20)
    shown = display(from_array(deep, axes="YXS")).pixels[:, -1].astype(int)
    assert (shown[:, 0] == 255).all()
    assert (abs(shown[:, 1] - 128) <= 1).all()


# Two channels are shown in magenta and green; of many, the first three in red, green and blue.
def test_channels() -> None:
    stack = np.random.default_rng(0).integers(0, 500, (5, 16, 16), dtype=np.uint16)
    two, five = (display(from_array(stack[:count], axes="CYX")) for count in (2, 5))
    assert np.array_equal(two.pixels[..., 0], two.pixels[..., 2])
    assert "magenta, green" in two.note
    assert five.pixels.shape == (16, 16, 3)
    assert "first 3 of 5 channels" in five.note


# Of a time series of stacks the first time point is shown, its planes projected by their maximum.
def test_stack() -> None:
    series = np.zeros((2, 3, 8, 8), np.uint8)
    series[0, 0, 1, 1] = series[0, 2, 2, 2] = 200
    series[1, 1, 5, 5] = 200
    assert np.argwhere(display(from_array(series, axes="TZYX")).pixels).tolist() == [[1, 1], [2, 2]]


# An image of one value is grey and says so.
def test_flat() -> None:
    shown = display(from_array(np.full((8, 8), 7, np.uint16)))
    assert (shown.pixels == 128).all()
    assert "one value" in shown.note


# What is written is bounded in size, keeps the proportions, and remembers the size of the image itself.
def test_bounded(tmp_path: Path) -> None:
    view = write_view(tmp_path, png(np.zeros((500, 3000), np.uint8)))
    assert isinstance(view, ImageView)
    assert (view.width, view.height) == (3000, 500)
    for name, size in ((view.full, (VIEW_PX, 171)), (view.thumbnail, (THUMBNAIL_PX, 27))):
        with Image.open(tmp_path / name) as picture:
            assert picture.size == size


# The names are those of the bytes: the same image is written once, another image elsewhere.
def test_names(tmp_path: Path) -> None:
    one, again, other = (write_view(tmp_path, png(np.full((9, 9), v, np.uint8))) for v in (1, 1, 2))
    assert one == again
    assert one != other
    assert len(list(tmp_path.iterdir())) == 4


# What is no image gives a sentence, not an exception.
@pytest.mark.parametrize("data", [b"", b"no image", png(np.zeros((9, 9), np.uint8))[:60]])
def test_unreadable(tmp_path: Path, data: bytes) -> None:
    said = write_view(tmp_path, data)
    assert isinstance(said, str)
    assert said.startswith("The image cannot be shown: ")
    assert not list(tmp_path.iterdir())
