"""Images as requests carry them."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from hooke import codecs, wire
from hooke.errors import (
    ImageNotFoundError,
    ImageTooLargeError,
    ImageUnreadableError,
    InvalidRequestError,
    UnsupportedPixelTypeError,
)
from hooke.images import ImageLimits, PixelSize, PixelSizeSource
from hooke.v1 import image_pb2
from tests.sample_files import scene, tiff

FILE = tiff(
    scene("uint16", (3,), top=4000),
    ome=True,
    metadata={"axes": "CYX", "PhysicalSizeX": 2, "PhysicalSizeY": 2, "Channel": {"Name": ["a", "b", "c"]}},
)


def nothing_held(sha256: str) -> bytes:
    raise ImageNotFoundError(f"{sha256} is not held")


def raw(samples: np.ndarray[Any, Any], pixel_type: int, axes: str | None) -> image_pb2.Image:
    pixels = image_pb2.Pixels(data=samples.tobytes(), shape=samples.shape)
    pixels.pixel_type = pixel_type  # type: ignore[assignment]
    return image_pb2.Image(pixels=pixels, axes=axes)


# All three sources give the same pixels; a file is known by the hash of its bytes.
def test_the_three_sources() -> None:
    whole = codecs.decode(FILE)
    sha256 = hashlib.sha256(FILE).hexdigest()
    held = codecs.from_image_proto(image_pb2.Image(sha256=sha256), {sha256: FILE}.__getitem__)
    sent = codecs.from_image_proto(image_pb2.Image(encoded=FILE), nothing_held)
    pixels = codecs.from_image_proto(
        raw(whole.pixels, image_pb2.PixelType.PIXEL_TYPE_UINT16, "CYX"), nothing_held
    )
    for image in (held, sent, pixels):
        assert np.array_equal(image.pixels, whole.pixels)
        assert image.axes == "CYX"
    assert held.sha256 == sent.sha256 == sha256
    assert pixels.sha256 == hashlib.sha256(whole.pixels.tobytes()).hexdigest()


# Every type of raw samples arrives as it was sent.
@pytest.mark.parametrize(("number", "dtype"), list(wire.DTYPES.items()))
def test_types_of_raw_samples(number: int, dtype: np.dtype[Any]) -> None:
    samples = np.arange(6).reshape(2, 3).astype(dtype)
    image = codecs.from_image_proto(raw(samples, number, "YX"), nothing_held)
    assert image.pixels.dtype == dtype
    assert np.array_equal(image.pixels, samples)
    assert image.bit_depth == 8 * dtype.itemsize


# What the request says wins over what the file says; what it leaves out is the file's.
def test_the_request_wins_over_the_file() -> None:
    size = PixelSize(0.5, 0.6, 0.7)
    message = image_pb2.Image(
        encoded=FILE,
        axes="ZYX",
        pixel_size=wire.pixel_size_to_proto(size),
        channel_names=["only"],
        bit_depth=14,
    )
    image = codecs.from_image_proto(message, nothing_held)
    assert (image.axes, image.pixel_size, image.channel_names, image.bit_depth) == (
        "ZYX",
        size,
        ("only",),
        14,
    )
    plain = codecs.from_image_proto(image_pb2.Image(encoded=FILE), nothing_held)
    assert (plain.pixel_size, plain.channel_names) == (
        PixelSize(2, 2, None, PixelSizeSource.OME_XML),
        ("a", "b", "c"),
    )


# Pages that nobody explains are read once the request says what they are.
def test_axes_of_the_request_explain_pages() -> None:
    stack = scene("uint8", (5,))
    image = codecs.from_image_proto(image_pb2.Image(encoded=tiff(stack), axes="TYX"), nothing_held)
    assert image.axes == "TYX"
    assert np.array_equal(image.pixels, stack)


def broken(**changes: Any) -> image_pb2.Image:
    message = raw(np.zeros((4, 5), np.uint16), image_pb2.PixelType.PIXEL_TYPE_UINT16, "YX")
    for name, value in changes.items():
        if name == "shape":
            message.pixels.shape[:] = value
        elif name in ("data", "pixel_type"):
            setattr(message.pixels, name, value)
        elif name == "clear_axes":
            message.ClearField("axes")
        elif name == "channel_names":
            message.channel_names[:] = value
        else:
            setattr(message, name, value)
    return message


# A request that breaks a rule names the field.
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"shape": []}, "image.pixels.shape"),
        ({"shape": [4, 0]}, "image.pixels.shape"),
        ({"shape": [-4, -5]}, "image.pixels.shape"),
        ({"shape": [4, 6]}, "image.pixels.data"),
        ({"data": b""}, "image.pixels.data"),
        ({"pixel_type": 0}, "image.pixels.pixel_type"),
        ({"pixel_type": 77}, "image.pixels.pixel_type"),
        ({"clear_axes": True}, "image.axes"),
        ({"axes": "YXC"}, "image.axes"),
        ({"axes": ""}, "image.axes"),
        ({"bit_depth": 0}, "image.bit_depth"),
        ({"bit_depth": 17}, "image.bit_depth"),
        ({"channel_names": ["a", "b"]}, "image.channel_names"),
        ({"sha256": "ABC"}, "image.sha256"),
    ],
)
def test_broken_rules_name_the_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        codecs.from_image_proto(broken(**changes), nothing_held)
    assert [violation.field for violation in caught.value.violations] == [field]


# Faults of the image itself have their own errors.
def test_faults_of_the_image() -> None:
    with pytest.raises(UnsupportedPixelTypeError):
        codecs.from_image_proto(broken(pixel_type=77), nothing_held)
    with pytest.raises(ImageTooLargeError):
        codecs.from_image_proto(broken(shape=[2**40, 2**40]), nothing_held)
    with pytest.raises(ImageTooLargeError):
        codecs.from_image_proto(broken(), nothing_held, ImageLimits(max_pixels=19))
    with pytest.raises(ImageUnreadableError):
        codecs.from_image_proto(image_pb2.Image(encoded=b"no image"), nothing_held)
    nan = np.full((2, 2), np.nan, np.float32)
    with pytest.raises(ImageUnreadableError):
        codecs.from_image_proto(raw(nan, image_pb2.PixelType.PIXEL_TYPE_FLOAT32, "YX"), nothing_held)


# A request without an image says so; an image that is not held is asked for.
def test_missing_images() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        codecs.from_image_proto(image_pb2.Image(), nothing_held)
    assert caught.value.violations[0].field == "image.source"
    with pytest.raises(ImageNotFoundError):
        codecs.from_image_proto(image_pb2.Image(sha256="0" * 64), nothing_held)
