"""TIFF, BigTIFF, OME-TIFF and ImageJ TIFF files.

Samples come as stored: MinIsWhite is not inverted and an orientation tag is not applied. A palette that
is a grey ramp, or that ImageJ wrote, is a lookup table for display, and its indices are the intensities;
other palettes are expanded to RGB. Alpha is dropped. Of a file with several images the largest is read,
of an OME-TIFF the first; what is marked as reduced (previews, levels of a pyramid) is passed over.
"""

from __future__ import annotations

import contextlib
import contextvars
import io
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from hooke.codecs import ome, tiff_layout, tiff_scale
from hooke.codecs.arrays import RGB_SAMPLES, stored_dtype
from hooke.codecs.jpeg import JpegFrame, read_frame
from hooke.codecs.source import Source, check_size
from hooke.codecs.tiff_layout import Layout
from hooke.codecs.tiff_structure import page_offsets
from hooke.errors import ImageUnreadableError, UnsupportedPixelTypeError
from hooke.images import ImageHeader, ImageLimits

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
_JPEG = 7
_CONTIGUOUS = 1
_PREDICTORS = (1, 2, 3)
_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB, _PALETTE, _YCBCR = 0, 1, 2, 3, 6
_ALPHA = (1, 2)
"""Kinds of ExtraSamples; any other is one more channel."""
_REDUCED_OR_MASK = 1 | 4
"""Bits of NewSubfileType: a reduced version of another page, a transparency mask."""
_STK_PLANES = 33629
"""Tag of MetaMorph with one value for each plane, all of them behind one page."""
_MAX_TILE_SAMPLES = 2**24
"""A tile may be larger than its image, but not absurdly so."""

_quiet: contextvars.ContextVar[bool] = contextvars.ContextVar("_quiet", default=False)
# tifffile logs what it finds wrong with a file and reads on. Here the file's faults become errors, and the
# log lines of a file that anybody can send are noise; whoever uses tifffile beside Hooke keeps theirs.
logging.getLogger("tifffile").addFilter(lambda _: not _quiet.get())


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)


@dataclass(frozen=True, slots=True)
class _PageFormat:
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


def open_tiff(data: bytes, limits: ImageLimits) -> Source:
    """Read the header of a TIFF file; an axis that the file does not tell is UNKNOWN_AXIS."""
    with _quietly():
        file = _File(data)
        first = file.page(0)
        if first.is_ome:
            name, layout = "OME-TIFF", _ome_layout(file, first)
        elif first.is_imagej:
            name, layout = "ImageJ TIFF", _imagej_layout(file, first)
        else:
            name, layout = "TIFF", _plain_layout(file)
        first = file.page(layout.pages[0])
        page = _page_format(first)
        shape = layout.shape + page.shape
        check_size(shape, limits)
        pixel_size = tiff_scale.vendor_pixel_size(first) or layout.pixel_size
        if pixel_size is None and name == "TIFF":
            pixel_size = tiff_scale.resolution_pixel_size(first)
    file_axes = layout.axes + page.axes
    if len(set(file_axes)) != len(file_axes):
        raise ImageUnreadableError("the file stores channels both as pages and as samples; use one of them")
    header = ImageHeader(
        format=name,
        shape=shape,
        axes=file_axes,
        dtype=stored_dtype(page.dtype).name,
        bit_depth=min(layout.bit_depth or page.bit_depth, page.bit_depth),
        pixel_size=pixel_size,
        channel_names=layout.channel_names,
    )
    return Source(header, lambda: _samples(file, layout, page))


class _File:
    """An opened file whose chain of pages is sound."""

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        self.data = data
        self._offsets = page_offsets(data)
        # What is switched off looks beyond the chain of pages, on the word of the file.
        self._file = tifffile.TiffFile(io.BytesIO(data), is_lsm=False, is_scanimage=False, is_ndpi=False)

    @property
    def page_count(self) -> int:
        return len(self._offsets)

    def page(self, index: int) -> tifffile.TiffPage:
        self._file.filehandle.seek(self._offsets[index])
        return tifffile.TiffPage(self._file, index)


def _ome_layout(file: _File, first: tifffile.TiffPage) -> Layout:
    samples = first.samplesperpixel
    layout = ome.read_ome(
        first.description,
        height=first.imagelength,
        width=first.imagewidth,
        samples=samples,
        page_count=file.page_count,
    )
    channels = dict(zip(layout.axes, layout.shape, strict=True)).get("C", 1)
    if samples > 1 and _page_format(first).axes == "YXC":
        channels = samples
    names = layout.channel_names if len(layout.channel_names) == channels else ()
    return replace(layout, channel_names=names)


