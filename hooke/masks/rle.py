"""COCO's compressed run-length encoding of masks, byte for byte that of pycocotools.

A mask is read column by column; its counts are the lengths of runs, background first. From the third
count on, the difference to the count before the last is stored, five bits to a character, lowest first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hooke.errors import ImageTooLargeError, ImageUnreadableError
from hooke.images import DEFAULT_LIMITS, ImageLimits
from hooke.masks.runs import Labels, check_labels, find_runs, label_dtype

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
    flat = counts[used]
    characters, count_sizes = _characters(flat, per_object)
    object_of_count = np.repeat(np.arange(per_object.size), per_object)
    byte_ends = np.cumsum(np.bincount(object_of_count, weights=count_sizes)).astype(np.int64)
    text = characters.tobytes()
    byte_starts = np.concatenate([[0], byte_ends[:-1]])
    return {
        int(name): text[start:end]
        for name, start, end in zip(names[new_object], byte_starts, byte_ends, strict=True)
    }


def _characters(
    counts: NDArray[np.int64], per_object: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The characters of the counts of several objects, and how many each count takes."""
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
    return columns[used], used.sum(axis=1)


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
        return _characters(np.array([size]), np.array([1]))[0].tobytes()
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
    rows, columns = shape
    lengths = _counts(counts, shape, limits)
    values = np.arange(lengths.size) % 2 == 1
    mask: NDArray[np.bool_] = np.repeat(values, lengths).reshape(columns, rows).T
    return mask


def decode_labels(
    encodings: Sequence[bytes],
    shape: tuple[int, ...],
    scores: Sequence[float] | None = None,
    limits: ImageLimits = DEFAULT_LIMITS,
) -> Labels:
    """The label image of masks that may overlap: the first is 1, the second 2, and so on.

    Where masks overlap, the one of higher score is on top; without scores, the one that comes first. A
    mask that lies wholly under others leaves a gap in the labels.

    Returns:
        H x W, uint16 for up to 65,535 masks, else uint32.

    Raises:
        ImageUnreadableError, ImageTooLargeError: see `decode_mask`.
        ValueError: the number of scores is not the number of masks.
    """
    rows, columns = shape
    if scores is not None and len(scores) != len(encodings):
        raise ValueError(f"{len(scores)} scores for {len(encodings)} masks")
    ranks: Sequence[float] = scores if scores is not None else [0.0] * len(encodings)
    flat = np.zeros(_check_shape(shape, limits), label_dtype(len(encodings)))
    # From the bottom to the top: ascending score, among equals the first last.
    for index in sorted(range(len(encodings)), key=lambda index: (ranks[index], -index)):
        ends = np.cumsum(_counts(encodings[index], shape, limits))
        for start, end in zip(ends[0::2], ends[1::2], strict=False):
            flat[start:end] = index + 1
    labels: Labels = np.ascontiguousarray(flat.reshape(columns, rows).T)
    return labels


def _check_shape(shape: tuple[int, ...], limits: ImageLimits) -> int:
    if len(shape) != 2 or min(shape) < 1:
        raise ImageUnreadableError(f"{shape} is no shape of a mask: rows and columns")
    if shape[0] * shape[1] > limits.max_pixels:
        raise ImageTooLargeError(f"a mask of shape {shape} has more than {limits.max_pixels} pixels")
    return shape[0] * shape[1]


def _counts(characters: bytes, shape: tuple[int, ...], limits: ImageLimits) -> NDArray[np.int64]:
    """The lengths of the runs, background first."""
    size = _check_shape(shape, limits)
    codes = np.frombuffer(characters, np.uint8).astype(np.int64) - 48
    if codes.size == 0 or codes.min() < 0 or codes.max() > 63 or codes[-1] & 0x20:
        raise ImageUnreadableError("the run-length encoding is damaged or cut off")
    ends = np.flatnonzero((codes & 0x20) == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > _MAX_CHARACTERS:
        raise ImageUnreadableError("the run-length encoding is damaged: a count is too long")
    shifts = 5 * (np.arange(codes.size) - np.repeat(starts, lengths))
    values = np.add.reduceat((codes & 0x1F) << shifts, starts)
    negative = (codes[ends] & 0x10) != 0
    values[negative] -= np.int64(1) << (5 * lengths[negative])
    # Undo the differences: two interleaved sums, of the odd counts and of the even ones from the third.
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    if values.min() < 0 or values.max() > size or values.sum() != size:
        raise ImageUnreadableError(f"the run-length encoding does not fit an image of shape {shape}")
    return values
