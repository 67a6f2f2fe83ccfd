"""Truth out of files: label images, binary masks, dots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from evaluator.datasets.cleaning import decode
from evaluator.datasets.folders import Folder
from evaluator.metrics.overlap import LabelImage
from hooke.errors import ImageUnreadableError

EIGHT_NEIGHBOURS = np.ones((3, 3), int)


def read_plane(folder: Folder, path: str) -> NDArray[Any]:
    """The samples of one file, H x W; of several channels the first.

    Raises:
        ImageUnreadableError: names the file.
    """
    try:
        pixels = decode(folder.read(path), indexed=True)
    except ImageUnreadableError as error:
        raise ImageUnreadableError(f"{folder.path / path}: {error.message}") from error
    return pixels if pixels.ndim == 2 else pixels[..., 0]


def read_labels(folder: Folder, path: str) -> LabelImage:
    """A label image: an integer for each object, 0 background."""
    return as_labels(read_plane(folder, path), folder.path / path)


def as_labels(pixels: NDArray[Any], path: Path) -> LabelImage:
    """Samples as labels.

    Raises:
        ImageUnreadableError: they are not whole numbers; names the file.
    """
    if pixels.dtype == bool:
        return pixels.astype(np.uint8)
    if np.issubdtype(pixels.dtype, np.integer):
        return pixels
    whole = pixels.astype(np.int64)
    if not np.array_equal(whole, pixels):
        raise ImageUnreadableError(f"{path}: labels must be whole numbers")
    return whole


def read_regions(folder: Folder, path: str) -> LabelImage:
    """The connected regions of a mask, corners included: bright means more than half of the brightest."""
    return connected(_bright(read_plane(folder, path)))


def connected(mask: NDArray[np.bool_]) -> LabelImage:
    """Label the regions of a mask that hang together, corners included."""
    labels, _ = ndimage.label(mask, structure=EIGHT_NEIGHBOURS)
    return np.asarray(labels)


def stacked(objects: Sequence[NDArray[np.integer[Any]]], shape: tuple[int, ...]) -> LabelImage:
    """One label image of objects that may overlap.

    Where they do, a pixel belongs to the smallest one, so that none is lost behind another.

    Args:
        objects: of each, the indices of its pixels in the flattened image.
        shape: of the image.
    """
    labels = np.zeros(shape, np.min_scalar_type(len(objects)))
    for label, place in enumerate(sorted(objects, key=len, reverse=True), start=1):
        labels.flat[place] = label
    return labels


def count_dots(folder: Folder, path: str) -> int:
    """The number of bright pixels."""
    return int(np.count_nonzero(_bright(read_plane(folder, path))))


def _bright(pixels: NDArray[Any]) -> NDArray[np.bool_]:
    if pixels.dtype == bool:
        return pixels
    mask: NDArray[np.bool_] = pixels > pixels.max(initial=0) / 2
    return mask


def count_labels(labels: LabelImage) -> int:
    """The number of objects in a label image."""
    return int(np.count_nonzero(np.unique(labels)))
