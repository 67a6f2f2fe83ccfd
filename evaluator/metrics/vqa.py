"""From the scores of single answers in words to the metrics of a set of questions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import sparse

from evaluator.metrics.catalogue import metric
from evaluator.metrics.intervals import Floats, Statistic
from evaluator.metrics.statistics import mean, proportion
from evaluator.records import TaskKind

LEVELS = np.array(
    [0.0, *(digits * 10.0**power for power in range(-4, 1) for digits in range(10, 100)), 100.0]
)
"""Relative errors to two significant digits: what a median is told to, and at most."""


VALUES = ("correct", "anls", "within_tolerance", "relative_error", "unit_error", "grade")
"""Metrics of single questions that those of a set are computed from."""


def statistics(answers: Mapping[str, Floats], note: str = "") -> list[Statistic]:
    """Every metric of questions and answers of the catalogue, in its order.

    Args:
        answers: an array for each of VALUES, of the metrics of the questions, from `answers` and
            `quantities`; of one without an answer those of `answers.no_answer`. Questions of all kinds may
            stand beside each other: each metric is over those that have it, NaN is for the others.
        note: passed on to the reader.
    """
    return [
        proportion(TaskKind.VQA, "accuracy", answers["correct"], note),
        mean(TaskKind.VQA, "anls_mean", answers["anls"], note),
        proportion(TaskKind.VQA, "within_tolerance", answers["within_tolerance"], note),
        _median("relative_error_median", answers["relative_error"], note),
        proportion(TaskKind.VQA, "unit_errors", answers["unit_error"], note),
        mean(TaskKind.VQA, "grade_mean", answers["grade"], note),
    ]


def _median(name: str, values: Floats, note: str) -> Statistic:
    """The median of what is there, by how many values each of `LEVELS` has: that is a sum over samples."""
    there = np.flatnonzero(~np.isnan(values))
    level = np.searchsorted((LEVELS[1:] + LEVELS[:-1]) / 2, values[there])
    cells = (np.ones(there.size), (there, level))
    return Statistic(
        name,
        sparse.csr_array(cells, shape=(values.size, LEVELS.size)),
        _median_of_levels,
        n=there.size,
        higher_is_better=metric(TaskKind.VQA, name).higher_is_better,
        note=note,
    )


def _median_of_levels(sums: Floats) -> Floats:
    below = np.cumsum(sums, axis=1)
    total = below[:, -1:]
    low, high = np.argmax(2 * below >= total, axis=1), np.argmax(2 * below > total, axis=1)
    return np.where(total[:, 0] > 0, (LEVELS[low] + LEVELS[high]) / 2, np.nan)
