"""Whether a model gives the same answer when it is asked the same again, and how far its counts lie apart."""

from __future__ import annotations

import numpy as np

from evaluator.judging import Judged
from evaluator.metrics.intervals import Floats, Statistic, estimate
from evaluator.metrics.statistics import ratio_of_sums
from evaluator.suites import TaskSpec
from evaluator.summaries import Estimate

NAME = "stability"
SPREAD = "within_sample_sd"


def stability_of(task: TaskSpec, judged: Judged) -> Estimate:
    """Share of the samples whose answers are all the same, of those that never failed.

    Answers are the same if they end alike and, where they could be read, say the same: the count, the class,
    the answer in words as it was read. Masks are taken to be the same if they have as many objects and the
    same metrics against the truth.

    Args:
        task: asks each sample `task.repeats` times.
        judged: every answer of a model.
    """
    asked = judged.choose(~judged.failed)
    _, starts, counts = np.unique(asked.positions, return_index=True, return_counts=True)
    whole = starts[counts == task.repeats]
    same = np.ones(whole.size, np.bool_)
    for repeat in range(1, task.repeats):
        same &= asked.said[whole + repeat] == asked.said[whole]
    statistic = Statistic(
        NAME,
        np.column_stack([same.astype(np.float64), np.ones(same.size)]),
        ratio_of_sums,
        n=same.size,
        proportion=True,
        undefined="no sample has all of its answers",
    )
    (found,) = estimate([statistic], asked.clusters[whole])
    return found


def spread_of(judged: Judged) -> Estimate:
    """Standard deviation of the counts of one sample, in objects: root of the mean variance within samples.

    Of the samples that were counted more than once, each by its degrees of freedom.

    Args:
        judged: every answer of a model that counts.
    """
    counted = judged.choose(judged.answered)
    _, starts, place, counts = np.unique(
        counted.positions, return_index=True, return_inverse=True, return_counts=True
    )
    predicted = counted.values["predicted"]
    means = np.bincount(place, predicted, starts.size) / counts
    squares = np.bincount(place, (predicted - means[place]) ** 2, starts.size)
    several = counts > 1
    statistic = Statistic(
        SPREAD,
        np.column_stack([squares[several], counts[several] - 1.0]),
        _root_of_ratio,
        n=int(several.sum()),
        higher_is_better=False,
        undefined="no sample was counted more than once",
    )
    (found,) = estimate([statistic], counted.clusters[starts[several]])
    return found


def _root_of_ratio(sums: Floats) -> Floats:
    return np.sqrt(ratio_of_sums(sums))
