"""From colours and channels to planes in which objects are bright on a darker background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hooke.images import Micrograph
from hooke.types import IntensityRange
from services.classical.background import noise_sigma
from services.classical.parameters import Polarity

GRAY_TOLERANCE = 0.03
"""Samples that differ by less than this fraction of the range are gray: JPEG tints gray images."""


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """One candidate view of an image; its objects, if it is the right one, are bright.

    Attributes:
        name: "intensity", "channel_mean", "absorbance" or "red_absorbance".
        polarity: what the view takes the objects for.
        values: H x W float32, the middle 99.8 % of them from 0 to 1.
    """

    name: str
    polarity: Polarity
    values: NDArray[np.float32]


def channels_last(image: Micrograph) -> NDArray[Any]:
    """Pixels as H x W x C; alpha is dropped, and RGB that is gray becomes one channel."""
    pixels: NDArray[Any] = np.asarray(image.pixels)
    if pixels.ndim == 2:
        return pixels[..., np.newaxis]
    if not image.axes.endswith("S"):
        return pixels
    if pixels.shape[-1] in {2, 4}:
        pixels = pixels[..., :-1]
    return pixels[..., :1] if pixels.shape[-1] == 3 and _is_gray(pixels) else pixels


def _is_gray(rgb: NDArray[Any]) -> bool:
    """True if hardly a pixel has a colour."""
    spread = rgb.max(axis=-1).astype(np.float64) - rgb.min(axis=-1)
    span = float(rgb.max()) - float(rgb.min())
    return bool(np.quantile(spread, 0.98) <= GRAY_TOLERANCE * span)


def candidate_planes(pixels: NDArray[Any], rgb: bool, polarity: Polarity | None) -> list[Plane]:
    """List the views of H x W x C pixels that agree with `polarity`; None stands for both.

    Colours are brought to absorbance (Beer and Lambert), in which stains add up: of all three samples
    together, and of red alone, which blue and violet nuclear stains absorb and eosin does not.
    """
    planes: list[Plane] = []
    stained = rgb and pixels.shape[-1] == 3
    gray = _combined(pixels)
    name = "intensity" if pixels.shape[-1] == 1 else "channel_mean"
    if polarity != "dark_on_bright":
        planes.append(Plane(name, "bright_on_dark", stretch(gray)))
    if polarity != "bright_on_dark":
        if stained:
            absorbed = _absorbance(pixels)
            total = absorbed.sum(axis=-1, dtype=np.float32)
            planes.append(Plane("absorbance", "dark_on_bright", stretch(total)))
            planes.append(Plane("red_absorbance", "dark_on_bright", stretch(absorbed[..., 0])))
        else:
            planes.append(Plane(name, "dark_on_bright", stretch(-gray)))
    return planes


def _combined(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Mean of the channels, each stretched and weighted by its signal over its noise."""
    if pixels.shape[-1] == 1:
        return pixels[..., 0].astype(np.float32)
    total = np.zeros(pixels.shape[:2], np.float32)
    for k in range(pixels.shape[-1]):
        channel = stretch(pixels[..., k].astype(np.float32))
        noise = max(noise_sigma(channel), 1e-3)
        total += channel * min(float(channel.std()) / noise, 100.0)
    return total


def _absorbance(rgb: NDArray[Any]) -> NDArray[np.float32]:
    """Decadic absorbance of each sample against the bright background; one grey level is the least."""
    values = rgb.astype(np.float32)
    step = max(float(values.max()), 1e-12) / 255
    blank = np.percentile(values, 95, axis=(0, 1)).astype(np.float32)
    light = (np.maximum(values, 0) + step) / (np.maximum(blank, 0) + step)
    return np.asarray(-np.log10(light), dtype=np.float32)


def stretch(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Map the percentiles 0.1 and 99.9 to 0 and 1 without clipping; a constant plane becomes 0."""
    low, high = (float(v) for v in np.percentile(values, (0.1, 99.9)))
    if high <= low:
        low, high = float(values.min()), float(values.max())
    if high <= low:
        return np.zeros(values.shape, np.float32)
    return ((values.astype(np.float64) - low) / (high - low)).astype(np.float32)


def intensity_ranges(pixels: NDArray[Any]) -> tuple[IntensityRange, ...]:
    """Say for each channel of H x W x C pixels which raw intensities became 0 and 1."""
    lows, highs = np.percentile(pixels, (0.1, 99.9), axis=(0, 1))
    return tuple(IntensityRange(float(low), float(high)) for low, high in zip(lows, highs, strict=True))
