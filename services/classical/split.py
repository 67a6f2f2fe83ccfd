"""Splitting of touching objects: watershed of the distance transform, necks judged by their depth."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from services.classical.measure import ellipse_fits, raw_moments

NECK_RATIO = 0.85
"""A pass lower than this fraction of the lower of both peaks parts two objects."""
OPEN_RATIO = 0.92
"""A pass higher than this fraction parts nothing; in between, the shape decides."""
WHOLE_FIT = 0.96
"""Ellipse fit from which two basins together look like one object."""
PARTNER_AREA_RATIO = 0.3
"""Of two objects that only their shape tells apart, the smaller is at least this fraction of the larger."""


def split_touching(
    mask: NDArray[np.bool_],
    values: NDArray[np.float32],
    smoothing_px: float = 1.0,
    peak_window_px: int = 5,
) -> NDArray[np.int32]:
    """Divide the foreground into objects.

    The landscape is the smoothed distance transform times the square root of the brightness: objects
    part at necks of the outline, at dark seams, and where a little of both meets. Every maximum seeds a
    watershed basin; basins are then merged in the order of the height of the pass between them, unless
    the pass is low against the lower of both peaks: the h-maxima transform with an h relative to the
    object (the dynamics of Grimaud 1992), computed on the few basins instead of by morphological
    reconstruction. Where the pass is neither low nor high, basins that do not look like one ellipse
    together stay apart.

    Args:
        mask: H x W, True on objects.
        values: H x W brightness, greater than 0 on objects.
        smoothing_px: sigma of the Gaussian that smooths distance and brightness, in pixels.
        peak_window_px: odd side of the square in which there is at most one maximum.

    Returns:
        H x W labels 1..N, 0 background.
    """
    padded = np.pad(mask, 1)  # what lies outside of the field is background
    distance = ndimage.distance_transform_edt(padded)[1:-1, 1:-1].astype(np.float32)
    brightness = np.sqrt(np.maximum(ndimage.gaussian_filter(values, smoothing_px), 1e-4))
    height = ndimage.gaussian_filter(distance, smoothing_px) * brightness
    height[~mask] = 0
    peaks = (height == ndimage.maximum_filter(height, size=peak_window_px)) & mask
    seeds = ndimage.label(peaks, structure=np.ones((3, 3)))[0].astype(np.int32)
    basins = watershed(-height, seeds, mask=mask)
    return _merge_shallow(basins, seeds, height)


def _merge_shallow(
    basins: NDArray[np.int32], seeds: NDArray[np.int32], height: NDArray[np.float32]
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
        if _apart(pass_height[k] / peak[low], moments[high], moments[low]):
            continue
        parent[low] = high
        moments[high] += moments[low]
    roots = np.array([root(i) for i in range(count + 1)])
    _, compact = np.unique(roots, return_inverse=True)
    return compact[basins].astype(np.int32)


def _apart(ratio: float, one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Decide whether two basins with these moments are two objects; `ratio` is pass over peak."""
    if ratio < NECK_RATIO or ratio >= OPEN_RATIO:
        return ratio < NECK_RATIO
    small, large = sorted((float(one[0]), float(other[0])))
    whole = float(ellipse_fits((one + other)[np.newaxis])[0])
    return whole < WHOLE_FIT and small > PARTNER_AREA_RATIO * large


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
