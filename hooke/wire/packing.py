"""Samples as one zlib stream, and back without trusting what was sent."""

from __future__ import annotations

import zlib
from typing import Any

from numpy.typing import NDArray

from hooke.errors import ImageUnreadableError


def pack(samples: NDArray[Any], level: int) -> bytes:
    """Compress samples that stand in C order."""
    return zlib.compress(samples.data, level=level)


def unpack(data: bytes, size_bytes: int, what: str) -> bytes:
    """Uncompress a stream whose size is known; what is beyond it is never unpacked.

    Args:
        data: the whole stream.
        size_bytes: what it must come to.
        what: what is unpacked, for the error.

    Raises:
        ImageUnreadableError: the data is no zlib stream, is cut off, or is of another size.
    """
    stream = zlib.decompressobj()
    try:
        # One byte more than expected, so that a longer stream is seen without unpacking it.
        unpacked = stream.decompress(data, size_bytes + 1)
    except zlib.error as error:
        raise ImageUnreadableError(f"{what} is no zlib stream: {error}") from error
    if len(unpacked) != size_bytes or not stream.eof or stream.unused_data:
        raise ImageUnreadableError(
            f"{what} has {size_bytes} bytes by its header; its data is "
            f"{'longer' if len(unpacked) > size_bytes or stream.unused_data else 'shorter or cut off'}"
        )
    return unpacked
