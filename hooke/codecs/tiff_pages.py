"""Single pages of TIFF files: what their samples mean, and the samples."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from hooke.codecs.arrays import RGB_SAMPLES, stored_dtype
from hooke.codecs.jpeg import JpegFrame, read_frame
from hooke.codecs.source import check_enough
from hooke.errors import ImageUnreadableError, UnsupportedPixelTypeError

_COMPRESSIONS = {
    1: "none",
    5: "LZW",
    7: "JPEG",
    8: "deflate",
    32773: "PackBits",
    32946: "deflate",
    50000: "zstd",
}
"""What is decoded: the compressions whose decoders never give more than they are asked for."""
_MAX_RATIOS = {1: 1, 5: 2000, 8: 1040, 32773: 64, 32946: 1040}
"""How much each compression can shrink data at best, where there is a bound."""
_JPEG = 7
_CONTIGUOUS = 1
_PREDICTORS = (1, 2, 3)
_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB, _PALETTE, _YCBCR = 0, 1, 2, 3, 6
_ALPHA = (1, 2)
"""Kinds of ExtraSamples; any other is one more channel."""
_MAX_TILE_SAMPLES = 2**24
"""A tile may be larger than its image, but not absurdly so."""
_MAX_TILED_SAMPLES = 2**28
"""All tiles together may be larger than their image too; it takes a second to decode so much."""


@dataclass(frozen=True, slots=True)
class PageFormat:
    """What the samples of a page mean.

    Attributes:
        shape, axes: of the page as it is read: "YX", "YXS" or "YXC".
        dtype: as stored in the file.
        bit_depth: significant bits.
        palette: colours of a palette that is to be expanded, 2**n x 3 uint8.
    """

    shape: tuple[int, ...]
    axes: str
    dtype: np.dtype[Any]
    bit_depth: int
    palette: NDArray[np.uint8] | None = None


def page_format(page: tifffile.TiffPage) -> PageFormat:
    """What the samples of a page mean.

    Raises:
        ImageUnreadableError: the page has no pixels, or is compressed in a way that is not read.
        UnsupportedPixelTypeError: its samples are not intensities or RGB of a type that is taken.
    """
    if 0 in page.shaped or page.imagedepth != 1:
        raise ImageUnreadableError(f"the TIFF file has a page of shape {page.shape}, which has no pixels")
    if page.compression not in _COMPRESSIONS or page.predictor not in _PREDICTORS:
        raise ImageUnreadableError(
            f"the TIFF file is compressed with {getattr(page.compression, 'name', page.compression)}; "
            f"read are {', '.join(sorted(set(_COMPRESSIONS.values())))}"
        )
    if page.dtype is None:
        raise UnsupportedPixelTypeError(f"{page.bitspersample}-bit samples of this kind are not taken")
    stored = stored_dtype(page.dtype)
    size, samples = (page.imagelength, page.imagewidth), page.samplesperpixel
    bits = page.bitspersample if isinstance(page.bitspersample, int) else stored.itemsize * 8
    bits = min(bits, stored.itemsize * 8) if stored.kind == "u" else stored.itemsize * 8
    plain = PageFormat(size, "YX", page.dtype, bits)
    if page.extrasamples and page.extrasamples[-1] in _ALPHA:
        samples -= 1  # the last, which is left out
    if page.photometric in (_MIN_IS_WHITE, _MIN_IS_BLACK):
        return plain if samples == 1 else replace(plain, shape=(*size, samples), axes="YXC")
    if page.photometric == _PALETTE and samples == 1:
        palette = None if page.is_imagej else _palette(page)
        if palette is None:
            return plain
        return PageFormat((*size, RGB_SAMPLES), "YXS", np.dtype("u1"), 8, palette)
    # YCbCr is brought to RGB by the JPEG decoder, and by nobody else.
    colours = page.photometric == _RGB or (page.photometric == _YCBCR and page.compression == _JPEG)
    if colours and samples >= RGB_SAMPLES:
        return replace(plain, shape=(*size, samples), axes="YXS" if samples == RGB_SAMPLES else "YXC")
    kind = getattr(page.photometric, "name", page.photometric)
    raise UnsupportedPixelTypeError(f"TIFF samples of kind {kind} are not taken; save it as grey or RGB")


def _palette(page: tifffile.TiffPage) -> NDArray[np.uint8] | None:
    """The colours of a palette as 2**n x 3; None where it is a grey ramp, or missing."""
    colours = page.colormap
    if colours is None or colours.shape != (3, 2 ** int(page.bitspersample)):
        return None
    if (colours == colours[0]).all() and (np.diff(colours[0].astype(np.int32)) >= 0).all():
        return None
    # Colours have 16 bits by the standard; some writers use 8.
    return (colours.T // (257 if colours.max() > 255 else 1)).astype(np.uint8)


def page_samples(data: bytes, page: tifffile.TiffPage, expected: PageFormat) -> NDArray[Any]:
    """Decode a page.

    Args:
        data: the whole file.
        page: one of its pages.
        expected: what `page_format` said of the page.

    Raises:
        ImageUnreadableError: strips or tiles are missing, or are not what they are said to be.
    """
    check_segments(data, page)
    samples: NDArray[Any] = page.asarray(squeeze=False, maxworkers=1)
    # Separate planes, depth, rows, columns, samples of a pixel; planes and samples are never both there.
    samples = np.moveaxis(samples[:, 0], 0, 2).reshape(page.imagelength, page.imagewidth, -1)
    if expected.palette is not None:
        samples = expected.palette[samples[..., 0]]
    count = expected.shape[2] if expected.shape[2:] else 1
    return samples[..., :count].reshape(expected.shape)


def check_segments(data: bytes, page: tifffile.TiffPage) -> None:
    """Check that every strip or tile of a page lies in the file and does not claim an absurd size.

    Raises:
        ImageUnreadableError: one does not.
    """
    segments = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    expected = 1 if page.is_contiguous else math.prod(page.chunked)
    if len(segments) < expected:
        raise ImageUnreadableError(f"the TIFF file has {len(segments)} of {expected} strips or tiles")
    if any(size < 1 or offset < 8 or offset + size > len(data) for offset, size in segments[:expected]):
        raise ImageUnreadableError("the TIFF file is cut off: strips or tiles are missing or end beyond it")
    bits = page.bitspersample if isinstance(page.bitspersample, int) else min(page.bitspersample)
    present = sum(size for _, size in segments)
    check_enough(present, math.prod(page.shaped) * bits // 8, _MAX_RATIOS.get(page.compression, math.inf))
    tile, image = math.prod(page.chunks), math.prod(page.shaped)
    if tile > max(_MAX_TILE_SAMPLES, image) or tile * expected > max(_MAX_TILED_SAMPLES, 4 * image):
        raise ImageUnreadableError(f"the TIFF file has tiles of an absurd size: {page.chunks}")
    if page.compression == _JPEG:
        for index, (offset, size) in enumerate(segments[:expected]):
            _check_jpeg(page, index, data[offset : offset + size])


def _check_jpeg(page: tifffile.TiffPage, index: int, stream: bytes) -> None:
    """Check that a strip or tile of JPEG data has the shape that the page says.

    The decoder takes the page's word for it and would leave memory as it found it, or write beyond it.

    Raises:
        ImageUnreadableError: it has another.
    """
    if page.is_tiled:
        height, width = page.tilelength, page.tilewidth
    else:
        strips = math.ceil(page.imagelength / page.rowsperstrip)
        height = min(page.rowsperstrip, page.imagelength - index % strips * page.rowsperstrip)
        width = page.imagewidth
    samples = page.samplesperpixel if page.planarconfig == _CONTIGUOUS else 1
    expected = JpegFrame(height=height, width=width, samples=samples, bit_depth=page.bitspersample)
    if read_frame(stream) != expected:
        raise ImageUnreadableError("the TIFF file holds JPEG data of another shape than it says")
