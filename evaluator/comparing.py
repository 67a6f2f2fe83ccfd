"""Every two models of a task on the samples that both have, and the correction over a whole run."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from evaluator.judging import Judged, statistics_of
from evaluator.metrics.comparison import compare, holm
from evaluator.metrics.intervals import Statistic
from evaluator.metrics.power import ALPHA, more_images
from evaluator.suites import TaskSpec
from evaluator.summaries import Comparison, TaskSummary
from hooke.types import SampleOutcome


def compare_models(
    task: TaskSpec, judged: Mapping[str, Sequence[Judged]], family: int
) -> tuple[Comparison, ...]:
    """Compare the headline metric of every two models, strict, where neither of them failed.

    The p-values are not corrected yet; see `correct`.

    Args:
        task: what was asked.
        judged: model -> its samples.
        family: comparisons of the whole run, for which p-values will be corrected: Holm's correction
            multiplies by this at most, so that the images that are said to be missing are rather too many.
    """
    asked = {
        model: {
            (sample.row.sample_id, sample.score.repeat): sample
            for sample in samples
            if sample.score.outcome is not SampleOutcome.FAILED
        }
        for model, samples in judged.items()
    }
    comparisons = []
    for first, second in itertools.combinations(asked, 2):
        common = [question for question in asked[first] if question in asked[second]]
        samples = {model: [asked[model][question] for question in common] for model in (first, second)}
        statistics = _headline(task, samples[first]), _headline(task, samples[second])
        clusters = [sample.row.cluster for sample in samples[first]]
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


def _headline(task: TaskSpec, samples: Sequence[Judged]) -> Statistic:
    return next(s for s in statistics_of(task, samples) if s.name == task.headline_metric)
