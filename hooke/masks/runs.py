"""Label images as runs of equal labels: what measuring and encoding rest on.

A label image of a dense scene has some ten times fewer runs than pixels, so everything that works on runs
is fast without a compiled library.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """The runs of a label image, background included, none of them longer than a row or column.

    Attributes:
        starts: index of the first pixel in the flattened image.
        lengths: in pixels.
        labels: the label of each run; 0 is background.

    Of a volume, the planes stand one after the other.
    """

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    labels: Labels


def check_labels(labels: Labels, *, volume_allowed: bool = False) -> None:
    """Check that an array is a label image.

    Raises:
        ValueError: it is not H x W integers of at least one pixel (or Z x H x W, where volumes are allowed),
            or a label is negative.
    """
    dimensions = (2, 3) if volume_allowed else (2,)
    if labels.ndim not in dimensions or labels.size == 0 or labels.dtype.kind not in "ui":
        shapes = "H x W or Z x H x W" if volume_allowed else "H x W"
        raise ValueError(f"a label image is {shapes} integers, not {labels.dtype} of shape {labels.shape}")
    if labels.dtype.kind == "i" and labels.min() < 0:
        raise ValueError(f"labels are 0 or more, not {labels.min()}")


def find_runs(labels: Labels) -> Runs:
    """The runs along the rows of a label image or volume; of a transposed image, those along the columns."""
    width = labels.shape[-1]
    flat = np.ascontiguousarray(labels).ravel()
    first = np.empty(flat.size, bool)
    np.not_equal(flat[1:], flat[:-1], out=first[1:])
    first[::width] = True
    starts = np.flatnonzero(first)
    return Runs(starts, np.diff(starts, append=flat.size), flat[starts])


def relabel(labels: Labels) -> Labels:
    """The label image or volume with the labels 1 to N without gaps, in the same order.

    Returns:
        The same shape, uint16 for up to 65,535 objects, else uint32.

    Raises:
        ValueError: the array is no label image.
    """
    check_labels(labels, volume_allowed=True)
    runs = find_runs(labels)
    present = np.unique(runs.labels[runs.labels > 0])
    dtype = label_dtype(present.size)
    renamed = np.searchsorted(present, runs.labels).astype(dtype) + dtype.type(1)
    renamed[runs.labels == 0] = 0
    result: Labels = np.repeat(renamed, runs.lengths).reshape(labels.shape)
    return result


def label_dtype(highest: int) -> np.dtype[Any]:
    """The type of label images up to this label: uint16 where it fits, else uint32.

    Raises:
        ValueError: it does not fit uint32 either.
    """
    if highest > np.iinfo(np.uint32).max:
        raise ValueError(f"label {highest} does not fit 32 bits; relabel the image")
    return np.dtype(np.uint16 if highest <= np.iinfo(np.uint16).max else np.uint32)
