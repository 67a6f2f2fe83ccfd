"""The comparison of two runs: per task and model that both have, on the samples that both have."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from evaluator.contrast.differing import differences
from evaluator.contrast.reading import RunReport
from evaluator.contrast.records import Change, Contrast, RunContrast, RunHead
from evaluator.judging import Judged, statistics_of
from evaluator.metrics.comparison import compare, holm
from evaluator.metrics.intervals import Statistic
from evaluator.records import TaskKind
from evaluator.report.numbers import find
from evaluator.summaries import Estimate, ModelSummary, RunSummary, TaskSummary
from hooke.errors import InvalidRequestError


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the metrics need to know of a task."""

    kind: TaskKind
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Side:
    """A task and a model of one run."""

    task: TaskSummary
    model: ModelSummary


def contrast(first: RunReport, second: RunReport) -> RunContrast:
    """Compare two runs; differences are second minus first.

    Raises:
        InvalidRequestError: they have no task and model in common.
    """
    sides = _sides(first.summary), _sides(second.summary)
    both = [key for key in sides[0] if key in sides[1] and _alike(sides[0][key], sides[1][key])]
    if not both:
        raise InvalidRequestError("the two runs have no task with a model in common")
    contrasts = [_contrast(first, second, sides[0][key], sides[1][key]) for key in both]
    return RunContrast(
        first=_head(first.summary),
        second=_head(second.summary),
        contrasts=_corrected(contrasts),
        provenance=differences(first, second, both),
        only_first=tuple(key for key in sides[0] if key not in both),
        only_second=tuple(key for key in sides[1] if key not in both),
    )


def _sides(summary: RunSummary) -> dict[tuple[str, str], _Side]:
    return {(task.task, model.model): _Side(task, model) for task in summary.tasks for model in task.models}


def _alike(first: _Side, second: _Side) -> bool:
    return first.task.kind is second.task.kind


def _head(summary: RunSummary) -> RunHead:
    return RunHead(summary.evaluation_id, summary.suite, summary.state, summary.create_time)


def _contrast(first: RunReport, second: RunReport, before: _Side, after: _Side) -> Contrast:
    task, model = before.task.task, before.model.model
    of_first, of_second = (
        run.judged(task, model, _asked(side), 2 if side.model.stability else 1)
        for run, side in ((first, before), (second, after))
    )
    shared, places, others = np.intersect1d(
        of_first.names, of_second.names, assume_unique=True, return_indices=True
    )
    order = np.argsort(places)  # as in the dataset
    answers = of_first.judged.choose(places[order]), of_second.judged.choose(others[order])
    statistics = _statistics(before, after, *answers) if shared.size else {}
    headline = after.task.headline
    names = dict.fromkeys([headline, *(e.name for side in (before, after) for e in _estimates(side))])
    changes = []
    for name in names:
        values = (find(_estimates(before), name), find(_estimates(after), name))
        pair = statistics.get(name)
        if pair is None:
            why = "calibration is not tested" if shared.size else "no sample is the same in both runs"
            nothing = Estimate(name, None, None, None, "", 0, values[1].higher_is_better, why)
            changes.append(Change(name, *values, nothing, None, None, ""))
        else:
            found = compare(pair[1], pair[0], answers[0].clusters)
            changes.append(Change(name, *values, found.estimate, found.p_value, None, found.method))
    return Contrast(
        task=task,
        kind=after.task.kind,
        model=model,
        headline=headline,
        first_count=before.task.sample_count,
        second_count=after.task.sample_count,
        shared_count=np.unique(answers[0].positions).size,
        changes=tuple(changes),
    )


def _estimates(side: _Side) -> tuple[Estimate, ...]:
    """The strict figures, and those that only answered samples have."""
    strict = {estimate.name for estimate in side.model.strict}
    return (*side.model.strict, *(e for e in side.model.answered if e.name not in strict))


def _statistics(
    before: _Side, after: _Side, first: Judged, second: Judged
) -> dict[str, tuple[Statistic, Statistic]]:
    """Metric -> its statistic in each run, over the same samples."""
    of_first, of_second = (
        {statistic.name: statistic for statistic in statistics_of(_asked(side), samples)}
        for side, samples in ((before, first), (after, second))
    )
    return {name: (of_first[name], of_second[name]) for name in of_first if name in of_second}


def _asked(side: _Side) -> _Asked:
    confusion = side.model.confusion
    return _Asked(side.task.kind, () if confusion is None else tuple(confusion["labels"]))


def _corrected(contrasts: Sequence[Contrast]) -> tuple[Contrast, ...]:
    """Adjust the p-values of the headline metrics, which stand first, for their number."""
    adjusted = holm([each.changes[0].p_value for each in contrasts])
    return tuple(
        replace(
            each,
            changes=(
                replace(each.changes[0], adjusted_p_value=p_value),
                *itertools.islice(each.changes, 1, None),
            ),
        )
        for each, p_value in zip(contrasts, adjusted, strict=True)
    )
