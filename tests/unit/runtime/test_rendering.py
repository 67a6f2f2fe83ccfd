"""What models that see 8 bits get to see."""

import numpy as np
import pytest

from hooke import codecs
from hooke.images import View
from hooke.types import IntensityRange
from runtime.rendering import render_rgb8


# An 8-bit image stays as it is: grey goes to all three samples, RGB is RGB.
def test_eight_bits_stay() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    seen = render_rgb8(codecs.from_array(grey), None)
    assert seen.image.axes == "YXS"
    assert seen.intensity_ranges == ()
    assert all(np.array_equal(seen.image.pixels[..., sample], grey) for sample in range(3))
    colour = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    assert np.array_equal(render_rgb8(codecs.from_array(colour, axes="YXS"), None).image.pixels, colour)


# More bits are stretched between the percentiles of the whole image, which the answer can name.
def test_more_bits_are_stretched() -> None:
    pixels = np.linspace(100, 4095, 40_000).astype(np.uint16).reshape(200, 200)
    seen = render_rgb8(codecs.from_array(pixels), None)
    low, high = np.percentile(pixels, [1, 99.8])
    assert seen.intensity_ranges == (IntensityRange(low, high),)
    grey = seen.image.pixels[..., 0].astype(int)
    assert (grey[pixels <= low] == 0).all()
    assert (grey[pixels >= high] == 255).all()
    between = (pixels > low) & (pixels < high)
    assert np.abs(grey - (pixels - low) / (high - low) * 255)[between].max() <= 0.51


# The percentiles of the request count, for 8-bit images too.
def test_percentiles_of_the_request() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    seen = render_rgb8(codecs.from_array(pixels), View(low_percentile=0, high_percentile=50))
    assert seen.intensity_ranges == (IntensityRange(0, 127.5),)
    assert seen.image.pixels.max() == 255
    assert (seen.image.pixels[8:] == 255).all()


# Channels are stretched one by one; the first is red, the second green, and without a third blue is empty.
def test_channels() -> None:
    noise = np.random.default_rng(1)
    pixels = np.stack([noise.integers(0, 1000, (50, 50)), noise.integers(0, 60_000, (50, 50))], axis=-1)
    seen = render_rgb8(codecs.from_array(pixels.astype(np.uint16), axes="YXC"), None)
    assert len(seen.intensity_ranges) == 2
    assert seen.intensity_ranges[0].high < 1000 < seen.intensity_ranges[1].high
    assert [int(seen.image.pixels[..., sample].max()) for sample in range(3)] == [255, 255, 0]


# An image of one intensity is black, whatever its type, and nothing is divided by zero.
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_flat_images(dtype: type[np.generic]) -> None:
    seen = render_rgb8(codecs.from_array(np.full((8, 8), 7, dtype)), None)
    assert not seen.image.pixels.any()


# 32-bit samples keep their contrast, however large they are and however far apart.
@pytest.mark.parametrize(
    ("dark", "bright", "dtype"),
    [
        (4_000_000_000, 4_000_000_100, np.uint32),
        (1e9, 1e9 + 64, np.float32),
        (-3e38, 3e38, np.float32),
        (0, 1e-45, np.float32),
    ],
)
def test_extreme_samples(dark: float, bright: float, dtype: type[np.generic]) -> None:
    pixels = np.array([[dark] * 8] * 4 + [[bright] * 8] * 4, dtype)
    seen = render_rgb8(codecs.from_array(pixels), None)
    assert seen.image.pixels[0, 0].tolist() == [0, 0, 0]
    assert seen.image.pixels[7, 7].tolist() == [255, 255, 255]
