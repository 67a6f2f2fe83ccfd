"""What models that see 8 bits get to see of an image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hooke.images import Micrograph, View
from hooke.types import IntensityRange

LOW_PERCENTILE = 1.0
HIGH_PERCENTILE = 99.8


@dataclass(frozen=True, slots=True, eq=False)
class Rendering:
    """An image in 8-bit RGB.

    Attributes:
        image: axes "YXS", uint8, three samples; its hash is still that of the source.
        intensity_ranges: how raw intensities were mapped, one for each channel; empty: they were not.
    """

    image: Micrograph
    intensity_ranges: tuple[IntensityRange, ...]


def render_rgb8(image: Micrograph, view: View | None) -> Rendering:
    """Bring an image to 8-bit RGB.

    Intensities are stretched linearly between two percentiles of each channel, always over the whole image.
    An 8-bit image stays as it is unless the view names a percentile. One channel becomes grey; of two or
    three the first is red, the second green, the third blue.

    Args:
        image: axes "YX", "YXC" or "YXS"; at most three channels.
        view: may name the percentiles.
    """
    view = view or View()
    planes = image.pixels if image.pixels.ndim == 3 else image.pixels[..., np.newaxis]
    ranges: tuple[IntensityRange, ...] = ()
    if planes.dtype != np.uint8 or view.low_percentile is not None or view.high_percentile is not None:
        percentiles = (
            LOW_PERCENTILE if view.low_percentile is None else view.low_percentile,
            HIGH_PERCENTILE if view.high_percentile is None else view.high_percentile,
        )
        channels = [planes[..., channel] for channel in range(planes.shape[2])]
        bounds = [np.percentile(channel, percentiles) for channel in channels]
        ranges = tuple(IntensityRange(float(low), float(high)) for low, high in bounds)
        planes = np.stack([_stretch(*pair) for pair in zip(channels, ranges, strict=True)], axis=-1)
    rgb = np.zeros((*planes.shape[:2], 3), np.uint8)
    rgb[..., : 3 if planes.shape[2] == 1 else planes.shape[2]] = planes  # a single channel goes to all three
    rgb.flags.writeable = False
    seen = replace(image, pixels=rgb, axes="YXS", bit_depth=8, channel_names=())
    return Rendering(seen, ranges)


def _stretch(channel: NDArray[Any], bounds: IntensityRange) -> NDArray[np.uint8]:
    """Map `low` to 0 and `high` to 255; a channel of one intensity is black."""
    if bounds.high <= bounds.low:
        return np.zeros(channel.shape, np.uint8)
    # float32 holds neither the large numbers of 32-bit samples exactly nor the span of the largest ones.
    wide: NDArray[np.floating[Any]] = channel.astype(
        np.float32 if channel.dtype.itemsize <= 2 else np.float64
    )
    scaled = (wide - bounds.low) * (255 / (bounds.high - bounds.low))
    stretched: NDArray[np.uint8] = np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
    return stretched
