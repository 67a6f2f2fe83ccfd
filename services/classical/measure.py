"""Numbers about labelled regions, all regions at once: counts over the foreground only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

Floats = NDArray[np.float64]


def raw_moments(labels: NDArray[np.int32]) -> Floats:
    """Sum 1, y, x, y y, x x and x y over the pixels of each region; (N + 1) x 6, row 0 is zero.

    Rows of regions that are joined add up.
    """
    flat = labels.ravel()
    where = np.flatnonzero(flat)
    owner = flat[where]
    y, x = (v.astype(np.float64) for v in np.divmod(where, labels.shape[1]))
    count = int(labels.max(initial=0))
    sums = [np.bincount(owner, weight, count + 1) for weight in (np.ones_like(y), y, x, y * y, x * x, x * y)]
    return np.stack(sums, axis=1)


def ellipse_fits(moments: Floats) -> Floats:
    """Area over the area of the ellipse of equal second moments, at most 1, for rows of raw moments.

    It is 1 for discs and ellipses, 0.89 for two discs that touch, lower for branched or hollow regions.
    """
    area = np.maximum(moments[:, 0], 1)
    y, x, yy, xx, xy = (moments[:, k] / area for k in range(1, 6))
    # A pixel is a square, not a point: its own second moment is 1/12.
    determinant = (yy - y * y + 1 / 12) * (xx - x * x + 1 / 12) - (xy - x * y) ** 2
    return np.asarray(np.minimum(area / (4 * np.pi * np.sqrt(np.maximum(determinant, 1e-6))), 1))


@dataclass(frozen=True, slots=True, eq=False)
class Contrasts:
    """How the regions 1..N stand out.

    Attributes:
        differences: mean inside minus mean of the surroundings.
        probabilities: that a random pixel of the region is brighter than one of its surroundings, for
            normal distributions (the common-language effect size of McGraw and Wong 1992).
    """

    differences: Floats
    probabilities: Floats


def contrasts(labels: NDArray[np.int32], values: NDArray[np.float32], reach_px: int) -> Contrasts:
    """Compare each region with the background within `reach_px` of it.

    The pixels next to a region are left out, for they are partly covered by it. A region without
    background around it is compared with the background of the whole image.
    """
    background = labels == 0
    count = int(labels.max(initial=0))
    apart = ndimage.maximum_filter(labels, size=3) == 0
    ring_owner = np.where(apart, ndimage.maximum_filter(labels, size=2 * reach_px + 3), 0)
    inside_mean, inside_variance, _ = _moments(labels, values, count)
    ring_mean, ring_variance, ring_size = _moments(ring_owner, values, count)
    outside = values[apart] if apart.any() else values[background]
    if outside.size:
        alone = ring_size < 4
        ring_mean[alone], ring_variance[alone] = outside.mean(), outside.var()
    difference = inside_mean - ring_mean
    spread = np.sqrt(inside_variance + ring_variance + 1e-12)
    return Contrasts(difference, special.ndtr(difference / spread))


def _moments(
    owner: NDArray[np.int32], values: NDArray[np.float32], count: int
) -> tuple[Floats, Floats, Floats]:
    """Mean, variance and size of each region."""
    where = np.flatnonzero(owner)
    region, inside = owner.ravel()[where], values.ravel()[where].astype(np.float64)
    size = np.bincount(region, minlength=count + 1)[1:].astype(np.float64)
    mean = np.bincount(region, inside, count + 1)[1:] / np.maximum(size, 1)
    square = np.bincount(region, inside**2, count + 1)[1:] / np.maximum(size, 1)
    return mean, np.maximum(square - mean**2, 0), size
