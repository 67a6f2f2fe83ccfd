"""Outlines of objects over an image."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.draw import polygon2mask

from evaluator.report.overlay import FOUND, LARGEST_PX, MISSED, SPURIOUS, TRUTH, compare, draw


def rings(path: str) -> list[np.ndarray]:
    """The corners of each closed line of a path, as rows of x and y."""
    found = []
    for x, y, moves in re.findall(r"M(-?\d+) (-?\d+)l([-\d ]+)z", path):
        steps = np.array(moves.split(), int).reshape(-1, 2)
        found.append(np.cumsum(np.vstack([[int(x), int(y)], steps]), axis=0))
    return found


# The outline of a square runs along the outer edges of its pixels; a unit is half a pixel.
def test_square() -> None:
    labels = np.zeros((10, 12), np.uint16)
    labels[2:6, 3:9] = 7
    overlay = draw(TRUTH, labels)
    assert (overlay.width, overlay.height) == (24, 20)
    (outlines,) = overlay.outlines
    assert outlines.count == 1
    (ring,) = rings(outlines.path)
    assert (ring.min(axis=0).tolist(), ring.max(axis=0).tolist()) == ([6, 4], [18, 12])


# Filled again, the outlines give back the pixels of every object, holes and borders of the image included.
@given(st.integers(0, 2**32 - 1))
def test_outlines_fill_to_masks(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = np.repeat(np.repeat(random.integers(0, 3, (6, 7)), 3, axis=0), 3, axis=1).astype(np.uint16)
    (outlines,) = draw(TRUTH, labels).outlines
    filled = np.zeros(labels.shape, int)
    for ring in rings(outlines.path):
        corners = ring[:, ::-1] / 2 - 0.5  # back to rows and columns of pixel centres
        filled += polygon2mask(labels.shape, corners)
    assert np.array_equal(filled % 2 == 1, labels > 0)


# Objects are told apart by matching: what is in both is found, the rest missed or spurious.
def test_kinds() -> None:
    truth, answer = np.zeros((2, 20, 20), np.uint16)
    truth[1:5, 1:5], truth[10:15, 10:15] = 5, 9
    answer[1:5, 1:4], answer[10:15, 1:5], answer[0, 19] = 2, 3, 4
    kinds = {outlines.kind: outlines for outlines in compare(truth, answer).outlines}
    assert {kind: outlines.count for kind, outlines in kinds.items()} == {FOUND: 1, SPURIOUS: 2, MISSED: 1}
    (ring,) = rings(kinds[FOUND].path)
    assert ring.max(axis=0).tolist() == [8, 10]  # as the answer has it, not the truth


# Nothing in truth and answer is nothing to draw.
def test_empty() -> None:
    overlay = compare(np.zeros((5, 5), np.uint8), np.zeros((5, 5), np.uint8))
    assert [(outlines.count, outlines.path) for outlines in overlay.outlines] == [(0, "")] * 3


# Label images that nobody may write to, as decoders give them, are drawn like any other.
def test_read_only_labels() -> None:
    labels = np.zeros((6, 6), np.uint16)
    labels[1:3, 1:4] = 7
    writeable = draw(TRUTH, labels)
    labels.flags.writeable = False
    assert draw(TRUTH, labels) == writeable
    assert compare(labels, labels).outlines[0].count == 1


# Labels far apart, as hashes are, take no memory for what lies between.
def test_huge_labels() -> None:
    labels = np.zeros((6, 6), np.uint32)
    labels[1:3, 1:3], labels[4, 4] = 4_000_000_000, 17
    (outlines,) = draw(TRUTH, labels).outlines
    assert outlines.count == len(rings(outlines.path)) == 2


# Large label images are thinned out, so that a page stays small, and the overlay still covers the image.
@pytest.mark.parametrize("shape", [(LARGEST_PX + 1, 40), (40, 5000)])
def test_thinned(shape: tuple[int, int]) -> None:
    labels = np.zeros(shape, np.uint16)
    labels[20:, 20:] = 1
    overlay = draw(TRUTH, labels)
    assert max(overlay.width, overlay.height) <= 2 * LARGEST_PX
    (ring,) = rings(overlay.outlines[0].path)
    assert ring.max(axis=0).tolist() == [overlay.width, overlay.height]
