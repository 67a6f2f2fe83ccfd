"""Foreground: a local threshold over a global floor, the floor chosen from several."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_li, threshold_otsu, threshold_triangle

from services.classical.measure import ellipse_fits, raw_moments

WINDOW_DIAMETERS = 0.4
"""Sigma of the local mean in object diameters: wider loses dim objects beside bright ones."""
WINDOW_LIMITS_PX = (4.0, 60.0)
"""Narrowest and widest window, for images whose scale was misjudged."""
OPENING_DIAMETERS = 0.06
"""Bridges and spikes up to twice this many object diameters wide are cut off."""
HOLE_AREA_FRACTION = 0.3
"""Holes up to this fraction of the typical object's area are filled."""


@dataclass(frozen=True, slots=True, eq=False)
class Levelled:
    """A plane made ready for thresholds: H x W each.

    Attributes:
        values: smoothed, with the light evened out.
        gradient: their slope.
        local_mean: their mean in a window of the objects' scale.
    """

    values: NDArray[np.float32]
    gradient: NDArray[np.float32]
    local_mean: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Foreground:
    """One candidate for what is object.

    Attributes:
        method: where the floor came from: "otsu", "li", "li_low" or "triangle".
        floor: no pixel at or below this value is object.
        mask: H x W, True on objects.
        quality: the criterion, see `quality`.
    """

    method: str
    floor: float
    mask: NDArray[np.bool_]
    quality: float


def floors(values: NDArray[np.float32]) -> dict[str, float]:
    """Global thresholds that are candidates for the floor, by name.

    The local mean does most of the work, so that half of Otsu's threshold (1979) or 0.6 of Li's minimum
    cross entropy (1993) can keep dim objects; triangle is that of Zack (1977).
    """
    otsu, li = float(threshold_otsu(values)), float(threshold_li(values))
    triangle = float(threshold_triangle(values))
    return {"otsu": 0.5 * otsu, "li_low": 0.6 * li, "li": li, "triangle": triangle}


def local_window_px(diameter_px: float) -> float:
    """Sigma of the local mean for objects of this diameter."""
    low, high = WINDOW_LIMITS_PX
    return min(max(WINDOW_DIAMETERS * diameter_px, low), high)


def foreground(
    levelled: Levelled, diameter_px: float, method: str, floor: float, seam: int | None = None
) -> Foreground:
    """Threshold an image: brighter than the floor and than the local mean.

    `seam` is the first row below a banner that was cut out: nothing joins across it.
    """
    mask = levelled.values > np.maximum(levelled.local_mean, floor)
    mask = fill_small_holes(mask, HOLE_AREA_FRACTION * np.pi / 4 * diameter_px**2)
    mask = ndimage.binary_opening(mask, iterations=max(1, int(OPENING_DIAMETERS * diameter_px)))
    if seam is not None:
        mask[max(seam - 1, 0) : seam + 1] = False
    return Foreground(method, floor, mask, quality(mask, levelled.gradient))


def quality(mask: NDArray[np.bool_], gradient: NDArray[np.float32]) -> float:
    """Judge a foreground without truth: edge coverage times shape.

    Edge coverage is the share of the image's gradient that lies on the outline of the foreground, less
    the share that an outline of this length would get by chance: it rewards outlines that run on edges
    and that leave no edge out. Shape is the mean ellipse fit of the connected regions, weighted by area,
    to the fourth power: objects are rounder than the gaps between them, which tells the polarity.
    """
    outline = mask & ~ndimage.binary_erosion(mask, border_value=1)
    total = float(gradient.sum())
    if total <= 0 or not outline.any():
        return 0.0
    coverage = float(gradient[outline].sum()) / total - float(outline.mean())
    labels, _ = ndimage.label(mask)
    moments = raw_moments(labels.astype(np.int32))[1:]
    fit = float(np.average(ellipse_fits(moments), weights=moments[:, 0]))
    return max(coverage, 0.0) * fit**4


def fill_small_holes(mask: NDArray[np.bool_], max_area_px: float) -> NDArray[np.bool_]:
    """Fill background regions of at most `max_area_px` pixels that do not touch the border."""
    holes, count = ndimage.label(~mask)
    fill = np.bincount(holes.ravel(), minlength=count + 1) <= max_area_px
    fill[0] = False
    for edge in (holes[0], holes[-1], holes[:, 0], holes[:, -1]):
        fill[edge] = False
    return mask | fill[holes]
