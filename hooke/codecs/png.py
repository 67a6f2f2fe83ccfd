"""PNG files.

Palettes are expanded to RGB, alpha is dropped; gamma and colour profiles are ignored. pHYs is not read as
a pixel size: what writes PNG puts the dots per inch of a screen or a printer there.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import imagecodecs
from numpy.typing import NDArray

from hooke.codecs.source import Source, check_enough, check_size
from hooke.errors import ImageUnreadableError
from hooke.images import ImageHeader, ImageLimits

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_PALETTE = 3
_SAMPLES = {0: 1, 2: 3, _PALETTE: 3, 4: 1, 6: 3}
"""Samples of a pixel for each colour type, without alpha."""
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), _PALETTE: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
"""Bit depths that each colour type may have."""
_CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_MAX_CHUNKS = 1_000_000
_MAX_RATIO = 1040
"""Of deflate."""


def open_png(data: bytes, limits: ImageLimits) -> Source:
    """Read the header of a PNG file."""
    if data[12:16] != b"IHDR" or len(data) < 33:
        raise ImageUnreadableError("the PNG file is damaged or cut off: it has no header")
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    if depth not in _DEPTHS.get(colour, ()):
        raise ImageUnreadableError(f"the PNG file is damaged: colour type {colour} with {depth} bits")
    samples = _SAMPLES[colour]
    shape = (height, width) if samples == 1 else (height, width, samples)
    check_size(shape, limits)
    check_enough(len(data), height * (width * depth // 8), _MAX_RATIO)
    bit_depth = 8 if colour == _PALETTE else depth
    header = ImageHeader(
        format="PNG",
        shape=shape,
        axes="YXS"[: len(shape)],
        dtype="uint16" if bit_depth > 8 else "uint8",
        bit_depth=bit_depth,
    )
    return Source(header, lambda: _samples(data, header))


def _samples(data: bytes, header: ImageHeader) -> NDArray[Any]:
    pixels: NDArray[Any] = imagecodecs.png_decode(_critical_chunks(data))
    count = header.shape[2] if header.shape[2:] else 1
    pixels = pixels.reshape(*header.shape[:2], -1)[..., :count].reshape(header.shape)
    if header.bit_depth < 8:
        # The decoder stretches 1, 2 and 4 bits to 0..255; dividing gives the stored values back.
        pixels = pixels // (255 // (2**header.bit_depth - 1))
    return pixels


def _critical_chunks(data: bytes) -> bytes:
    """The file without the chunks that do not concern the samples.

    Those can be bombs of their own, and the decoder prints its opinion on them.

    Raises:
        ImageUnreadableError: a chunk is damaged, or the end is missing.
    """
    kept = [PNG_SIGNATURE]
    position = len(PNG_SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        if position + 12 > len(data):
            break
        kind = data[position + 4 : position + 8]
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        if kind in _CRITICAL:
            if zlib.crc32(data[position + 4 : end - 4]).to_bytes(4, "big") != data[end - 4 : end]:
                raise ImageUnreadableError(f"the PNG file is damaged: a checksum of {kind.decode()} is wrong")
            kept.append(data[position:end])
        if kind == b"IEND":
            return b"".join(kept)
        position = end
    raise ImageUnreadableError("the PNG file is cut off: its end is missing")
