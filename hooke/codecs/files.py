"""Files: which format it is, what its header says, its samples."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hooke.codecs.arrays import check_axes, described, fits, invalid, micrograph
from hooke.codecs.jpeg import JPEG_SIGNATURE, open_jpeg
from hooke.codecs.png import PNG_SIGNATURE, open_png
from hooke.codecs.source import Source, reading
from hooke.codecs.tiff import open_tiff
from hooke.codecs.tiff_layout import CANONICAL, UNKNOWN_AXIS
from hooke.codecs.tiff_structure import SIGNATURES
from hooke.errors import ImageTooLargeError, ImageUnreadableError
from hooke.images import DEFAULT_LIMITS, ImageHeader, ImageLimits, Micrograph

_FORMATS = (
    ("PNG", PNG_SIGNATURE, open_png),
    ("JPEG", JPEG_SIGNATURE, open_jpeg),
    ("TIFF", SIGNATURES, open_tiff),
)


def read_header(data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> ImageHeader:
    """What a file says of itself, without decoding a pixel; the errors are those of `decode`.

    An axis that the file does not tell is "?": `decode` then needs to be told all of them.
    """
    return _open(data, limits).header


def decode(data: bytes, limits: ImageLimits = DEFAULT_LIMITS, *, axes: str | None = None) -> Micrograph:
    """The image in a PNG, JPEG, TIFF, BigTIFF, OME-TIFF or ImageJ TIFF file; safe to call from threads.

    The format is found from the content. Dimensions T, C and Z of length 1 are dropped. What becomes of
    sample types that a Micrograph does not have is said at `from_array`; of palettes, alpha and
    orientation in `hooke.codecs.tiff`, `hooke.codecs.png` and `hooke.codecs.jpeg`.

    Args:
        data: the whole file.
        limits: what is accepted; checked on the header.
        axes: what the dimensions are, where the file does not say or is wrong; one letter for each.

    Raises:
        ImageUnreadableError: it is no whole, honest file of these formats, or samples are not finite.
        ImageTooLargeError: it has more bytes or samples than the limits allow.
        UnsupportedPixelTypeError: the samples are of a type that is not taken.
        InvalidRequestError: the axes are not known, or do not fit.
    """
    source = _open(data, limits)
    header = source.header
    if axes is None and UNKNOWN_AXIS in header.axes:
        examples = ", ".join(header.axes.replace(UNKNOWN_AXIS, letter) for letter in CANONICAL)
        invalid(
            "image.axes",
            f"the file has {header.shape[0]} pages and does not say what they are; pass one of {examples}",
        )
    axes = axes or header.axes
    check_axes(axes, header.shape)
    with reading(header.format):
        image = micrograph(source.samples(), axes, sha256=hashlib.sha256(data).hexdigest())
    depth = header.bit_depth if fits(image, header.bit_depth) else image.bit_depth
    # The file's names are those of its own channel axis.
    names = header.channel_names if axes == header.axes else ()
    return described(image, bit_depth=depth, pixel_size=header.pixel_size, channel_names=names)


def read(path: str | Path, limits: ImageLimits = DEFAULT_LIMITS, *, axes: str | None = None) -> Micrograph:
    """The image in a file on disk; arguments and errors are those of `decode`.

    Raises:
        OSError: the file cannot be read.
    """
    path = Path(path)
    if path.stat().st_size > limits.max_bytes:
        raise _too_many_bytes(path.stat().st_size, limits)
    return decode(path.read_bytes(), limits, axes=axes)


def _open(data: bytes, limits: ImageLimits) -> Source:
    if len(data) > limits.max_bytes:
        raise _too_many_bytes(len(data), limits)
    for format_name, signatures, open_format in _FORMATS:
        if data.startswith(signatures):
            with reading(format_name):
                return open_format(data, limits)
    if not data:
        raise ImageUnreadableError("the image file is empty")
    raise ImageUnreadableError(
        f"this is no PNG, JPEG or TIFF file: it begins with {data[:8].hex(' ')}; export it as one of them"
    )


def _too_many_bytes(size: int, limits: ImageLimits) -> ImageTooLargeError:
    return ImageTooLargeError(
        f"the image file has {size} bytes; at most {limits.max_bytes} are taken",
        metadata={"maxBytes": str(limits.max_bytes)},
    )
