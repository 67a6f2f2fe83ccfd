"""PNG and JPEG files.

Samples come as stored: an EXIF orientation is not applied, since masks and coordinates that come back
must fit the pixels that went in; gamma and colour profiles are ignored. Palettes are expanded to RGB.
pHYs and the JFIF density are not read as a pixel size: what writes these formats puts the dots per inch
of a screen or a printer there.
"""

from __future__ import annotations

import struct
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from hooke.codecs.jpeg import read_frame
from hooke.codecs.source import Source, check_size
from hooke.errors import ImageUnreadableError, UnsupportedPixelTypeError
from hooke.images import ImageHeader, ImageLimits

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"

_PNG_PALETTE = 3
_PNG_SAMPLES = {0: 1, 2: 3, _PNG_PALETTE: 3, 4: 1, 6: 3}
"""Samples of a pixel for each colour type, without alpha."""
_JPEG_MAX_SCANS = 256
"""A progressive file has about 10 scans; thousands are an attack on the decoder's time."""


def open_png(data: bytes, limits: ImageLimits) -> Source:
    """Read the header of a PNG file."""
    length, kind, width, height, depth, colour = struct.unpack_from(">I4sIIBB", data, len(PNG_SIGNATURE))
    if kind != b"IHDR" or length != 13 or colour not in _PNG_SAMPLES:
        raise ImageUnreadableError("the PNG file does not start with a header that makes sense")
    samples = _PNG_SAMPLES[colour]
    shape = (height, width) if samples == 1 else (height, width, samples)
    check_size(shape, limits)
    bit_depth = 8 if colour == _PNG_PALETTE else depth
    header = ImageHeader(
        format="PNG",
        shape=shape,
        axes="YXS"[: len(shape)],
        dtype="uint16" if bit_depth > 8 else "uint8",
        bit_depth=bit_depth,
    )
    return Source(header, lambda: _png_samples(data, header))


def _png_samples(data: bytes, header: ImageHeader) -> NDArray[Any]:
    pixels: NDArray[Any] = imagecodecs.png_decode(data)
    pixels = pixels.reshape(*header.shape[:2], -1)[..., : header.shape[2] if header.shape[2:] else 1]
    if header.bit_depth < 8:
        # The decoder stretches 1, 2 and 4 bits to 0..255; dividing gives the stored values back.
        pixels = pixels // (255 // (2**header.bit_depth - 1))
    return pixels.reshape(header.shape)


def open_jpeg(data: bytes, limits: ImageLimits) -> Source:
    """Read the header of a JPEG file."""
    frame = read_frame(data)
    if frame.samples not in (1, 3):
        raise UnsupportedPixelTypeError(
            f"the JPEG file has {frame.samples} samples a pixel (CMYK?); save it as grey or RGB"
        )
    if data.count(b"\xff\xda") > _JPEG_MAX_SCANS:
        raise ImageUnreadableError("the JPEG file has an absurd number of scans")
    shape = (frame.height, frame.width) if frame.samples == 1 else (frame.height, frame.width, 3)
    check_size(shape, limits)
    header = ImageHeader(
        format="JPEG",
        shape=shape,
        axes="YXS"[: len(shape)],
        dtype="uint16" if frame.bit_depth > 8 else "uint8",
        bit_depth=frame.bit_depth,
    )
    return Source(header, lambda: np.asarray(imagecodecs.jpeg_decode(data)).reshape(shape))
