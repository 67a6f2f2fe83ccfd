"""Splitting of touching objects: watershed of the distance, necks judged by depth, form and size."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from services.classical.measure import ellipse_fits, raw_moments

NECK_RATIO = 0.96
"""A pass lower than this fraction of the lower of both peaks parts two well-formed ordinary objects."""
NECK_DEPTH_PX = 0.3
"""A pass that is less lower than this is no neck: distances on a pixel grid vary as much along a rod."""
ORDINARY_FIT = 0.95
"""Ellipse fit of a part without form: half an ellipse and half a rod have it, half of a pair has more."""
FORM_WEIGHT = 3.0
"""Loss of the fraction for what the worse part's ellipse fit falls short of the ordinary."""
SIZE_WEIGHT = 0.2
"""Loss of the fraction for each e-fold that both parts together are smaller than two typical objects."""


def split_touching(
    mask: NDArray[np.bool_], diameter_px: float, smoothing_px: float, peak_window_px: int = 5
) -> NDArray[np.int32]:
    """Divide the foreground into objects.

    Every maximum of the smoothed distance transform seeds a watershed basin; basins are then merged in
    the order of the height of the pass between them, unless the pass is low against the lower of both
    peaks: the h-maxima transform with an h relative to the object (the dynamics of Grimaud 1992),
    computed on the few basins instead of by morphological reconstruction. How low is low depends on what
    would be parted: two ellipses part at a shallow neck, irregular fragments and things smaller than two
    typical objects only at a deep one.

    Brightness has no say: the threshold has cut dark seams already, and where translucent objects lie
    upon each other the seam is the brightest place of all.

    Args:
        mask: H x W, True on objects.
        diameter_px: diameter of a typical object, in pixels.
        smoothing_px: sigma of the Gaussian that smooths the distance, in pixels.
        peak_window_px: odd side of the square in which there is at most one maximum.

    Returns:
        H x W labels 1..N, 0 background.
    """
    padded = np.pad(mask, 1)  # what lies outside of the field is background
    distance = ndimage.distance_transform_edt(padded)[1:-1, 1:-1].astype(np.float32)
    height = ndimage.gaussian_filter(distance, smoothing_px)
    height[~mask] = 0
    peaks = (height == ndimage.maximum_filter(height, size=peak_window_px)) & mask
    seeds = ndimage.label(peaks, structure=np.ones((3, 3)))[0].astype(np.int32)
    basins = watershed(-height, seeds, mask=mask)
    return _merge_shallow(basins, seeds, height, np.pi / 4 * diameter_px**2)


def _merge_shallow(
    basins: NDArray[np.int32], seeds: NDArray[np.int32], height: NDArray[np.float32], typical_area_px: float
) -> NDArray[np.int32]:
    """Merge basins across passes that are no necks, the highest pass first."""
    count = int(basins.max(initial=0))
    if count < 2:
        return basins.astype(np.int32)
    peak = np.zeros(count + 1)
    peak[seeds[seeds > 0]] = height[seeds > 0]  # all pixels of a seed have one height
    first, second, pass_height = _passes(basins, height, count)
    moments = raw_moments(basins)
    parent = np.arange(count + 1)

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = int(parent[index])
        return index

    for k in np.argsort(-pass_height, kind="stable"):
        high, low = root(int(first[k])), root(int(second[k]))
        if high == low:
            continue
        if peak[high] < peak[low]:
            high, low = low, high
        limit = peak[low] * _neck_ratio(moments[[high, low]], typical_area_px)
        if pass_height[k] < min(limit, peak[low] - NECK_DEPTH_PX):
            continue
        parent[low] = high
        moments[high] += moments[low]
    roots = np.array([root(i) for i in range(count + 1)])
    _, compact = np.unique(roots, return_inverse=True)
    return compact[basins].astype(np.int32)


def _neck_ratio(parts: NDArray[np.float64], typical_area_px: float) -> float:
    """Below which fraction of the lower peak a pass parts these two; `parts` are raw moments, 2 x 6."""
    misfit = max(ORDINARY_FIT - float(ellipse_fits(parts).min()), 0.0)
    shortage = max(float(np.log(2 * typical_area_px / parts[:, 0].sum())), 0.0)
    return NECK_RATIO - FORM_WEIGHT * misfit - SIZE_WEIGHT * shortage


def _passes(
    basins: NDArray[np.int32], height: NDArray[np.float32], count: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Neighbouring basins and the highest point of the border between them."""
    pairs, heights = [], []
    everything, but_last, but_first = slice(None), slice(None, -1), slice(1, None)
    for here, there in (
        ((everything, but_last), (everything, but_first)),
        ((but_last, everything), (but_first, everything)),
        ((but_last, but_last), (but_first, but_first)),
        ((but_last, but_first), (but_first, but_last)),
    ):
        a, b = basins[here], basins[there]
        border = (a != b) & (a > 0) & (b > 0)
        a, b = a[border].astype(np.int64), b[border].astype(np.int64)
        pairs.append(np.minimum(a, b) * (count + 1) + np.maximum(a, b))
        heights.append(np.minimum(height[here][border], height[there][border]))
    pair, inverse = np.unique(np.concatenate(pairs), return_inverse=True)
    highest = np.zeros(len(pair))
    np.maximum.at(highest, inverse, np.concatenate(heights))
    return pair // (count + 1), pair % (count + 1), highest
