"""Building blocks of statistics: means and ratios of sums."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluator.metrics.catalogue import metric
from evaluator.metrics.intervals import Floats, Statistic
from evaluator.records import TaskKind


def divide(numerator: Floats, denominator: Floats) -> Floats:
    """Numerator / denominator; NaN where the denominator is 0."""
    result = np.full(np.shape(denominator), np.nan)
    np.divide(numerator, denominator, out=result, where=denominator != 0)
    return result


def ratio_of_sums(sums: Floats) -> Floats:
    """Sum of the first column / sum of the second."""
    return divide(sums[:, 0], sums[:, 1])


def mean(kind: TaskKind, name: str, values: ArrayLike, note: str = "") -> Statistic:
    """The mean of one value a sample; NaN values are left out."""
    array = np.asarray(values, np.float64)
    there = ~np.isnan(array)
    features = np.column_stack([np.where(there, array, 0.0), there.astype(np.float64)])
    return Statistic(
        name,
        features,
        ratio_of_sums,
        n=int(there.sum()),
        higher_is_better=metric(kind, name).higher_is_better,
        note=note,
    )


def proportion(
    kind: TaskKind, name: str, values: Sequence[bool] | NDArray[np.bool_], note: str = ""
) -> Statistic:
    """The share of samples for which something is true."""
    features = np.asarray(values, np.float64).reshape(-1, 1)
    ones = np.ones_like(features)
    return Statistic(
        name,
        np.hstack([features, ones]),
        ratio_of_sums,
        n=features.shape[0],
        higher_is_better=metric(kind, name).higher_is_better,
        proportion=True,
        note=note,
    )
