"""Scoring one large segmentation, against StarDist's matching of the same label images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stardist.matching import matching

from benchmarks.measure import Target, Times, interleaved
from benchmarks.processes import BrokenError
from evaluator.metrics.catalogue import THRESHOLDS
from evaluator.metrics.overlap import Overlap
from evaluator.metrics.segmentation import compare

SIZE_PX = 1024
OBJECTS = 900
_MOST_S = 0.5
_LEAST_TIMES_FASTER = 1.0

Labels = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Row:
    """One way to score the pair."""

    way: str
    """Of "all metrics" and "ten thresholds" with Hooke, and "ten thresholds" with "StarDist"."""
    by: str
    times: Times


@dataclass(frozen=True, slots=True)
class Metrics:
    """What was measured."""

    rows: tuple[Row, ...]
    targets: tuple[Target, ...]


def measure() -> Metrics:
    """Measure both. Raises BrokenError where they do not find the same objects."""
    truth, predicted = _micrograph()
    overlap = Overlap.of(truth, predicted)
    ours = [overlap.match(threshold).size for threshold in THRESHOLDS]
    if ours != [int(found.tp) for found in matching(truth, predicted, thresh=THRESHOLDS)]:
        raise BrokenError("StarDist matches other objects")
    calls: Mapping[tuple[str, str], Callable[[], object]] = {
        ("all metrics", "Hooke"): lambda: compare(truth, predicted),
        ("ten thresholds", "Hooke"): lambda: _matches(truth, predicted),
        ("ten thresholds", "StarDist"): lambda: matching(truth, predicted, thresh=THRESHOLDS),
    }
    found = interleaved({",".join(name): call for name, call in calls.items()}, rounds=6, burst=3)
    times = {name: found[",".join(name)] for name in calls}
    text = f"metrics of {OBJECTS} objects at {SIZE_PX} x {SIZE_PX}"
    ratio = times["ten thresholds", "StarDist"].p50_s / times["ten thresholds", "Hooke"].p50_s
    return Metrics(
        tuple(Row(way, by, one) for (way, by), one in times.items()),
        (
            Target(f"{text}, all of them, s", times["all metrics", "Hooke"].p50_s, _MOST_S, at_most=True),
            Target(f"{text}, ten thresholds against StarDist", ratio, _LEAST_TIMES_FASTER, at_most=False),
        ),
    )


def _matches(truth: Labels, predicted: Labels) -> list[int]:
    """How many objects match at each threshold, from the images on."""
    overlap = Overlap.of(truth, predicted)
    return [overlap.match(threshold).size for threshold in THRESHOLDS]


def _micrograph() -> tuple[Labels, Labels]:
    """900 discs that nearly touch, found a little off, too small or too large, some lost and some cut."""
    rng = np.random.default_rng(0)
    side = round(OBJECTS**0.5)
    pitch = SIZE_PX / side
    truth, predicted = np.zeros((2, SIZE_PX, SIZE_PX), np.int32)
    rows, columns = np.ogrid[:SIZE_PX, :SIZE_PX]
    for label in range(1, OBJECTS + 1):
        row, column = (pitch * (place + 0.5) for place in divmod(label - 1, side))
        truth[_disc(rows, columns, row, column, rng.uniform(10, 17))] = label
        if rng.random() < 0.05:
            continue
        disc = _disc(rows, columns, row + rng.normal(0, 2), column + rng.normal(0, 2), rng.uniform(10, 17))
        predicted[disc] = label
        if rng.random() < 0.1:
            predicted[disc & (columns > column)] = OBJECTS + label
    return truth, predicted


def _disc(
    rows: NDArray[np.intp], columns: NDArray[np.intp], row: float, column: float, radius: float
) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
    return inside
