"""The feature space of classification: what a person would call tone, colour, grain, texture and form.

For each image, in this order:

- tone: mean, deviation, skewness and 7 quantiles of the brightness as a fraction of the sample type's range;
- colour: mean and deviation of each channel's share of the brightness (0 for gray images);
- grain: the share of variance in each of 6 octaves of a difference-of-Gaussians pyramid;
- orientation: how much the gradients agree on one direction, at 3 scales;
- texture: histograms of rotation-invariant uniform local binary patterns (Ojala, Pietikainen and Maenpaa
  2002), 8 neighbours at radii 1, 2 and 4;
- form: number, mean area, elongation and fill of the bright and of the dark regions of Otsu's threshold.

Texture and form are taken from the stretched image, so that exposure only acts on tone.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.feature import local_binary_pattern
from skimage.filters import threshold_otsu

from hooke.images import Micrograph
from services.classical.measure import ellipse_fits, raw_moments
from services.classical.planes import channels_last, stretch

Vector = NDArray[np.float64]

WORKING_SIDE_PX = 384
"""Larger images are reduced by a whole factor, which bounds the time and brings scales together."""
CHANNELS = 3


def describe(image: Micrograph) -> Vector:
    """Describe one image of any size by a vector of fixed length."""
    pixels = channels_last(image)
    scaled = _reduced(_fractions(pixels, image.bit_depth))
    gray = scaled.mean(axis=-1)
    even = stretch(gray)
    parts = [_tone(gray), _colour(scaled), _grain(even), _orientation(even), _texture(even), _form(even)]
    return np.concatenate(parts)


def _fractions(pixels: NDArray[Any], bit_depth: int) -> NDArray[np.float32]:
    """Bring samples to 0..1: integers by their bit depth, floats by their own range."""
    values = pixels.astype(np.float64)
    if pixels.dtype.kind == "u":
        return np.asarray(values / (2**bit_depth - 1), dtype=np.float32)
    low, high = float(values.min()), float(values.max())
    return np.asarray((values - low) / (high - low) if high > low else values * 0, dtype=np.float32)


def _reduced(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average whole blocks until the longer side is at most WORKING_SIDE_PX, or nearly."""
    factor = max(values.shape[:2]) // WORKING_SIDE_PX
    if factor < 2 or min(values.shape[:2]) < factor:
        return values
    height, width = (side // factor * factor for side in values.shape[:2])
    blocks = values[:height, :width].reshape(height // factor, factor, width // factor, factor, -1)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float32)


def _tone(gray: NDArray[np.float32]) -> Vector:
    mean, deviation = float(gray.mean()), float(gray.std())
    skewness = float(np.mean((gray - mean) ** 3)) / (deviation**3 + 1e-9)
    quantiles = np.quantile(gray, (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98))
    return np.concatenate([[mean, deviation, np.arctan(skewness)], quantiles])


def _colour(scaled: NDArray[np.float32]) -> Vector:
    result = np.zeros(2 * CHANNELS)
    if scaled.shape[-1] > 1:
        share = scaled / (scaled.sum(axis=-1, keepdims=True) + 1e-6)
        used = min(CHANNELS, share.shape[-1])
        result[:used] = share.mean(axis=(0, 1))[:used]
        result[CHANNELS : CHANNELS + used] = share.std(axis=(0, 1))[:used]
    return result


def _grain(even: NDArray[np.float32]) -> Vector:
    blurred = [even] + [ndimage.gaussian_filter(even, 0.7 * 2**k) for k in range(6)]
    energy = np.array([float(np.var(a - b)) for a, b in itertools.pairwise(blurred)])
    return np.log((energy + 1e-6) / (float(even.var()) + 1e-6))


def _orientation(even: NDArray[np.float32]) -> Vector:
    agreement = []
    for sigma in (1.0, 2.0, 4.0):
        gy = ndimage.gaussian_filter(even, sigma, order=(1, 0))
        gx = ndimage.gaussian_filter(even, sigma, order=(0, 1))
        turned = np.mean((gx + 1j * gy) ** 2)
        agreement.append(abs(turned) / (float(np.mean(gx**2 + gy**2)) + 1e-9))
    return np.array(agreement)


def _texture(even: NDArray[np.float32]) -> Vector:
    levels = np.round(np.clip(even, 0, 1) * 255).astype(np.uint8)
    histograms = []
    for radius in (1, 2, 4):
        patterns = local_binary_pattern(levels, 8, radius, method="uniform")
        histograms.append(np.bincount(patterns.ravel().astype(int), minlength=10) / patterns.size)
    return np.asarray(np.sqrt(np.concatenate(histograms)))  # the Hellinger distance between histograms


def _form(even: NDArray[np.float32]) -> Vector:
    smooth = ndimage.gaussian_filter(even, 1.5)
    level = threshold_otsu(smooth) if float(np.ptp(smooth)) > 0 else 0.0
    described: list[float] = []
    for mask in (smooth > level, smooth <= level):
        labels, _ = ndimage.label(mask)
        moments = raw_moments(labels.astype(np.int32))[1:]
        moments = moments[moments[:, 0] >= 9]
        if not len(moments):
            described += [0.0, 0.0, 0.0, 0.0]
            continue
        areas, fits = moments[:, 0], ellipse_fits(moments)
        described += [
            float(np.log1p(len(areas))),
            float(np.log(np.average(areas, weights=areas))),
            float(np.average(fits, weights=areas)),
            float(mask.mean()),
        ]
    return np.array(described)
