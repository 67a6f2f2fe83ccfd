"""The banner that electron microscopes print into an image: found, so that it can be left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 0.06
"""How far from pure black or white a banner's ground may be, as a fraction of the image's range: JPEG."""
HEIGHT_LIMITS = (0.02, 0.25)
"""Lowest and highest banner, as a fraction of the image's height."""
MIN_WIDTH_PX = 128
"""Nothing readable fits into a narrower image."""


@dataclass(frozen=True, slots=True)
class InfoBar:
    """Rows `top` (included) to `bottom` (excluded), over the full width of the image."""

    top: int
    bottom: int


def find_info_bar(luminance: NDArray[Any]) -> InfoBar | None:
    """Find a banner in an H x W image of any real type; None if there is none.

    A banner is a band of rows with one pure ground, black or white, and print on it, that begins and
    ends within three rows, in an image that has little of that ground elsewhere. It need not lie at the
    very bottom: in some files the image goes on below it.
    """
    height, width = luminance.shape
    low, high = float(luminance.min()), float(luminance.max())
    if width < MIN_WIDTH_PX or height < MIN_WIDTH_PX // 2 or high <= low:
        return None
    tolerance = TOLERANCE * (high - low)
    for ground in (luminance >= high - tolerance, luminance <= low + tolerance):
        fraction = ground.mean(axis=1)
        for top, bottom in _bands(fraction >= 0.45):
            if _is_banner(fraction, top, bottom):
                return InfoBar(top, bottom)
    return None


def _bands(rows: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Runs of True, as (first, after the last)."""
    steps = np.flatnonzero(np.diff(np.concatenate([[False], rows, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(steps[::2], steps[1::2], strict=True)]


def _is_banner(fraction: NDArray[np.float64], top: int, bottom: int) -> bool:
    """Judge a band by the fraction of ground in each row of the image."""
    height = len(fraction)
    lowest, highest = HEIGHT_LIMITS
    if not max(8, lowest * height) <= bottom - top <= highest * height:
        return False
    outside = np.concatenate([fraction[:top], fraction[bottom:]])
    inside = fraction[top:bottom]
    before, after = fraction[max(top - 3, 0) : top], fraction[bottom : bottom + 3]
    sharp = all(edge.min() < 0.25 for edge in (before, after) if edge.size)
    blank_edges = inside[:4].max() > 0.85 and inside[-4:].max() > 0.85
    printed = inside.min() < 0.97
    return bool(np.quantile(outside, 0.9) < 0.3 and sharp and blank_edges and printed)
