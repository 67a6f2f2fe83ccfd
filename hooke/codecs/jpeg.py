"""The frame header of a JPEG stream: a file of its own or a strip or tile of a TIFF file."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from hooke.errors import ImageUnreadableError

_FRAME_MARKERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF0 to SOF15; the three left out are tables."""
_BARE_MARKERS = {0x01, *range(0xD0, 0xD9)}
"""Markers that no length follows."""
_END_MARKERS = {0xD9, 0xDA}
"""End of image and start of scan: no frame header comes after them."""


@dataclass(frozen=True, slots=True)
class JpegFrame:
    """What a JPEG stream says of its samples."""

    height: int
    width: int
    samples: int
    bit_depth: int


def read_frame(stream: bytes) -> JpegFrame:
    """Find the frame header without decoding anything.

    Raises:
        ImageUnreadableError: the stream has none.
    """
    position = 2
    while position + 4 <= len(stream) and stream[position] == 0xFF:
        marker = stream[position + 1]
        if marker == 0xFF or marker in _BARE_MARKERS:
            position += 1 if marker == 0xFF else 2
            continue
        if marker in _END_MARKERS:
            break
        if marker in _FRAME_MARKERS and position + 10 <= len(stream):
            depth, height, width, samples = struct.unpack_from(">BHHB", stream, position + 4)
            return JpegFrame(height, width, samples, depth)
        position += 2 + int.from_bytes(stream[position + 2 : position + 4], "big")
    raise ImageUnreadableError("the JPEG data is damaged or cut off: it has no frame header")
