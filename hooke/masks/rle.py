"""COCO's compressed run-length encoding of masks, byte for byte that of pycocotools.

A mask is read column by column; its counts are the lengths of runs, background first. From the third
count on, the difference to the count before the last is stored, five bits to a character, lowest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hooke.errors import ImageTooLargeError, ImageUnreadableError
from hooke.images import DEFAULT_LIMITS, ImageLimits
from hooke.masks.runs import Labels, Runs, check_labels, find_runs, label_dtype

_MAX_CHARACTERS = 7
"""Of one count: 35 bits."""


def encode_labels(labels: Labels) -> dict[int, bytes]:
    """The run-length encoding of every object of a label image, by label, in ascending order.

    All objects are encoded at once from the runs of the image, which takes no longer for thousands of them
    than for one.

    Args:
        labels: H x W integers, 0 background; gaps between labels are fine.

    Raises:
        ValueError: the array is no label image.
    """
    check_labels(labels)
    runs = find_runs(labels.T)
    order = np.argsort(runs.labels, kind="stable")
    order = order[np.searchsorted(runs.labels[order], 0, side="right") :]
    if order.size == 0:
        return {}
    names, starts, lengths = runs.labels[order], runs.starts[order], runs.lengths[order]
    ends = starts + lengths
    new_object = np.concatenate([[True], names[1:] != names[:-1]])
    # Where a column's last and the next column's first pixel belong together, the runs are one in COCO.
    joined = np.concatenate([[False], (starts[1:] == ends[:-1]) & ~new_object[1:]])
    starts, new_object = starts[~joined], new_object[~joined]
    ends = ends[np.concatenate([~joined[1:], [True]])]
    names = names[~joined]
    return _encode_spans(names, starts, ends, new_object, labels.size)


def _encode_spans(
    names: Labels,
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    new_object: NDArray[np.bool_],
    size: int,
) -> dict[int, bytes]:
    """Encode objects of which every run of foreground is known; all arrays have an entry for each run."""
    before = np.where(new_object, 0, np.concatenate([[0], ends[:-1]]))
    last = np.concatenate([new_object[1:], [True]])
    # Counts of a run: the gap before it, its length and, after the last of an object, the gap to the end.
    counts = np.stack([starts - before, ends - starts, size - ends], axis=1)
    used = np.stack([np.ones_like(last), np.ones_like(last), last & (ends < size)], axis=1)
    per_run = used.sum(axis=1)
    object_of_run = np.cumsum(new_object) - 1
    per_object = np.bincount(object_of_run, weights=per_run).astype(np.int64)
    return dict(zip(names[new_object].tolist(), _texts(counts[used], per_object), strict=True))


def _texts(counts: NDArray[np.int64], per_object: NDArray[np.int64]) -> list[bytes]:
    """The encodings of several objects, each of at least one count."""
    object_starts = np.cumsum(per_object) - per_object
    position = np.arange(counts.size) - np.repeat(object_starts, per_object)
    rest = counts.copy()
    later = np.flatnonzero(position > 2)
    rest[later] -= counts[later - 2]
    columns = np.zeros((counts.size, _MAX_CHARACTERS), np.uint8)
    used = np.zeros((counts.size, _MAX_CHARACTERS), bool)
    open_ = np.ones(counts.size, bool)
    for column in range(_MAX_CHARACTERS):
        used[:, column] = open_
        bits = rest & 0x1F
        rest >>= 5
        open_ = open_ & (rest != np.where(bits & 0x10, -1, 0))
        columns[:, column] = bits + np.where(open_, 0x20, 0) + 48
    text = columns[used].tobytes()
    byte_ends = np.cumsum(np.add.reduceat(used.sum(axis=1), object_starts)).tolist()
    return [text[start:end] for start, end in pairwise([0, *byte_ends])]


def encode_counts(counts: Sequence[Sequence[int]]) -> tuple[bytes, ...]:
    """The compressed form of COCO's uncompressed run-length encodings, of all of them at once.

    Args:
        counts: for each mask the lengths of its runs, background first.

    Raises:
        ValueError: a mask has no counts, or a negative one.
    """
    if not counts:
        return ()
    per_object = np.array([len(of_mask) for of_mask in counts])
    flat = np.fromiter(chain.from_iterable(counts), np.int64, int(per_object.sum()))
    if (per_object == 0).any() or (flat < 0).any():
        raise ValueError("the lengths of a mask's runs are one number or more, each 0 or more")
    return tuple(_texts(flat, per_object))


def encode_mask(mask: NDArray[np.bool_], shape: tuple[int, ...], *, top: int = 0, left: int = 0) -> bytes:
    """The run-length encoding of one mask, given as a crop: its cost is that of the crop.

    Args:
        mask: h x w, True inside the object.
        shape: rows and columns of the image.
        top: row of the crop's first row in the image.
        left: column of the crop's first column in the image.

    Raises:
        ValueError: the crop does not lie in the image.
    """
    rows, columns = shape
    if min(top, left) < 0 or top + mask.shape[0] > rows or left + mask.shape[1] > columns:
        raise ValueError(f"a crop of {mask.shape} at row {top}, column {left} does not lie in {shape}")
    size = rows * columns
    # Each foreground pixel's place in the column-major image; a run ends where the next is not beside it.
    column, row = np.nonzero(mask.T)
    places = (column + left).astype(np.int64) * rows + row + top
    if places.size == 0:
        return _texts(np.array([size]), np.array([1]))[0]
    breaks = np.flatnonzero(np.diff(places) != 1)
    starts = places[np.concatenate([[0], breaks + 1])]
    ends = places[np.concatenate([breaks, [places.size - 1]])] + 1
    new_object = np.zeros(starts.size, bool)
    new_object[0] = True
    return _encode_spans(np.ones(starts.size, np.int64), starts, ends, new_object, size)[1]


def decode_mask(
    counts: bytes, shape: tuple[int, ...], limits: ImageLimits = DEFAULT_LIMITS
) -> NDArray[np.bool_]:
    """The mask of a run-length encoding.

    Args:
        counts: the characters.
        shape: rows and columns of the image.
        limits: largest image.

    Returns:
        H x W, True inside the object.

    Raises:
        ImageUnreadableError: the characters are no encoding of an image of this shape.
        ImageTooLargeError: the image has more pixels than the limits allow.
    """
    size = _check_shape(shape, limits)
    lengths = _lengths([counts], size).lengths
    values = np.arange(lengths.size) % 2 == 1
    mask: NDArray[np.bool_] = np.repeat(values, lengths).reshape(shape[::-1]).T
    return mask


def decode_runs(
    encodings: Sequence[bytes], shape: tuple[int, ...], limits: ImageLimits = DEFAULT_LIMITS
) -> Runs:
    """The runs of foreground of masks that may overlap: label 1 is the first mask's, and so on.

    The runs go along the columns: `starts` are indices into the flattened transpose of the image. Unlike
    those of a label image they go on from the bottom of a column to the top of the next.

    Raises:
        ImageUnreadableError, ImageTooLargeError: see `decode_mask`.
    """
    size = _check_shape(shape, limits)
    decoded = _lengths(encodings, size)
    starts = np.cumsum(decoded.lengths) - decoded.lengths - size * decoded.objects
    inside = (decoded.positions % 2 == 1) & (decoded.lengths > 0)
    return Runs(starts[inside], decoded.lengths[inside], decoded.objects[inside] + 1)


def compose_labels(
    encodings: Sequence[bytes],
    scores: Sequence[float] | NDArray[np.floating[Any]] | None,
    shape: tuple[int, ...],
    limits: ImageLimits = DEFAULT_LIMITS,
) -> Labels:
    """The label image of masks that may overlap: the first is 1, the second 2, and so on.

    Where masks overlap, the one of higher score is on top; without scores, the one that comes first. A
    mask that lies wholly under others leaves a gap in the labels.

    Args:
        encodings: the run-length encoding of each mask.
        scores: one for each mask, or None.
        shape: rows and columns of the image.
        limits: largest image.

    Returns:
        H x W, uint16 for up to 65,535 masks, else uint32.

    Raises:
        ImageUnreadableError, ImageTooLargeError: see `decode_mask`.
        ValueError: the number of scores is not the number of masks.
    """
    if scores is not None and len(scores) != len(encodings):
        raise ValueError(f"{len(scores)} scores for {len(encodings)} masks")
    runs = decode_runs(encodings, shape, limits)
    flat = np.zeros(shape[0] * shape[1], label_dtype(len(encodings)))
    # Painted from the bottom to the top: ascending score, among equals the first last.
    heights = np.zeros(len(encodings)) if scores is None else np.asarray(scores, np.float64)
    order = np.lexsort((-runs.labels, heights[runs.labels - 1]))
    columns = (runs.labels[order], runs.starts[order], (runs.starts + runs.lengths)[order])
    for label, start, end in zip(*(column.tolist() for column in columns), strict=True):
        flat[start:end] = label
    labels: Labels = np.ascontiguousarray(flat.reshape(shape[::-1]).T)
    return labels


def _check_shape(shape: tuple[int, ...], limits: ImageLimits) -> int:
    if len(shape) != 2 or min(shape) < 1:
        raise ImageUnreadableError(f"{shape} is no shape of a mask: rows and columns")
    if shape[0] * shape[1] > limits.max_pixels:
        raise ImageTooLargeError(f"a mask of shape {shape} has more than {limits.max_pixels} pixels")
    return shape[0] * shape[1]


@dataclass(frozen=True, slots=True, eq=False)
class _Lengths:
    """The runs of several encodings, one entry for each run.

    Attributes:
        lengths: in pixels.
        objects: index of the encoding.
        positions: index of the run in its encoding; even ones are background.
    """

    lengths: NDArray[np.int64]
    objects: NDArray[np.int64]
    positions: NDArray[np.int64]


def _lengths(encodings: Sequence[bytes], size: int) -> _Lengths:
    """Read all encodings of an image of `size` pixels at once."""
    object_ends = np.cumsum([len(encoding) for encoding in encodings], dtype=np.int64)
    codes = np.frombuffer(b"".join(encodings), np.uint8).astype(np.int64) - 48
    if not all(encodings) or ((codes < 0) | (codes > 63)).any() or (codes[object_ends - 1] & 0x20).any():
        raise ImageUnreadableError("the run-length encoding is damaged or cut off")
    ends = np.flatnonzero((codes & 0x20) == 0)
    starts = np.concatenate([[0], ends[:-1] + 1]) if ends.size else ends
    widths = ends - starts + 1
    if (widths > _MAX_CHARACTERS).any():
        raise ImageUnreadableError("the run-length encoding is damaged: a count is too long")
    shifts = 5 * (np.arange(codes.size) - np.repeat(starts, widths))
    values = np.add.reduceat((codes & 0x1F) << shifts, starts) if ends.size else codes
    negative = (codes[ends] & 0x10) != 0
    values[negative] -= np.int64(1) << (5 * widths[negative])
    objects = np.searchsorted(object_ends, ends, side="right")
    first = np.searchsorted(objects, np.arange(len(encodings)))
    positions = np.arange(ends.size) - first[objects]
    # Undo the differences: three series in each encoding, the first count, the odd ones, the other even ones.
    series = 3 * objects + np.where(positions == 0, 0, 2 - positions % 2)
    order = np.argsort(series, kind="stable")
    values[order] = _sums_within(values[order], series[order])
    whole = np.bincount(objects, weights=values, minlength=len(encodings)) == size
    if (values < 0).any() or (values > size).any() or not whole.all():
        raise ImageUnreadableError(f"the run-length encoding does not fit an image of {size} pixels")
    return _Lengths(values, objects, positions)


def _sums_within(values: NDArray[np.int64], series: NDArray[np.int64]) -> NDArray[np.int64]:
    """Running sums that begin anew where the series changes."""
    sums = np.cumsum(values)
    first = np.flatnonzero(np.diff(series, prepend=-1))
    before = sums[first] - values[first]
    return sums - np.repeat(before, np.diff(first, append=values.size))
