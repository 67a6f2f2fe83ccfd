"""How well counts agree."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from evaluator.metrics.intervals import Derived, Floats, Statistic
from evaluator.metrics.statistics import divide, mean, proportion
from evaluator.records import TaskKind

COUNTING = TaskKind.COUNTING


def within(predicted: int, true: int, percent: int) -> bool:
    """Whether an answer differs from the truth by at most this part of it; computed without rounding."""
    return 100 * abs(predicted - true) <= percent * true


def statistics(true: ArrayLike, predicted: ArrayLike, note: str = "") -> list[Statistic]:
    """Every counting metric of the catalogue, in its order."""
    t, p = np.asarray(true, np.float64), np.asarray(predicted, np.float64)
    error = p - t
    relative = np.full(t.shape, np.nan)
    np.divide(np.abs(error), t, out=relative, where=t > 0)
    moments = Derived((t, p), 6, partial(_moments, t.mean() if t.size else 0.0))
    close = 100 * np.abs(error) <= 10 * t  # as `within`
    return [
        mean(COUNTING, "mae", np.abs(error), note),
        Statistic(
            "rmse", Derived((error,), 2, _squares), _root_mean, t.size, higher_is_better=False, note=note
        ),
        mean(COUNTING, "bias", error, note),
        mean(COUNTING, "mape", relative, note),
        Statistic("r2", moments, _r2, t.size, undefined="all true counts are equal", note=note),
        Statistic(
            "pearson_r",
            moments,
            _pearson,
            t.size,
            undefined="all true counts, or all answers, are equal",
            note=note,
        ),
        proportion(COUNTING, "exact", error == 0, note),
        proportion(COUNTING, "within_10pct", close, note),
    ]


def _squares(error: Floats) -> Floats:
    return np.column_stack([error**2, np.ones_like(error)])


def _root_mean(sums: Floats) -> Floats:
    return np.sqrt(divide(sums[:, 0], sums[:, 1]))


def _moments(centre: float, t: Floats, p: Floats) -> Floats:
    """Columns 1, t, p, tt, pp, tp; centred, so that large counts lose no digits."""
    t, p = t - centre, p - centre
    return np.column_stack([np.ones_like(t), t, p, t * t, p * p, t * p])


def _variation(n: Floats, total: Floats, squares: Floats) -> Floats:
    """Sum of squared deviations from the mean; 0 where rounding is all there is."""
    deviations = squares - divide(total**2, n)
    return np.where(deviations > 1e-9 * squares, deviations, 0.0)


def _r2(sums: Floats) -> Floats:
    n, t, _, tt, pp, tp = sums.T
    return 1 - divide(tt - 2 * tp + pp, _variation(n, t, tt))


def _pearson(sums: Floats) -> Floats:
    n, t, p, tt, pp, tp = sums.T
    return divide(tp - divide(t * p, n), np.sqrt(_variation(n, t, tt) * _variation(n, p, pp)))
