"""Whatever labels go in come out, and the numbers are those of a plain loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from pycocotools import mask as coco

from hooke import codecs, masks, wire
from hooke.errors import HookeError

SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, max_side=40)
LABELS = arrays.arrays(np.uint16, SHAPES, elements=st.sampled_from([0, 0, 0, 1, 2, 3, 65_535]))
# Larger pieces than single pixels.
PIECES = st.builds(
    lambda labels, rows, columns: np.kron(labels, np.ones((rows, columns), np.uint16)),
    LABELS,
    st.integers(1, 9),
    st.integers(1, 9),
)


# Label images travel without a change.
@given(arrays.arrays(st.sampled_from([np.uint8, np.uint16, np.uint32]), SHAPES))
@settings(max_examples=100, deadline=None)
def test_label_images_travel(labels: NDArray[Any]) -> None:
    assert np.array_equal(wire.label_image_from_proto(wire.label_image_to_proto(labels)), labels)


# Every object has the bytes that pycocotools gives it, and they give the object back.
@given(LABELS | PIECES)
@settings(max_examples=150, deadline=None)
def test_encodings_are_those_of_pycocotools(labels: NDArray[Any]) -> None:
    encodings = masks.encode_labels(labels)
    assert list(encodings) == [int(label) for label in np.unique(labels) if label]
    for label, counts in encodings.items():
        mask = np.asfortranarray(labels == label)
        assert counts == coco.encode(mask.view(np.uint8))["counts"]
        assert np.array_equal(masks.decode_mask(counts, labels.shape), mask)
    returned = masks.compose_labels(list(encodings.values()), None, labels.shape)
    assert np.array_equal(returned, masks.relabel(labels))


# A mask of any density, given as a crop, has the bytes of pycocotools.
@given(
    arrays.arrays(bool, SHAPES),
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(0, 50),
)
@settings(max_examples=150, deadline=None)
def test_crops(mask: NDArray[np.bool_], top: int, left: int, below: int, right: int) -> None:
    whole = np.pad(mask, ((top, below), (left, right)))
    counts = masks.encode_mask(mask, whole.shape, top=top, left=left)
    assert counts == coco.encode(np.asfortranarray(whole.view(np.uint8)))["counts"]


# Any bytes as an encoding give a mask or an error of Hooke.
@given(st.binary(max_size=30) | st.text("01234567OPQRSTUVWXYZ_abcdefghijklmno", max_size=30).map(str.encode))
@settings(max_examples=300, deadline=None)
def test_any_encoding(counts: bytes) -> None:
    try:
        mask = masks.decode_mask(counts, (13, 11))
    except HookeError:
        return
    assert mask.shape == (13, 11)
    assert np.array_equal(masks.decode_mask(masks.encode_mask(mask, mask.shape), mask.shape), mask)


# Every measurement is that of a loop over the pixels of one object.
@given(LABELS | PIECES, st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_measurements(labels: NDArray[Any], seed: int) -> None:
    samples = np.random.default_rng(seed).integers(0, 65_536, labels.shape).astype(np.uint16)
    found = masks.measure(labels, codecs.from_array(samples))
    assert [instance.label for instance in found] == [int(label) for label in np.unique(labels) if label]
    for instance in found:
        rows, columns = np.nonzero(labels == instance.label)
        box = instance.bounding_box
        assert instance.area_px == rows.size
        assert (box.x_px, box.y_px) == (columns.min(), rows.min())
        assert (box.width_px, box.height_px) == (np.ptp(columns) + 1, np.ptp(rows) + 1)
        assert instance.centroid_x_px == pytest.approx(columns.mean())
        assert instance.centroid_y_px == pytest.approx(rows.mean())
        assert instance.mean_intensity == pytest.approx(samples[rows, columns].mean())
        edges = {0, labels.shape[0] - 1} & set(rows), {0, labels.shape[1] - 1} & set(columns)
        assert instance.touches_border == any(edges)
