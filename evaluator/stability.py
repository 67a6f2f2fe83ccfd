"""Whether a model gives the same answer when it is asked the same again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from evaluator.judging import Judged
from evaluator.metrics.intervals import Statistic, estimate
from evaluator.metrics.statistics import ratio_of_sums
from evaluator.records import SampleScore, TaskKind
from evaluator.suites import TaskSpec
from evaluator.summaries import Estimate
from hooke.types import SampleOutcome

NAME = "stability"


def stability_of(task: TaskSpec, judged: Sequence[Judged]) -> Estimate:
    """Share of the samples whose answers are all the same, of those that never failed.

    Answers are the same if they end alike and, where they could be read, say the same: the count, the class,
    the answer in words as it was read. Masks are taken to be the same if they have as many objects and the
    same metrics against the truth.

    Args:
        task: asks each sample `task.repeats` times.
        judged: every answer of a model.
    """
    answers: dict[str, list[Judged]] = defaultdict(list)
    for sample in judged:
        if sample.score.outcome is not SampleOutcome.FAILED:
            answers[sample.row.sample_id].append(sample)
    whole = [samples for samples in answers.values() if len(samples) == task.repeats]
    same = [len({_said(task, sample.score) for sample in samples}) == 1 for samples in whole]
    statistic = Statistic(
        NAME,
        np.column_stack([np.array(same, np.float64), np.ones(len(same))]),
        ratio_of_sums,
        n=len(same),
        proportion=True,
        undefined="no sample has all of its answers",
    )
    (found,) = estimate([statistic], [samples[0].row.cluster for samples in whole])
    return found


def _said(task: TaskSpec, score: SampleScore) -> tuple[object, ...]:
    metrics = tuple(score.metrics.items()) if task.kind is TaskKind.SEGMENTATION else ()
    return (score.outcome, score.answer, *metrics)
