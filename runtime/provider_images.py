"""Images as providers take them: PNG or JPEG within their limits, and nothing but the samples."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import imagecodecs
import numpy as np
from PIL import Image

from hooke import errors
from hooke.images import Micrograph
from hooke.types import RenderedImage

PNG = "image/png"
JPEG = "image/jpeg"


@dataclass(frozen=True, slots=True)
class ProviderLimits:
    """What a provider takes of one image, and how it gets there."""

    max_side_px: int
    """Longest side."""
    max_pixels: int
    """Most rows times columns."""
    max_bytes: int
    """Largest file, before it is put into base64."""
    jpeg_quality: int
    """Quality of the JPEG where a PNG would be too large, 1 to 95."""


@dataclass(frozen=True, slots=True, eq=False)
class ProviderImage:
    """One image as it is sent."""

    data: bytes
    media_type: str
    rendered: RenderedImage


def encode(image: Micrograph, limits: ProviderLimits) -> ProviderImage:
    """Encode an image for a provider.

    An image beyond the limits on sides and pixels is scaled down (Lanczos, the ratio of its sides kept) to
    the largest size within them. It becomes a PNG, which loses nothing; where that has too many bytes a JPEG;
    and where that still has too many, a JPEG of an image half as large, and so on. Grey images become grey
    files. No metadata of any kind is written: the file is made anew from the samples.

    Args:
        image: 8-bit, axes "YX" or "YXS".
        limits: of the provider.

    Raises:
        ImageTooLargeError: not even a single pixel fits into `max_bytes`.
    """
    assert image.pixels.dtype == np.uint8, "the runtime renders images to 8 bits"
    assert image.axes in {"YX", "YXS"}, "the runtime chooses the view"
    picture = _picture(image)
    size = _within(picture.size, limits)
    data, media_type = _png(_scaled(picture, size)), PNG
    while len(data) > limits.max_bytes:
        if media_type == JPEG:
            if size == (1, 1):
                raise errors.ImageTooLargeError(f"no image fits into {limits.max_bytes} bytes")
            size = (max(1, size[0] // 2), max(1, size[1] // 2))
        data, media_type = _jpeg(_scaled(picture, size), limits.jpeg_quality), JPEG
    rendered = RenderedImage(
        width_px=size[0],
        height_px=size[1],
        axes="YX" if picture.mode == "L" else "YXS",
        sample_type="uint8",
        media_type=PNG if media_type == PNG else f"{JPEG}; quality={limits.jpeg_quality}",
    )
    return ProviderImage(data, media_type, rendered)


def _picture(image: Micrograph) -> Image.Image:
    pixels = image.pixels
    if image.axes == "YXS" and (pixels[..., :1] == pixels).all():
        pixels = pixels[..., 0]
    return Image.fromarray(np.ascontiguousarray(pixels))


def _within(size: tuple[int, int], limits: ProviderLimits) -> tuple[int, int]:
    """The largest size of the same shape that keeps to the limits on sides and pixels."""
    width, height = size
    scale = min(1.0, limits.max_side_px / max(size), math.sqrt(limits.max_pixels / (width * height)))
    if scale == 1.0:
        return size
    return max(1, int(width * scale)), max(1, int(height * scale))


def _scaled(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    return picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)


def _png(picture: Image.Image) -> bytes:
    # The lowest level takes a third of the time of the usual one, for a file that is a tenth larger.
    return bytes(imagecodecs.png_encode(np.asarray(picture), level=1))


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    # Colours at full resolution: fluorescence often has its finest detail in one of them.
    picture.save(buffer, "JPEG", quality=quality, subsampling="4:4:4")
    return buffer.getvalue()
