"""Run-length encoding, with pycocotools as the oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco

from hooke import masks
from hooke.errors import ImageTooLargeError, ImageUnreadableError
from hooke.images import ImageLimits


def reference(mask: NDArray[Any]) -> bytes:
    counts: bytes = coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    return counts


CORNERS = np.zeros((7, 9), bool)
CORNERS[[0, 0, -1, -1], [0, -1, 0, -1]] = True
RING = np.ones((7, 9), bool)
RING[2:5, 3:6] = False
MASKS = {
    "nothing": np.zeros((7, 9), bool),
    "everything": np.ones((7, 9), bool),
    "corners": CORNERS,
    "a ring": RING,
    "a checkerboard": np.indices((7, 9)).sum(axis=0) % 2 == 1,
    "a column": np.eye(1, 9, 4, dtype=bool).repeat(7, axis=0),
    "a row": np.eye(7, 1, 0, dtype=bool).repeat(9, axis=1),
    "one pixel": np.ones((1, 1), bool),
    "a large square": np.pad(np.ones((700, 300), bool), 900),
}


# Every shape of mask gives the very bytes that pycocotools gives, and comes back.
@pytest.mark.parametrize("name", MASKS)
def test_masks_are_encoded_as_pycocotools_does(name: str) -> None:
    mask = MASKS[name]
    counts = masks.encode_mask(mask, mask.shape)
    assert counts == reference(mask)
    assert np.array_equal(masks.decode_mask(counts, mask.shape), mask)


# A crop at its place is encoded like the whole mask.
@pytest.mark.parametrize(("top", "left"), [(0, 0), (3, 5), (13, 21), (13, 0)])
def test_crops_are_encoded_at_their_place(top: int, left: int) -> None:
    whole = np.zeros((20, 30), bool)
    whole[top : top + 7, left : left + 9] = RING
    assert masks.encode_mask(RING, whole.shape, top=top, left=left) == reference(whole)


# A crop that leaves the image is a mistake of the caller.
@pytest.mark.parametrize(("top", "left"), [(-1, 0), (0, -1), (14, 0), (0, 22)])
def test_crops_that_leave_the_image_are_refused(top: int, left: int) -> None:
    with pytest.raises(ValueError, match="does not lie"):
        masks.encode_mask(RING, (20, 30), top=top, left=left)


# All objects of a label image at once give what each of them gives alone, in order of their labels.
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "int64"])
def test_label_images_are_encoded_object_by_object(dtype: str) -> None:
    rng = np.random.default_rng(5)
    labels = rng.choice([0, 0, 0, 3, 4, 9, 200], (41, 33)).astype(dtype)
    encodings = masks.encode_labels(labels)
    assert list(encodings) == [3, 4, 9, 200]
    for label, counts in encodings.items():
        assert counts == reference(labels == label)


# An object that goes on from the bottom of a column to the top of the next is one run in COCO's eyes.
def test_runs_across_columns() -> None:
    labels = np.zeros((4, 5), np.uint16)
    labels[2:, 1] = labels[:, 2] = labels[:1, 3] = 1
    assert masks.encode_labels(labels) == {1: reference(labels == 1)}


# Run lengths as SAM writes them become the bytes that pycocotools makes of them, all masks at once.
def test_uncompressed_encodings_are_compressed() -> None:
    counts = [[63], [0, 63], [5, 1, 57], [0, 1, 40, 2, 20], [10, 20, 0, 3, 30]]
    expected = [coco.frPyObjects({"size": [7, 9], "counts": each}, 7, 9)["counts"] for each in counts]
    assert masks.encode_counts(counts) == tuple(expected)
    assert masks.encode_counts([]) == ()
    for wrong in ([[63], []], [[64, -1]]):
        with pytest.raises(ValueError, match="runs"):
            masks.encode_counts(wrong)


# No object, no encodings.
def test_an_empty_label_image() -> None:
    assert masks.encode_labels(np.zeros((3, 4), np.uint16)) == {}
    assert masks.compose_labels([], None, (3, 4)).tolist() == [[0] * 4] * 3


# Masks become the label image that they were made of.
def test_label_images_come_back() -> None:
    labels = np.kron(np.arange(30, dtype=np.uint16).reshape(5, 6), np.ones((4, 3), np.uint16))
    encodings = masks.encode_labels(labels)
    returned = masks.compose_labels(list(encodings.values()), None, labels.shape)
    assert returned.dtype == np.uint16
    assert np.array_equal(returned, labels)


# Where masks overlap, the higher score is on top, whatever the order; without scores, the first.
def test_overlaps() -> None:
    shape = (4, 6)
    left, right = np.zeros(shape, bool), np.zeros(shape, bool)
    left[:, :4], right[:, 2:] = True, True
    encodings = [masks.encode_mask(mask, shape) for mask in (left, right)]
    first_on_top, second_on_top = [1, 1, 1, 1, 2, 2], [1, 1, 2, 2, 2, 2]
    for scores, row in ((None, first_on_top), ((0.1, 0.9), second_on_top), ((0.9, 0.1), first_on_top)):
        assert masks.compose_labels(encodings, scores, shape).tolist() == [row] * 4
    with pytest.raises(ValueError, match="scores"):
        masks.compose_labels(encodings, (0.5,), shape)


# More objects than uint16 counts get a wider type.
def test_many_masks_need_uint32() -> None:
    shape = (300, 300)
    labels = np.arange(1, 90_001, dtype=np.uint32).reshape(shape)
    encodings = masks.encode_labels(labels)
    assert len(encodings) == 90_000
    returned = masks.compose_labels(list(encodings.values()), None, shape)
    assert returned.dtype == np.uint32
    assert np.array_equal(returned, labels)


# Damaged encodings are refused.
@pytest.mark.parametrize(
    "counts",
    [
        b"",
        b"\xff",
        b" ",
        b"o",
        b"0",
        b"5",
        b"oooooooooooooooo0",
        b"O0",
        reference(RING)[:-1],
        reference(RING) + b"5",
    ],
)
def test_damaged_encodings_are_refused(counts: bytes) -> None:
    with pytest.raises(ImageUnreadableError):
        masks.decode_mask(counts, RING.shape)


# An encoding of another shape, a shape that is none, and one that is too large are refused.
def test_shapes_are_checked() -> None:
    for shape in ((9, 8), (0, 9), (-7, -9), (7, 9, 1)):
        with pytest.raises(ImageUnreadableError):
            masks.decode_mask(reference(RING), shape)
    with pytest.raises(ImageTooLargeError):
        masks.decode_mask(reference(RING), (2**31, 2**31))
    with pytest.raises(ImageTooLargeError):
        masks.compose_labels([reference(RING)], None, RING.shape, limits=ImageLimits(max_pixels=62))
