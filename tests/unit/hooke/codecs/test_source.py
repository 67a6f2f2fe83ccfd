"""What the readers of single formats share."""

from __future__ import annotations

import pytest

from hooke.codecs.source import check_enough, check_size, reading
from hooke.errors import ImageNotFoundError, ImageTooLargeError, ImageUnreadableError
from hooke.images import ImageLimits


# Whatever a decoder raises becomes one error that says what is wrong with the file.
@pytest.mark.parametrize(
    "error", [ValueError("odd strip"), KeyError(3), RecursionError(), ZeroDivisionError()]
)
def test_decoders_errors_are_translated(error: Exception) -> None:
    with (
        pytest.raises(ImageUnreadableError, match=r"TIFF file is damaged or cut off: .") as caught,
        reading("TIFF"),
    ):
        raise error
    assert caught.value.__cause__ is error


# Running out of memory means that the image is too large.
def test_no_memory_means_too_large() -> None:
    with pytest.raises(ImageTooLargeError), reading("PNG"):
        raise MemoryError


# An error of Hooke passes as it is; so do the ways to stop a program.
@pytest.mark.parametrize("error", [ImageNotFoundError("gone"), KeyboardInterrupt()])
def test_own_errors_pass(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, reading("PNG"):
        raise error
    assert caught.value is error


# A shape may have as many samples as the limit, and none may be empty.
def test_sizes() -> None:
    check_size((4, 5), ImageLimits(max_pixels=20))
    with pytest.raises(ImageTooLargeError) as caught:
        check_size((4, 5), ImageLimits(max_pixels=19))
    assert caught.value.metadata == {"maxPixels": "19"}
    with pytest.raises(ImageUnreadableError):
        check_size((4, 0), ImageLimits())


# Compressed data may be as small as its compression can make it.
def test_ratios() -> None:
    check_enough(10, 100, 10)
    with pytest.raises(ImageUnreadableError):
        check_enough(10, 101, 10)
