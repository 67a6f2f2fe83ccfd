"""Image files as they are sent: the same pixels, and nothing that tells the answer.

Names and folders stay behind because only bytes are sent. What is left to remove is metadata: text, EXIF
and the like can say what an image shows. PNG and JPEG lose every segment that a decoder does not need,
byte for byte; everything else is decoded and written again as a plain TIFF.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from hooke.errors import ImageUnreadableError

BROKEN = (
    *(OSError, ValueError, IndexError, KeyError, TypeError, RuntimeError, MemoryError),
    *(struct.error, tifffile.TiffFileError, Image.DecompressionBombError),
)
"""What Pillow, tifffile and its decompressors raise on files that are not whole."""
SAMPLE_TYPES = (np.uint8, np.uint16, np.uint32, np.float32)
"""What an image may hold, as on the wire."""
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_JPEG = b"\xff\xd8"
_JPEG_SCAN = 0xDA
_JPEG_END = 0xD9
_JPEG_ADOBE = 0xEE
"""APP14: says how the colours are coded; without it a decoder shows wrong ones."""
_JPEG_COMMENT = 0xFE


def clean(data: bytes) -> bytes:
    """Remove the metadata of an image file and keep its pixels.

    Args:
        data: PNG, JPEG, TIFF or BMP.

    Returns:
        The file without metadata: PNG and JPEG stay what they are, others become an uncompressed TIFF.

    Raises:
        ImageUnreadableError: it is none of these, or broken.
    """
    if data.startswith(_PNG):
        return _clean_png(data)
    if data.startswith(_JPEG):
        return _clean_jpeg(data)
    return encode(decode(data))


def cut(data: bytes, keep_top_px: int) -> bytes:
    """The upper part of an image, without metadata, as an uncompressed TIFF.

    Instruments print what they know below the picture, and that may tell the answer.

    Raises:
        ImageUnreadableError: it cannot be decoded.
    """
    return encode(decode(data)[:keep_top_px])


def encode(pixels: NDArray[Any]) -> bytes:
    """Write the samples of an image as an uncompressed TIFF without metadata.

    Raises:
        ImageUnreadableError: they are of a type that is not sent.
    """
    if pixels.ndim == 3:
        pixels = pixels[..., :3]  # transparency is not part of a micrograph
    if pixels.dtype not in SAMPLE_TYPES:
        raise ImageUnreadableError(f"samples of the type {pixels.dtype} are not sent")
    return encode_tiff(pixels)


def decode(data: bytes, *, indexed: bool = False) -> NDArray[Any]:
    """Decode a PNG, JPEG, BMP or two-dimensional TIFF file.

    Args:
        data: the file.
        indexed: give the indices of a file with a palette, as label images need, instead of its colours.

    Returns:
        H x W or H x W x samples.

    Raises:
        ImageUnreadableError: it is none of these, or broken, or has more dimensions.
    """
    try:
        if data[:4] in _TIFF:
            pixels = _decode_tiff(data)
        else:
            with Image.open(io.BytesIO(data)) as image:
                pixels = np.asarray(image.convert("RGB") if image.mode == "P" and not indexed else image)
    except BROKEN as error:
        raise ImageUnreadableError(f"the image cannot be decoded: {error}") from error
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[-1] in {3, 4})):
        raise ImageUnreadableError(f"the image has the shape {pixels.shape}; one plane is needed")
    return pixels


def _decode_tiff(data: bytes) -> NDArray[Any]:
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        pixels = np.squeeze(file.series[0].asarray())
        planar = file.series[0].axes == "SYX"
    return np.moveaxis(pixels, 0, -1) if planar else pixels


def encode_tiff(pixels: NDArray[Any]) -> bytes:
    """Write H x W or H x W x 3 samples as an uncompressed TIFF without metadata; no date, no program."""
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        np.ascontiguousarray(pixels),
        photometric="minisblack" if pixels.ndim == 2 else "rgb",
        metadata=None,
        software=False,
    )
    return buffer.getvalue()


def _clean_png(data: bytes) -> bytes:
    kept, position = [_PNG], len(_PNG)
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 12 + length
        name = data[position + 4 : position + 8]
        if end > len(data):
            break
        if name in _PNG_CHUNKS:
            kept.append(data[position:end])
        if name == b"IEND":
            return b"".join(kept)
        position = end
    raise ImageUnreadableError("the PNG ends before its IEND chunk")


def _clean_jpeg(data: bytes) -> bytes:
    kept, position = [_JPEG], len(_JPEG)
    while position + 2 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # padding between segments
            position += 1
            continue
        if marker == _JPEG_END:
            return b"".join([*kept, data[position : position + 2]])
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4])
        if marker == _JPEG_SCAN:
            end = _end_of_scan(data, end)
        application = 0xE0 <= marker <= 0xEF and marker != _JPEG_ADOBE
        if not application and marker != _JPEG_COMMENT:
            kept.append(data[position:end])
        position = end
    raise ImageUnreadableError("the JPEG ends before its end marker")


def _end_of_scan(data: bytes, position: int) -> int:
    """Position of the marker after the coded pixels that begin at `position`."""
    while (position := data.find(b"\xff", position)) >= 0 and position + 1 < len(data):
        marker = data[position + 1]
        if marker != 0 and not 0xD0 <= marker <= 0xD7:  # a stuffed byte, a restart
            return position
        position += 2
    return len(data)
