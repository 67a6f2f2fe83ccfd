"""Outlines of objects over an image: what was found, what was missed, what was made up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import find_objects
from skimage.measure import approximate_polygon, find_contours
from skimage.segmentation import relabel_sequential

from evaluator.metrics.segmentation import match
from evaluator.report.contents import LabelImage

IOU = 0.5
"""An answer at least this much like a true object has found it."""

_FINE_PX, _COARSE = 0.4, 1 / 1000
"""Largest distance between an outline and what is drawn: in pixels, and as a share of the longer side."""


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
    """The objects of one kind as one SVG path, in pixels of the image; the origin is its top-left corner."""

    kind: OutlineKind
    count: int
    path: str


@dataclass(frozen=True, slots=True)
class Overlay:
    """What is drawn over an image of this size."""

    width: int
    height: int
    outlines: tuple[Outlines, ...]


def compare(truth: LabelImage, answer: LabelImage) -> Overlay:
    """Found, spurious and missed objects, matched one to one at IoU >= 0.5.

    A found object is drawn as the answer has it.
    """
    matching = match(truth, answer, IOU)
    return Overlay(
        answer.shape[1],
        answer.shape[0],
        (
            outline(FOUND, answer, matching.found),
            outline(SPURIOUS, answer, matching.spurious),
            outline(MISSED, truth, matching.missed),
        ),
    )


def draw(kind: OutlineKind, labels: LabelImage) -> Overlay:
    """All objects of a label image as one kind."""
    return Overlay(labels.shape[1], labels.shape[0], (outline(kind, labels),))


def outline(kind: OutlineKind, labels: LabelImage, chosen: Iterable[int] | None = None) -> Outlines:
    """The outlines of the chosen labels, or of all of them."""
    compact, _, originals = relabel_sequential(labels)  # find_objects allocates up to the largest label
    wanted = None if chosen is None else {int(label) for label in chosen}
    tolerance = max(_FINE_PX, _COARSE * max(labels.shape))
    rings = []
    count = 0
    for number, box in enumerate(find_objects(compact), 1):
        if wanted is not None and int(originals[number]) not in wanted:
            continue
        count += 1
        # Contours run through the centres of pixels, which an SVG has at halves; the padding took one.
        shift = np.array([box[0].start - 0.5, box[1].start - 0.5])
        for contour in find_contours(np.pad(compact[box] == number, 1), 0.5):
            ring = approximate_polygon(contour, tolerance) + shift
            rings.append("M" + "L".join(f"{x:.5g} {y:.5g}" for y, x in ring[:-1]) + "z")
    return Outlines(kind, count, "".join(rings))
