"""Small micrographs with known truth."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hooke.images import Micrograph

SIDE = 160
CENTRES = ((25, 25), (25, 80), (30, 130), (80, 30), (85, 85), (80, 135), (130, 50), (135, 110))


def micrograph(pixels: NDArray[Any], axes: str | None = None) -> Micrograph:
    """Wrap pixels; three dimensions are RGB unless `axes` says otherwise."""
    pixels = np.ascontiguousarray(pixels)
    axes = axes or ("YX" if pixels.ndim == 2 else "YXS")
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()
    return Micrograph(pixels, axes, digest, 8 * pixels.dtype.itemsize)


def discs(centres: Any = CENTRES, radius: float = 10, side: int = SIDE) -> NDArray[np.int32]:
    """Label discs at (y, x)."""
    rows, columns = np.indices((side, side))
    labels = np.zeros((side, side), np.int32)
    for label, (y, x) in enumerate(centres, start=1):
        labels[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = label
    return labels


def fluorescence(labels: NDArray[np.int32], level: float = 120, seed: int = 0) -> NDArray[np.uint8]:
    """Draw objects of one level on 30, blurred and with noise of deviation 3."""
    clean = ndimage.gaussian_filter(np.where(labels > 0, level, 30.0), 1)
    return np.clip(clean + np.random.default_rng(seed).normal(0, 3, labels.shape), 0, 255).astype(np.uint8)


def accuracy(truth: NDArray[Any], found: NDArray[Any]) -> float:
    """TP / (TP + FP + FN) at an overlap (IoU) above 0.5, where a match is always one to one."""
    matched = 0
    for label in np.unique(truth[truth > 0]):
        mine = truth == label
        for other in np.unique(found[mine & (found > 0)]):
            its = found == other
            matched += bool((mine & its).sum() > 0.5 * (mine | its).sum())
    total = len(np.unique(truth[truth > 0])) + len(np.unique(found[found > 0]))
    return 1.0 if total == 0 else matched / (total - matched)