def _imagej_layout(file: _File, first: tifffile.TiffPage) -> Layout:
    fields = tiff_layout.imagej_fields(first.description)
    layout = tiff_layout.read_imagej(fields, file.page_count)
    return replace(layout, pixel_size=tiff_scale.imagej_pixel_size(fields, first))


def _plain_layout(file: _File) -> Layout:
    """The largest image of a file that does not describe its pages as a whole."""
    pages = [file.page(index) for index in range(file.page_count)]
    pages = [page for page in pages if not page.subfiletype & _REDUCED_OR_MASK] or pages
    largest = max(page.imagewidth * page.imagelength for page in pages)
    pages = [page for page in pages if page.imagewidth * page.imagelength == largest]
    # Olympus puts a preview of the same size before the image.
    main = next((page for page in pages if page.is_sis), pages[0])
    stack = main.tags.get(_STK_PLANES)
    if stack is not None and stack.count > 1:
        raise ImageUnreadableError("MetaMorph stacks (STK) are not read; save it as OME-TIFF")
    alike = [page.index for page in pages if (page.shape, page.dtype) == (main.shape, main.dtype)]
    if main.is_shaped and len(alike) == file.page_count:
        layout = tiff_layout.read_shaped(main.description, main.shape, file.page_count)
        if layout is not None:
            return layout
    return tiff_layout.of_unknown_axis(alike)


def _page_format(page: tifffile.TiffPage) -> _PageFormat:
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
    plain = _PageFormat(size, "YX", page.dtype, bits)
    if page.extrasamples and page.extrasamples[-1] in _ALPHA:
        samples -= 1  # the last, which is left out
    if page.photometric in (_MIN_IS_WHITE, _MIN_IS_BLACK):
        return plain if samples == 1 else replace(plain, shape=(*size, samples), axes="YXC")
    if page.photometric == _PALETTE and samples == 1:
        palette = None if page.is_imagej else _palette(page)
        if palette is None:
            return plain
        return _PageFormat((*size, RGB_SAMPLES), "YXS", np.dtype("u1"), 8, palette)
    if page.photometric in (_RGB, _YCBCR) and samples >= RGB_SAMPLES:
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


def _samples(file: _File, layout: Layout, page_format: _PageFormat) -> NDArray[Any]:
    """Decode the pages of the layout, one after the other."""
    with _quietly():
        result: NDArray[Any] = np.empty((len(layout.pages), *page_format.shape), page_format.dtype)
        for target, index in zip(result, layout.pages, strict=True):
            page = file.page(index)
            own = _page_format(page)
            if (own.shape, own.dtype) != (page_format.shape, page_format.dtype):
                raise ImageUnreadableError(f"page {index} of the TIFF file differs from the others")
            target[...] = _page_samples(file, page, own)
        return result.reshape(layout.shape + page_format.shape)


def _page_samples(file: _File, page: tifffile.TiffPage, page_format: _PageFormat) -> NDArray[Any]:
    _check_segments(file, page)
    samples: NDArray[Any] = page.asarray(squeeze=False, maxworkers=1)
    # Separate planes, depth, rows, columns, samples of a pixel; planes and samples are never both there.
    samples = np.moveaxis(samples[:, 0], 0, 2).reshape(page.imagelength, page.imagewidth, -1)
    if page_format.palette is not None:
        samples = page_format.palette[samples[..., 0]]
    count = page_format.shape[2] if page_format.shape[2:] else 1
    return samples[..., :count].reshape(page_format.shape)


def _check_segments(file: _File, page: tifffile.TiffPage) -> None:
    """Check that every strip or tile of a page lies in the file and does not claim an absurd size.

    Raises:
        ImageUnreadableError: one does not.
    """
    segments = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    expected = 1 if page.is_contiguous else math.prod(page.chunked)
    if len(segments) < expected:
        raise ImageUnreadableError(f"the TIFF file has {len(segments)} of {expected} strips or tiles")
    if any(size < 1 or offset < 8 or offset + size > file.size for offset, size in segments[:expected]):
        raise ImageUnreadableError("the TIFF file is cut off: strips or tiles are missing or end beyond it")
    if page.is_contiguous and sum(size for _, size in segments) < page.nbytes:
        raise ImageUnreadableError(f"the TIFF file is cut off: a page of {page.nbytes} bytes has fewer")
    if math.prod(page.chunks) > max(_MAX_TILE_SAMPLES, math.prod(page.shaped)):
        raise ImageUnreadableError(f"the TIFF file has tiles of an absurd size: {page.chunks}")
    if page.compression == _JPEG:
        for index, (offset, size) in enumerate(segments[:expected]):
            _check_jpeg(page, index, file.data[offset : offset + size])


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
