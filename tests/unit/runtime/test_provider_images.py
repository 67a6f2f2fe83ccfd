"""Images as providers take them."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hooke import errors
from hooke.images import Micrograph, PixelSize
from runtime.provider_images import JPEG, PNG, ProviderLimits, encode

LIMITS = ProviderLimits(max_side_px=2048, max_pixels=2048**2, max_bytes=20 * 1024**2, jpeg_quality=90)


def micrograph(pixels: NDArray[np.uint8]) -> Micrograph:
    axes = "YX" if pixels.ndim == 2 else "YXS"
    return Micrograph(pixels, axes, "0" * 64, 8, PixelSize(0.65, 0.65), ("secret patient",))


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def pixels_of(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)))


def chunks_of(png: bytes) -> list[bytes]:
    """The names of the chunks of a PNG."""
    names, position = [], 8
    while position < len(png):
        (length,) = struct.unpack_from(">I", png, position)
        names.append(png[position + 4 : position + 8])
        position += length + 12
    return names


def segments_of(jpeg: bytes) -> list[int]:
    """The markers of a JPEG up to its scan."""
    markers, position = [], 2
    while True:
        marker, length = struct.unpack_from(">xBH", jpeg, position)
        markers.append(marker)
        if marker == 0xDA:
            return markers
        position += length + 2


# What fits is sent as a PNG, sample for sample.
def test_what_fits_loses_nothing() -> None:
    pixels = noise(31, 47, 3)
    sent = encode(micrograph(pixels), LIMITS)
    assert sent.media_type == sent.rendered.media_type == PNG
    assert (pixels_of(sent.data) == pixels).all()
    assert (sent.rendered.width_px, sent.rendered.height_px, sent.rendered.axes) == (47, 31, "YXS")
    assert sent.rendered.sample_type == "uint8"


# Grey images are sent as grey ones, also where they come as three equal samples.
@pytest.mark.parametrize("samples", [1, 3])
def test_grey_stays_grey(samples: int) -> None:
    grey = noise(20, 30)
    pixels = grey if samples == 1 else np.repeat(grey[..., None], 3, axis=-1)
    sent = encode(micrograph(pixels), LIMITS)
    assert (pixels_of(sent.data) == grey).all()
    assert sent.rendered.axes == "YX"


# Sides and pixels beyond the limits are scaled down to the largest size within them, in the same shape.
@pytest.mark.parametrize(
    ("shape", "max_side_px", "max_pixels", "size"),
    [
        ((100, 400), 200, 10**6, (200, 50)),
        ((400, 100), 200, 10**6, (50, 200)),
        ((300, 300), 300, 10**4, (100, 100)),
        ((1, 5000), 100, 10**6, (100, 1)),
        ((300, 300), 300, 90000, (300, 300)),
    ],
)
def test_scaling(shape: tuple[int, int], max_side_px: int, max_pixels: int, size: tuple[int, int]) -> None:
    limits = ProviderLimits(max_side_px, max_pixels, 20 * 1024**2, 90)
    sent = encode(micrograph(noise(*shape)), limits)
    assert (sent.rendered.width_px, sent.rendered.height_px) == size
    assert pixels_of(sent.data).shape == size[::-1]


# An image too large as a PNG becomes a JPEG; one still too large becomes a smaller JPEG, until it fits.
@pytest.mark.parametrize("max_bytes", [60_000, 20_000, 2_000])
def test_bytes(max_bytes: int) -> None:
    pixels = noise(200, 300)
    sent = encode(micrograph(pixels), ProviderLimits(2048, 2048**2, max_bytes, 80))
    assert len(sent.data) <= max_bytes
    assert sent.media_type == (PNG if max_bytes > 200 * 300 * 1.01 else JPEG)
    assert pixels_of(sent.data).shape == (sent.rendered.height_px, sent.rendered.width_px)
    if max_bytes == 60_000:
        assert sent.rendered.width_px == 300


# A limit that nothing keeps to is an error, not an endless loop.
def test_nothing_fits() -> None:
    with pytest.raises(errors.ImageTooLargeError):
        encode(micrograph(noise(8, 8)), ProviderLimits(2048, 2048**2, 10, 80))


# Neither kind of file holds anything but samples: no text, no times, no resolution, no EXIF, no profile.
def test_no_metadata() -> None:
    png = encode(micrograph(noise(64, 64, 3)), LIMITS).data
    assert set(chunks_of(png)) == {b"IHDR", b"IDAT", b"IEND"}
    jpeg = encode(micrograph(noise(64, 64, 3)), ProviderLimits(2048, 2048**2, 9000, 80)).data
    # Tables, frame and scan, and the marker that says that it is a JPEG file (JFIF).
    assert set(segments_of(jpeg)) <= {0xE0, 0xDB, 0xC0, 0xC4, 0xDA}
    for data in (png, jpeg):
        assert b"secret patient" not in data
        assert not Image.open(io.BytesIO(data)).getexif()
