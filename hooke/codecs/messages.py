"""Images as requests carry them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable

import numpy as np

from hooke.codecs.arrays import described, invalid, micrograph
from hooke.codecs.files import decode
from hooke.errors import ImageTooLargeError, UnsupportedPixelTypeError
from hooke.images import DEFAULT_LIMITS, ImageLimits, Micrograph
from hooke.v1 import image_pb2
from hooke.wire import DTYPES, pixel_size_from_proto


def from_image_proto(
    message: image_pb2.Image,
    resolve: Callable[[str], bytes],
    limits: ImageLimits = DEFAULT_LIMITS,
) -> Micrograph:
    """The image of a request; axes, pixel size, channel names and bit depth of the message win.

    Args:
        message: the image.
        resolve: gives the bytes of the file put before with this SHA-256, or raises ImageNotFoundError.
        limits: what is accepted.

    Raises:
        InvalidRequestError: a field is missing or wrong; the violation names it.
        ImageUnreadableError, ImageTooLargeError, UnsupportedPixelTypeError: the image itself is at fault.
        ImageNotFoundError: from `resolve`.
    """
    source = message.WhichOneof("source")
    if source == "pixels":
        image = _from_pixels(message, limits)
    elif source == "encoded":
        image = decode(message.encoded, limits, axes=_axes(message))
    elif source == "sha256":
        image = decode(resolve(_sha256(message.sha256)), limits, axes=_axes(message))
    else:
        invalid("image.source", "one of encoded, pixels and sha256 is required")
    return described(
        image,
        bit_depth=message.bit_depth if message.HasField("bit_depth") else None,
        pixel_size=pixel_size_from_proto(message.pixel_size) if message.HasField("pixel_size") else None,
        channel_names=message.channel_names,
    )


def _axes(message: image_pb2.Image) -> str | None:
    return message.axes if message.HasField("axes") else None


def _sha256(text: str) -> str:
    if len(text) != 64 or set(text) - set("0123456789abcdef"):
        invalid("image.sha256", "must be 64 lower-case hexadecimal digits")
    return text


def _from_pixels(message: image_pb2.Image, limits: ImageLimits) -> Micrograph:
    pixels = message.pixels
    dtype = DTYPES.get(pixels.pixel_type)
    if dtype is None:
        raise UnsupportedPixelTypeError.of_field(
            "image.pixels.pixel_type", f"{pixels.pixel_type} is not a type that is taken"
        )
    shape = tuple(pixels.shape)
    if not shape or min(shape) < 1:
        invalid("image.pixels.shape", f"{shape} must have dimensions of 1 or more")
    if not message.HasField("axes"):
        invalid("image.axes", "is required with raw pixels")
    count = math.prod(shape)
    if count > limits.max_pixels:
        raise ImageTooLargeError(
            f"the image has {count} samples; at most {limits.max_pixels} are taken",
            metadata={"maxPixels": str(limits.max_pixels)},
        )
    if len(pixels.data) != count * dtype.itemsize:
        invalid(
            "image.pixels.data",
            f"{len(pixels.data)} bytes; {dtype.name} of shape {shape} takes {count * dtype.itemsize}",
        )
    return micrograph(
        np.frombuffer(pixels.data, dtype).reshape(shape),
        message.axes,
        sha256=hashlib.sha256(pixels.data).hexdigest(),
    )
