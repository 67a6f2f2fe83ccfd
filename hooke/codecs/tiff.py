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
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from hooke.codecs import ome, tiff_layout, tiff_scale
from hooke.codecs.arrays import stored_dtype
from hooke.codecs.source import Source, check_size
from hooke.codecs.tiff_layout import Layout
from hooke.codecs.tiff_pages import PageFormat, check_segments, page_format, page_samples
from hooke.codecs.tiff_structure import page_offsets
from hooke.errors import ImageUnreadableError
from hooke.images import ImageHeader, ImageLimits

_REDUCED_OR_MASK = 1 | 4
"""Bits of NewSubfileType: a reduced version of another page, a transparency mask."""
_STK_PLANES = 33629
"""Tag of MetaMorph with one value for each plane, all of them behind one page."""

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
        page = page_format(first)
        shape = layout.shape + page.shape
        check_size(shape, limits)
        check_segments(data, first)
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
    if samples > 1 and page_format(first).axes == "YXC":
        channels = samples
    names = layout.channel_names if len(layout.channel_names) == channels else ()
    return replace(layout, channel_names=names)


def _imagej_layout(file: _File, first: tifffile.TiffPage) -> Layout:
    fields = tiff_layout.imagej_fields(first.description)
    layout = tiff_layout.read_imagej(fields, first.samplesperpixel, file.page_count)
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


def _samples(file: _File, layout: Layout, expected: PageFormat) -> NDArray[Any]:
    """Decode the pages of the layout, one after the other."""
    with _quietly():
        if len(layout.pages) == 1:
            return page_samples(file.data, file.page(layout.pages[0]), expected)
        result: NDArray[Any] = np.empty((len(layout.pages), *expected.shape), expected.dtype)
        for target, index in zip(result, layout.pages, strict=True):
            page = file.page(index)
            own = page_format(page)
            if (own.shape, own.dtype) != (expected.shape, expected.dtype):
                raise ImageUnreadableError(f"page {index} of the TIFF file differs from the others")
            target[...] = page_samples(file.data, page, own)
        return result.reshape(layout.shape + expected.shape)
