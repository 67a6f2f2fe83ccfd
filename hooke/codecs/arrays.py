"""Samples in memory: which types are taken, what makes a Micrograph of an array."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hooke.errors import ImageUnreadableError, InvalidRequestError, UnsupportedPixelTypeError
from hooke.images import Micrograph, PixelSize

STORED_AS: dict[str, str] = {
    "bool": "uint8",
    "uint8": "uint8",
    "uint16": "uint16",
    "uint32": "uint32",
    "int8": "uint8",
    "int16": "uint16",
    "int32": "uint32",
    "float16": "float32",
    "float32": "float32",
    "float64": "float32",
}
"""Sample types that are taken, and what a Micrograph keeps them as.

Signed samples are taken where none is negative, which changes no number. float64 is rounded to float32,
which keeps 24 significant bits. 64-bit integers and complex numbers are not taken.
"""

RGB_SAMPLES = 3


def invalid(field: str, description: str) -> NoReturn:
    """Raise the error of one faulty field of an image."""
    raise InvalidRequestError.of_field(field, description)


def stored_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type that a Micrograph keeps samples of `dtype` as.

    Raises:
        UnsupportedPixelTypeError: samples of this type are not taken.
    """
    name = STORED_AS.get(dtype.newbyteorder("=").name)
    if name is None:
        raise UnsupportedPixelTypeError(
            f"samples of type {dtype.name} are not taken; convert them to uint8, uint16, uint32 or float32"
        )
    return np.dtype(name)


def stored_samples(samples: NDArray[Any]) -> NDArray[Any]:
    """The samples as a Micrograph keeps them: native byte order, C order, read-only.

    Raises:
        UnsupportedPixelTypeError: samples of this type are not taken, or signed ones are negative.
        ImageUnreadableError: samples are not finite, or too large for float32.
    """
    dtype = stored_dtype(samples.dtype)
    if samples.dtype.kind == "i" and samples.min() < 0:
        raise UnsupportedPixelTypeError(
            f"{samples.dtype.name} samples go down to {samples.min()}; add an offset and save them as "
            f"{dtype.name}, or convert them to float32"
        )
    with np.errstate(over="ignore"):  # what overflows is found below
        stored = np.ascontiguousarray(samples, dtype=dtype)
    if dtype.kind == "f":
        # Extremes are not finite if any sample is not, and need no array of flags.
        with np.errstate(invalid="ignore"):
            extremes = (stored.min(), stored.max())
        if not np.isfinite(extremes).all():
            count = int(stored.size - np.isfinite(stored).sum())
            raise ImageUnreadableError(
                f"{count} of {stored.size} samples are NaN, infinite or beyond float32; replace them first"
            )
    stored.flags.writeable = False
    return stored


def check_axes(axes: str, shape: Sequence[int], field: str = "image.axes") -> None:
    """Check that axes fit a shape.

    Raises:
        InvalidRequestError: a letter is unknown or repeated, Y or X is missing, S is not last, or the
            number of letters is not the number of dimensions.
    """
    if len(axes) != len(shape):
        invalid(field, f"{axes!r} names {len(axes)} dimensions, the image has {len(shape)}: {tuple(shape)}")
    if set(axes) - set("TCZYXS") or len(set(axes)) != len(axes) or not {"Y", "X"} <= set(axes):
        invalid(field, f"{axes!r} must hold Y, X and any of T, C, Z, S, each once")
    if "S" in axes:
        samples = shape[axes.index("S")]
        if not axes.endswith("S"):
            invalid(field, f"{axes!r} has S, the samples of RGB data, elsewhere than at the end")
        if samples not in (RGB_SAMPLES, RGB_SAMPLES + 1):
            invalid(field, f"S has {samples} samples, RGB has 3 and RGBA 4; call channels C")


def micrograph(samples: NDArray[Any], axes: str, *, sha256: str | None = None) -> Micrograph:
    """A Micrograph of samples whose axes are known; alpha, the fourth of RGBA samples, is dropped.

    Args:
        samples: any type of STORED_AS; not copied where they can be kept as they are.
        axes: one letter for each dimension.
        sha256: of the file; None for that of the samples as kept.

    Raises:
        InvalidRequestError, UnsupportedPixelTypeError, ImageUnreadableError: something does not fit; the
            violation names the field of the wire's Image.
    """
    check_axes(axes, samples.shape)
    if samples.size == 0:
        invalid("image.pixels.shape", f"{samples.shape} has no samples")
    if axes.endswith("S"):
        samples = samples[..., :RGB_SAMPLES]
    stored = stored_samples(samples)
    digest = sha256 or hashlib.sha256(stored.data).hexdigest()
    return Micrograph(pixels=stored, axes=axes, sha256=digest, bit_depth=stored.dtype.itemsize * 8)


def described(
    image: Micrograph,
    *,
    bit_depth: int | None = None,
    pixel_size: PixelSize | None = None,
    channel_names: Sequence[str] = (),
) -> Micrograph:
    """The same image with what is known about it; what is None or empty stays as it is.

    Raises:
        InvalidRequestError: a sample needs more bits, or there are not as many names as channels.
    """
    if bit_depth is not None and not fits(image, bit_depth):
        invalid("image.bit_depth", f"samples of {image.pixels.dtype.name} do not fit {bit_depth} bits")
    channels = image.pixels.shape[image.axes.index("C")] if "C" in image.axes else 1
    if channel_names and len(channel_names) != channels:
        invalid("image.channel_names", f"{len(channel_names)} names for {channels} channels")
    return replace(
        image,
        bit_depth=bit_depth or image.bit_depth,
        pixel_size=pixel_size or image.pixel_size,
        channel_names=tuple(channel_names) or image.channel_names,
    )


def fits(image: Micrograph, bit_depth: int) -> bool:
    """True if every sample fits so many bits."""
    width = image.pixels.dtype.itemsize * 8
    if image.pixels.dtype.kind == "f" or bit_depth >= width:
        return bit_depth == width
    return bit_depth >= 1 and not int(image.pixels.max()) >> bit_depth


def from_array(
    array: ArrayLike,
    axes: str | None = None,
    *,
    pixel_size: PixelSize | None = None,
    channel_names: Sequence[str] = (),
    bit_depth: int | None = None,
) -> Micrograph:
    """A Micrograph of an array; the samples are copied.

    Booleans become uint8, signed integers unsigned ones (none may be negative), float16 and float64
    float32. The fourth sample of RGBA data, alpha, is dropped.

    Args:
        array: two dimensions or more.
        axes: one letter out of TCZYX for each dimension, S last for RGB samples; may be left out for two
            dimensions, rows and columns.
        pixel_size: None where unknown.
        channel_names: one for each channel, or none.
        bit_depth: significant bits of a sample; None for the width of its type.

    Raises:
        InvalidRequestError: axes are missing or do not fit, or another argument does not.
        UnsupportedPixelTypeError: the type of the samples is not taken.
        ImageUnreadableError: samples are NaN or infinite.
    """
    samples = np.array(array)
    if axes is None:
        if samples.ndim != 2:
            hint = (
                "axes='YXS' if it is RGB" if samples.shape[-1:] in ((3,), (4,)) else "for example axes='CYX'"
            )
            invalid("image.axes", f"an array of shape {samples.shape} needs axes; pass {hint}")
        axes = "YX"
    image = micrograph(samples, axes)
    return described(image, bit_depth=bit_depth, pixel_size=pixel_size, channel_names=channel_names)
