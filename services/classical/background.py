"""What is not object: uneven light and noise."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

BLOCK_FRACTION = 0.25
"""Side of a block as a fraction of the shorter side of the image: light varies slowly."""
MIN_BLOCK_PX = 24
EXACT_SIGMA_PX = 8.0
"""Up to here a true Gaussian is as fast as the boxes."""


def light_field(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Estimate the level of the background at every pixel, for bright objects on a darker background.

    The lower quartile of every block, outlying blocks taken out by a median, interpolated linearly.
    """
    height, width = values.shape
    block = max(MIN_BLOCK_PX, int(min(height, width) * BLOCK_FRACTION))
    rows = np.linspace(0, height, max(1, round(height / block)) + 1).astype(int)
    columns = np.linspace(0, width, max(1, round(width / block)) + 1).astype(int)
    levels = np.array(
        [
            [np.percentile(values[top:bottom, left:right], 25) for left, right in _spans(columns)]
            for top, bottom in _spans(rows)
        ]
    )
    levels = ndimage.median_filter(levels, size=3, mode="nearest")
    row_at = np.interp(np.arange(height), (rows[:-1] + rows[1:] - 1) / 2, np.arange(len(rows) - 1))
    column_at = np.interp(np.arange(width), (columns[:-1] + columns[1:] - 1) / 2, np.arange(len(columns) - 1))
    across = _interpolate(levels.T, column_at).T
    return _interpolate(across, row_at).astype(np.float32)


def _spans(edges: NDArray[np.int_]) -> list[tuple[int, int]]:
    return [(int(a), int(b)) for a, b in itertools.pairwise(edges)]


def _interpolate(values: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate linearly along the first axis."""
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, len(values) - 1)
    weight = (at - low)[:, np.newaxis]
    return np.asarray(values[low] * (1 - weight) + values[high] * weight)


def local_mean(values: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    """Smooth by a Gaussian; a wide one is replaced by three box filters of the same variance in all."""
    if sigma_px <= EXACT_SIGMA_PX:
        return np.asarray(ndimage.gaussian_filter(values, sigma_px, truncate=3.0))
    side = 2 * round(np.sqrt(sigma_px**2 + 0.25) - 0.5) + 1  # odd, so that nothing is shifted
    for _ in range(3):
        values = ndimage.uniform_filter(values, size=side)
    return values


def noise_sigma(values: NDArray[np.float32]) -> float:
    """Estimate the standard deviation of pixel noise (Immerkaer 1996, with a median against structure).

    The mask is blind to planes and edges that are straight; the median ignores the pixels on others.
    """
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    return float(np.median(np.abs(ndimage.convolve(values, mask))) / 0.6745 / 6)
