"""JPEG files, and the frame headers of JPEG data wherever it stands.

An EXIF orientation is not applied, since masks and coordinates that come back must fit the pixels that
went in. The density is not read as a pixel size: it is that of a screen or a printer.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import imagecodecs
import numpy as np

from hooke.codecs.source import Source, check_enough, check_size
from hooke.errors import ImageUnreadableError, UnsupportedPixelTypeError
from hooke.images import ImageHeader, ImageLimits

JPEG_SIGNATURE = b"\xff\xd8\xff"

_END_OF_IMAGE = b"\xff\xd9"
_START_OF_SCAN = b"\xff\xda"
_MAX_SCANS = 64
"""A progressive file has about 10 scans; thousands are an attack on the decoder's time."""
_MAX_RATIO = 2000
"""A block of 64 samples takes a bit at least; with room to spare."""
_FRAME_MARKERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF0 to SOF15; the three left out are tables."""
_BARE_MARKERS = {0x01, *range(0xD0, 0xD9)}
"""Markers that no length follows."""
_LAST_MARKERS = {0xD9, 0xDA}
"""End of image and start of scan: no frame header comes after them."""


def open_jpeg(data: bytes, limits: ImageLimits) -> Source:
    """Read the header of a JPEG file."""
    frame = read_frame(data)
    if frame.samples not in (1, 3):
        raise UnsupportedPixelTypeError(
            f"the JPEG file has {frame.samples} samples a pixel; save it as grey or RGB"
        )
    shape = (frame.height, frame.width) if frame.samples == 1 else (frame.height, frame.width, 3)
    check_size(shape, limits)
    check_enough(len(data), frame.height * frame.width, _MAX_RATIO)
    if _END_OF_IMAGE not in data[max(data.rfind(_START_OF_SCAN), 0) :]:
        # The decoder would fill what is missing with grey.
        raise ImageUnreadableError("the JPEG file is cut off: its end is missing")
    header = ImageHeader(
        format="JPEG",
        shape=shape,
        axes="YXS"[: len(shape)],
        dtype="uint16" if frame.bit_depth > 8 else "uint8",
        bit_depth=frame.bit_depth,
    )
    return Source(header, lambda: np.asarray(imagecodecs.jpeg_decode(data)).reshape(shape))


@dataclass(frozen=True, slots=True)
class JpegFrame:
    """What JPEG data says of its samples."""

    height: int
    width: int
    samples: int
    bit_depth: int


def read_frame(stream: bytes) -> JpegFrame:
    """Find the frame header without decoding anything.

    Raises:
        ImageUnreadableError: the stream has none, or an absurd number of scans.
    """
    if stream.count(_START_OF_SCAN) > _MAX_SCANS:
        raise ImageUnreadableError("the JPEG data has an absurd number of scans")
    position = 2
    while position + 4 <= len(stream) and stream[position] == 0xFF:
        marker = stream[position + 1]
        if marker == 0xFF or marker in _BARE_MARKERS:
            position += 1 if marker == 0xFF else 2
            continue
        if marker in _LAST_MARKERS:
            break
        if marker in _FRAME_MARKERS and position + 10 <= len(stream):
            depth, height, width, samples = struct.unpack_from(">BHHB", stream, position + 4)
            return JpegFrame(height, width, samples, depth)
        position += 2 + int.from_bytes(stream[position + 2 : position + 4], "big")
    raise ImageUnreadableError("the JPEG data is damaged or cut off: it has no frame header")
