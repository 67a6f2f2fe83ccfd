"""Building blocks of statistics: means and ratios of sums."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluator.metrics.catalogue import metric
from evaluator.metrics.intervals import Derived, Floats, Statistic
from evaluator.records import TaskKind


def divide(numerator: Floats, denominator: Floats) -> Floats:
    """Numerator / denominator; NaN where the denominator is 0."""
    result = np.full(np.shape(denominator), np.nan)
    np.divide(numerator, denominator, out=result, where=denominator != 0)
    return result


def ratio_of_sums(sums: Floats) -> Floats:
    """Sum of the first column / sum of the second."""
    return divide(sums[:, 0], sums[:, 1])


def _present(values: NDArray[Any]) -> Floats:
    """The values that are there, and how many: one or none."""
    there = ~np.isnan(values)
    return np.column_stack([np.where(there, values, 0.0), there.astype(np.float64)])


def mean(kind: TaskKind, name: str, values: ArrayLike, note: str = "") -> Statistic:
    """The mean of one value a sample; NaN values are left out."""
    array = np.asarray(values)
    if array.dtype != np.bool_:
        array = array.astype(np.float64, copy=False)
    return Statistic(
        name,
        Derived((array,), 2, _present),
        ratio_of_sums,
        n=int((~np.isnan(array)).sum()),
        higher_is_better=metric(kind, name).higher_is_better,
        note=note,
    )


def proportion(kind: TaskKind, name: str, values: ArrayLike, note: str = "") -> Statistic:
    """The share of samples for which something is true; NaN values are left out."""
    return replace(mean(kind, name, values, note), proportion=True)
