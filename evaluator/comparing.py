"""Every two models of a task on the samples that both have, and the correction over a whole run."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from evaluator.judging import Judged, statistics_of
from evaluator.metrics.comparison import compare, holm
from evaluator.metrics.intervals import Statistic
from evaluator.metrics.power import ALPHA, more_images
from evaluator.suites import TaskSpec
from evaluator.summaries import Comparison, TaskSummary


def compare_models(task: TaskSpec, judged: Mapping[str, Judged], family: int) -> tuple[Comparison, ...]:
    """Compare the headline metric of every two models, strict, where neither of them failed.

    The p-values are not corrected yet; see `correct`.

    Args:
        task: what was asked.
        judged: model -> its answers.
        family: comparisons of the whole run, for which p-values will be corrected: Holm's correction
            multiplies by this at most, so that the images that are said to be missing are rather too many.
    """
    asked = {model: answers.choose(~answers.failed) for model, answers in judged.items()}
    comparisons = []
    for first, second in itertools.combinations(asked, 2):
        _, of_first, of_second = np.intersect1d(
            _questions(task, asked[first]),
            _questions(task, asked[second]),
            assume_unique=True,
            return_indices=True,
        )
        answers = asked[first].choose(of_first), asked[second].choose(of_second)
        statistics = _headline(task, answers[0]), _headline(task, answers[1])
        clusters = answers[0].clusters
        found = compare(*statistics, clusters)
        settled = found.p_value is None or found.p_value * family < ALPHA
        wanted = None if settled else more_images(*statistics, clusters, family)
        comparisons.append(
            Comparison(first, second, found.estimate, found.p_value, found.p_value, found.method, wanted)
        )
    return tuple(comparisons)


def correct(tasks: Sequence[TaskSummary]) -> tuple[TaskSummary, ...]:
    """Adjust the p-values of all comparisons of a run for their number."""
    adjusted = iter(holm([pair.p_value for task in tasks for pair in task.comparisons]))
    return tuple(
        replace(task, comparisons=tuple(_adjusted(pair, next(adjusted)) for pair in task.comparisons))
        for task in tasks
    )


def _adjusted(pair: Comparison, p_value: float | None) -> Comparison:
    """The comparison with its corrected p-value; what that settles needs no more images."""
    settled = p_value is None or p_value < ALPHA
    return replace(pair, adjusted_p_value=p_value, more_images=None if settled else pair.more_images)


def _questions(task: TaskSpec, judged: Judged) -> NDArray[np.int64]:
    """A number for each sample and repeat."""
    return judged.positions.astype(np.int64) * task.repeats + judged.repeats


def _headline(task: TaskSpec, judged: Judged) -> Statistic:
    return next(s for s in statistics_of(task, judged) if s.name == task.headline_metric)
