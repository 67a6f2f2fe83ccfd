"""Micrographs: what the rest of Hooke means by an image."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from hooke.enums import ReceivedEnum


class PixelSizeSource(ReceivedEnum):
    """Where a pixel size was learnt; the names of the wire without their prefix."""

    OME_XML = "OME_XML"
    IMAGEJ = "IMAGEJ"
    TIFF_RESOLUTION = "TIFF_RESOLUTION"
    VENDOR_TAG = "VENDOR_TAG"
    SCALE_BAR = "SCALE_BAR"
    REQUEST = "REQUEST"


@dataclass(frozen=True, slots=True)
class PixelSize:
    """Physical size of a pixel in micrometres; every number is finite and greater than 0."""

    x_um: float
    y_um: float
    z_um: float | None = None
    source: PixelSizeSource = PixelSizeSource.REQUEST


@dataclass(frozen=True, slots=True, eq=False)
class Micrograph:
    """A decoded image with what a microscopist means by it.

    Attributes:
        pixels: samples in C order, uint8, uint16, uint32 or float32, one dimension for each letter of
            `axes`; read-only; floats are finite.
        axes: OME letters out of TCZYX, slowest first, then S for the samples of RGB data, for example
            "YX", "YXS", "CZYX". Y and X are always there.
        sha256: of the file's bytes where it came from a file, else of the raw samples; lower-case hex.
        pixel_size: None where unknown, never 1.0.
        channel_names: in the order of the channel axis; empty where unnamed.
        bit_depth: significant bits of a sample, for example 12 for 12-bit data in uint16.
    """

    pixels: NDArray[Any]
    axes: str
    sha256: str
    bit_depth: int
    pixel_size: PixelSize | None = None
    channel_names: tuple[str, ...] = ()

    @property
    def height_px(self) -> int:
        """Rows."""
        return int(self.pixels.shape[self.axes.index("Y")])

    @property
    def width_px(self) -> int:
        """Columns."""
        return int(self.pixels.shape[self.axes.index("X")])


ImageSource = str | os.PathLike[str] | bytes | bytearray | memoryview | NDArray[Any] | Micrograph
"""What the SDK takes for an image: a path, the bytes of a file, a two-dimensional array, or a micrograph."""


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What a reader accepts; checked on the header, before any pixel is decoded."""

    max_bytes: int = 512 * 1024**2
    """Largest file, in bytes."""
    max_pixels: int = 256 * 1024**2
    """Most samples: the product of all dimensions."""


DEFAULT_LIMITS = ImageLimits()
"""The limits where nobody sets others."""

DEFAULT_LOW_PERCENTILE = 1.0
DEFAULT_HIGH_PERCENTILE = 99.8
"""Percentiles of the intensities that become black and white where 8 bits are to be seen."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What a file says of itself, read without decoding a pixel.

    Attributes:
        format: "PNG", "JPEG", "TIFF", "OME-TIFF" or "ImageJ TIFF".
        shape: length of each dimension, in the order of `axes`.
        dtype: NumPy name of the sample type that decoding gives: uint8, uint16, uint32 or float32.
        axes: as in Micrograph; "?" stands for pages of which the file does not say what they are.
        bit_depth, pixel_size, channel_names: as in Micrograph.
    """

    format: str
    shape: tuple[int, ...]
    axes: str
    dtype: str
    bit_depth: int
    pixel_size: PixelSize | None = None
    channel_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """Which two-dimensional view of a larger image to use; the fields are those of the wire's View."""

    time_index: int | None = None
    z_index: int | None = None
    z_projection: str | None = None
    """Either "max" or "mean"; None for no projection."""
    channel_indices: tuple[int, ...] = field(default=())
    low_percentile: float | None = None
    """For models that see 8 bits: percentile of the intensities that becomes black; None: 1."""
    high_percentile: float | None = None
    """The percentile that becomes white; None: 99.8."""
    channel_names: tuple[str, ...] = ()
    """Channels by name instead of by index."""
