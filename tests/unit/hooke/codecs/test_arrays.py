"""Arrays as images."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from hooke import codecs
from hooke.errors import ImageUnreadableError, InvalidRequestError, UnsupportedPixelTypeError
from hooke.images import PixelSize


def fields(error: InvalidRequestError) -> list[str]:
    return [violation.field for violation in error.violations]


# Two dimensions need no axes; the samples and all that is said of them are kept.
def test_a_plain_array_is_an_image() -> None:
    array = np.arange(12, dtype=np.uint16).reshape(3, 4)
    size = PixelSize(0.5, 0.25)
    image = codecs.from_array(array, pixel_size=size, channel_names=["DAPI"], bit_depth=12)
    assert (image.axes, image.height_px, image.width_px, image.bit_depth) == ("YX", 3, 4, 12)
    assert (image.pixel_size, image.channel_names) == (size, ("DAPI",))
    assert np.array_equal(image.pixels, array)
    assert image.sha256 == hashlib.sha256(array.tobytes()).hexdigest()


# The image neither changes with the array that it was made of, nor can be changed itself.
def test_images_are_frozen() -> None:
    array = np.zeros((2, 2), np.uint8)
    image = codecs.from_array(array)
    array[0, 0] = 9
    assert image.pixels[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        image.pixels[0, 0] = 1


# Each type that is taken becomes the one that is promised, without changing a number.
@pytest.mark.parametrize(
    ("given", "kept", "bit_depth"),
    [
        ("bool", "uint8", 8),
        ("uint8", "uint8", 8),
        ("int8", "uint8", 8),
        (">u2", "uint16", 16),
        ("int16", "uint16", 16),
        ("uint32", "uint32", 32),
        (">i4", "uint32", 32),
        ("float16", "float32", 32),
        ("float32", "float32", 32),
        ("float64", "float32", 32),
    ],
)
def test_types_that_are_taken(given: str, kept: str, bit_depth: int) -> None:
    array = np.array([[0, 1], [1, 0]]).astype(given)
    image = codecs.from_array(array)
    assert (image.pixels.dtype.name, image.bit_depth) == (kept, bit_depth)
    assert np.array_equal(image.pixels, array)


# Types that would lose numbers are refused, and the message says what to do.
@pytest.mark.parametrize("given", ["int64", "uint64", "complex64", "datetime64[s]"])
def test_types_that_are_refused(given: str) -> None:
    with pytest.raises(UnsupportedPixelTypeError, match="convert"):
        codecs.from_array(np.zeros((2, 2), given))


# Negative samples are not wrapped around.
@pytest.mark.parametrize("given", ["int8", "int16", "int32"])
def test_negative_samples_are_refused(given: str) -> None:
    with pytest.raises(UnsupportedPixelTypeError, match="-3"):
        codecs.from_array(np.array([[5, -3]], given))


# Samples that are no numbers, or become none in float32, are refused.
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_samples_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(ImageUnreadableError, match="1 of 4"):
        codecs.from_array(np.array([[0, value], [1, 2]]))


# A third dimension is not guessed; the message says what to pass.
@pytest.mark.parametrize(("shape", "hint"), [((4, 5, 3), "axes='YXS'"), ((3, 4, 5), "axes='CYX'")])
def test_axes_are_not_guessed(shape: tuple[int, ...], hint: str) -> None:
    with pytest.raises(InvalidRequestError, match=hint) as caught:
        codecs.from_array(np.zeros(shape, np.uint8))
    assert fields(caught.value) == ["image.axes"]


# Axes that do not fit the array are refused.
@pytest.mark.parametrize("axes", ["YX", "YXZC", "YYX", "CZX", "QYX", "SYX", "YXS", "yxc", "", "YXX"])
def test_axes_that_do_not_fit_are_refused(axes: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        codecs.from_array(np.zeros((4, 5, 6), np.uint8), axes)
    assert fields(caught.value) == ["image.axes"]


# An image without a pixel is refused.
@pytest.mark.parametrize("shape", [(0, 4), (4, 0)])
def test_empty_arrays_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        codecs.from_array(np.zeros(shape, np.uint8))
    assert fields(caught.value) == ["image.pixels.shape"]


# The fourth sample of RGBA is dropped, and only that.
def test_alpha_is_dropped() -> None:
    array = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    image = codecs.from_array(array, "YXS")
    assert np.array_equal(image.pixels, array[..., :3])


# Names and significant bits that contradict the samples are refused.
def test_what_contradicts_the_samples_is_refused() -> None:
    array = np.full((2, 4, 4), 4095, np.uint16)
    assert codecs.from_array(array, "CYX", bit_depth=12).bit_depth == 12
    for bit_depth in (11, 0, 17, -1):
        with pytest.raises(InvalidRequestError) as caught:
            codecs.from_array(array, "CYX", bit_depth=bit_depth)
        assert fields(caught.value) == ["image.bit_depth"]
    with pytest.raises(InvalidRequestError) as caught:
        codecs.from_array(array, "CYX", channel_names=["a", "b", "c"])
    assert fields(caught.value) == ["image.channel_names"]
