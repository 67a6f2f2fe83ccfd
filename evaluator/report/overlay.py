"""Outlines of objects over an image: what was found, what was missed, what was made up."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from skimage.measure import find_contours
from skimage.segmentation import relabel_sequential

from evaluator.metrics.segmentation import match
from evaluator.report.contents import LabelImage

IOU = 0.5
"""An answer at least this much like a true object has found it."""

LARGEST_PX = 1024
"""Label images are thinned out to this side before they are outlined: a page shows no more."""


@dataclass(frozen=True, slots=True)
class OutlineKind:
    """How an outline is meant; the style sheet has the colour and the dashes of `name`."""

    name: str
    word: str
    line: str


FOUND = OutlineKind("tp", "found (TP)", "solid")
SPURIOUS = OutlineKind("fp", "spurious (FP)", "dashed")
MISSED = OutlineKind("fn", "missed (FN)", "dotted")
TRUTH = OutlineKind("truth", "true objects", "thin")
ANSWER = OutlineKind("answer", "objects in the answer", "solid")
"""For masks that have no true masks beside them."""


@dataclass(frozen=True, slots=True)
class Outlines:
    """The objects of one kind as one SVG path, in the units of its overlay."""

    kind: OutlineKind
    count: int
    path: str


@dataclass(frozen=True, slots=True)
class Overlay:
    """What is drawn over an image; coordinates run from 0 at its top-left corner to `width`, `height`."""

    width: int
    height: int
    outlines: tuple[Outlines, ...]


def compare(truth: LabelImage, answer: LabelImage) -> Overlay:
    """Found, spurious and missed objects, matched one to one at IoU >= 0.5.

    A found object is drawn as the answer has it.
    """
    matching = match(truth, answer, IOU)
    return _overlay(
        answer.shape,
        (FOUND, answer, matching.found),
        (SPURIOUS, answer, matching.spurious),
        (MISSED, truth, matching.missed),
    )


def draw(kind: OutlineKind, labels: LabelImage) -> Overlay:
    """All objects of a label image as one kind."""
    present = np.unique(labels)
    return _overlay(labels.shape, (kind, labels, present[present != 0]))


def _overlay(shape: tuple[int, ...], *parts: tuple[OutlineKind, LabelImage, NDArray[np.integer]]) -> Overlay:
    """Outline the chosen labels of each kind. The units are half pixels, in which outlines are integers."""
    step = math.ceil(max(shape) / LARGEST_PX)
    return Overlay(
        2 * math.ceil(shape[1] / step),
        2 * math.ceil(shape[0] / step),
        tuple(
            Outlines(kind, len(chosen), _path(labels[::step, ::step], frozenset(chosen.tolist())))
            for kind, labels, chosen in parts
        ),
    )


def _path(labels: LabelImage, chosen: Collection[int]) -> str:
    # find_objects allocates up to the largest label; relabelling refuses read-only arrays, hence the copy.
    compact, _, originals = relabel_sequential(labels.copy())
    padded = np.pad(compact, 1)
    rings = []
    for number, (label, box) in enumerate(
        zip(np.asarray(originals)[1:].tolist(), find_objects(compact), strict=True), 1
    ):
        if label in chosen:
            top, left = (side.start for side in box)
            mask = padded[top : box[0].stop + 2, left : box[1].stop + 2] == number
            corner = np.array([2 * top - 1, 2 * left - 1])  # less the padding
            rings += [_ring(np.rint(2 * line).astype(int) + corner) for line in find_contours(mask, 0.5)]
    return "".join(rings)


def _ring(points: NDArray[np.intp]) -> str:
    """A closed line as a part of a path: its corners, each relative to the one before."""
    steps = np.diff(points, axis=0)
    before = np.concatenate((steps[-1:], steps[:-1]))
    corners = points[:-1][(steps != before).any(axis=1)]
    moves = " ".join(map(str, np.diff(corners, axis=0)[:, ::-1].ravel().tolist()))
    return f"M{corners[0, 1]} {corners[0, 0]}l{moves}z"
