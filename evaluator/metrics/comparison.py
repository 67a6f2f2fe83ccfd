"""Whether two models differ, on the same samples.

The difference of two statistics is a statistic of both models' features side by side, so its interval is
the paired bootstrap of `intervals`. The test swaps the two models' answers to random samples (or clusters):
if the models were alike, the difference would not mind. Proportions of independent samples get the exact
McNemar test instead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse, stats

from evaluator.metrics.intervals import (
    CHUNK,
    SEED,
    Clusters,
    Derived,
    Features,
    Floats,
    Statistic,
    Units,
    estimate,
    whole,
)
from evaluator.summaries import Estimate

PERMUTATIONS = 9999


@dataclass(frozen=True, slots=True)
class Difference:
    """First minus second.

    Attributes:
        estimate: the difference with its paired 95 % interval.
        p_value: two-sided; None where the difference is undefined, or nothing can be swapped.
        method: "mcnemar", "permutation", "permutation-clustered", or "" where nothing can be swapped.
    """

    estimate: Estimate
    p_value: float | None
    method: str


def compare(first: Statistic, second: Statistic, clusters: Clusters) -> Difference:
    """Compare the same statistic of two models.

    Args:
        first: of one model.
        second: of the other, over the same samples in the same order.
        clusters: for each sample what it shares with dependent ones.
    """
    (difference,) = estimate([difference_of(first, second)], clusters)
    units = Units.of(clusters)
    method = "permutation-clustered" if units.clustered else "permutation"
    if first.proportion and not units.clustered:
        method = "mcnemar"
    if not first.swappable:
        return Difference(difference, None, "")
    if difference.value is None:
        return Difference(difference, None, method)
    p_value = _mcnemar(first, second) if method == "mcnemar" else _permutation(first, second, units)
    return Difference(difference, p_value, method)


def difference_of(first: Statistic, second: Statistic) -> Statistic:
    """First minus second, the same statistic of two models over the same samples in the same order."""
    width = first.features.shape[1]

    def of_sums(sums: Floats) -> Floats:
        return first.of_sums(sums[:, :width]) - second.of_sums(sums[:, width:])

    return Statistic(
        first.name,
        side_by_side(first.features, second.features),
        of_sums,
        n=min(first.n, second.n),
        higher_is_better=first.higher_is_better,
        undefined=first.undefined,
    )


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust p-values for their number (Holm, Scandinavian Journal of Statistics 6, 1979); None stays."""
    order = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for turn, (p, place) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - turn) * p))
        adjusted[place] = largest
    return adjusted


def side_by_side(*parts: Features) -> Features:
    """The columns of all parts, which have the same rows; dense where all of them are."""
    if any(isinstance(part, Derived) for part in parts):
        return Derived(parts, sum(part.shape[1] for part in parts), side_by_side)
    dense = [part for part in parts if isinstance(part, np.ndarray)]
    if len(dense) == len(parts):
        return np.hstack(dense)
    return sparse.csr_array(sparse.hstack([sparse.csr_array(whole(part)) for part in parts]))


def only_one_right(first: Statistic, second: Statistic) -> tuple[int, int]:
    """How many samples only the first of two models has right, and only the second; of proportions."""
    only_one = whole(first.features)[:, 0] - whole(second.features)[:, 0]
    return int((only_one > 0).sum()), int((only_one < 0).sum())


def _mcnemar(first: Statistic, second: Statistic) -> float:
    """Exact two-sided test of the samples that only one of the two has right."""
    wins, losses = only_one_right(first, second)
    return float(stats.binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0


def _permutation(first: Statistic, second: Statistic, units: Units) -> float | None:
    of_first, of_second = units.sum(first.features), units.sum(second.features)
    change: Any = of_second - of_first
    ones = np.ones((1, units.count))
    totals: tuple[Floats, Floats] = (ones @ of_first, ones @ of_second)

    def difference(moved: Floats) -> Floats:
        return first.of_sums(totals[0] + moved) - second.of_sums(totals[1] - moved)

    observed = abs(float(difference(np.zeros_like(totals[0]))[0]))
    rng = np.random.Generator(np.random.PCG64(SEED))
    step = max(1, CHUNK // units.count)
    as_large = defined = 0
    for start in range(0, PERMUTATIONS, step):
        swapped = rng.integers(0, 2, (min(step, PERMUTATIONS - start), units.count)).astype(np.float64)
        found = np.abs(difference(swapped @ change))
        defined += int((~np.isnan(found)).sum())
        # Rounding must not make an equal difference a smaller one.
        as_large += int((found >= observed * (1 - 1e-9) - 1e-12).sum())
    return (1 + as_large) / (1 + defined) if defined and not math.isnan(observed) else None
