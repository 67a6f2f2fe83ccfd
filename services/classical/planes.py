"""From colours and channels to the one plane in which objects are looked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hooke.images import Micrograph
from hooke.types import IntensityRange


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """One plane of an image.

    Attributes:
        name: how it was made: "intensity", "channel mean", "absorbance".
        values: H x W float32 from 0 to 1.
        intensity_ranges: how raw intensities were mapped, one for each channel.
    """

    name: str
    values: NDArray[np.float32]
    intensity_ranges: tuple[IntensityRange, ...]


def to_plane(image: Micrograph) -> Plane:
    """Bring a two-dimensional micrograph (axes YX, YXC or YXS) to one plane."""
    pixels: NDArray[Any] = np.asarray(image.pixels)
    if image.axes == "CYX":
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.ndim == 2:
        pixels = pixels[..., np.newaxis]
    if image.axes.endswith("S") and pixels.shape[-1] >= 3:
        pixels = pixels[..., :3]
        if np.array_equal(pixels[..., 0], pixels[..., 1]) and np.array_equal(pixels[..., 1], pixels[..., 2]):
            pixels = pixels[..., :1]
        else:
            stretched, limits = _stretch(pixels[..., 0])
            return Plane("red", stretched, (limits,))
    stretched_all = [_stretch(pixels[..., k]) for k in range(pixels.shape[-1])]
    mean = np.mean([values for values, _ in stretched_all], axis=0, dtype=np.float32)
    name = "intensity" if len(stretched_all) == 1 else "channel mean"
    return Plane(name, mean, tuple(limits for _, limits in stretched_all))


def _stretch(channel: NDArray[Any]) -> tuple[NDArray[np.float32], IntensityRange]:
    """Map percentiles 0.1 and 99.9 to 0 and 1, clipped; a constant channel becomes 0."""
    values = channel.astype(np.float64)
    low, high = (float(v) for v in np.percentile(values, (0.1, 99.9)))
    if high <= low:
        low, high = float(values.min()), float(values.max())
    span = high - low
    scaled = np.zeros(values.shape) if span <= 0 else np.clip((values - low) / span, 0, 1)
    return scaled.astype(np.float32), IntensityRange(low, high)
