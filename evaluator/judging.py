"""What is known of each sample of a model, and the statistics that follow from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from evaluator.metrics import classification, counting, segmentation, segmentation_statistics, vqa
from evaluator.metrics.answers import AnswerKind, no_answer
from evaluator.metrics.intervals import Statistic
from evaluator.records import SampleRow, SampleScore, TaskKind
from hooke.types import SampleOutcome


class Asked(Protocol):
    """What the metrics need to know of a task; `TaskSpec` says more."""

    @property
    def kind(self) -> TaskKind:
        """What is asked."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, as models are asked; empty but for classification."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One sample with its score."""

    row: SampleRow
    score: SampleScore

    @property
    def answered(self) -> bool:
        """True if it was scored."""
        return self.score.outcome is SampleOutcome.SCORED


def statistics_of(task: Asked, samples: Sequence[Judged]) -> list[Statistic]:
    """The metrics of a set of samples; what has no answer counts as wrong, as `aggregate` says."""
    return _STATISTICS[task.kind](samples, task)


def classes_of(task: Asked, samples: Sequence[Judged]) -> tuple[list[int], list[int | None]]:
    """The true and the answered classes as places in the label schema; None: no answer."""
    place = {label: index for index, label in enumerate(task.labels)}
    true = [place[sample.score.details["true"]] for sample in samples]
    predicted = [place[s.score.details["predicted"]] if s.answered else None for s in samples]
    return true, predicted


def _note(samples: Sequence[Judged], meaning: str) -> str:
    silent = sum(not sample.answered for sample in samples)
    return f"{silent} without an answer {meaning}" if silent else ""


def _segmentation(samples: Sequence[Judged], task: Asked) -> list[Statistic]:
    del task
    images = [
        segmentation.SegmentationScore(sample.score.metrics, sample.score.details, sample.score.trivial)
        if sample.answered
        else segmentation.no_answer(sample.score.details["true"], sample.score.details["truth_area"])
        for sample in samples
    ]
    return segmentation_statistics.statistics(images, _note(samples, "count as 0"))


def _counting(samples: Sequence[Judged], task: Asked) -> list[Statistic]:
    del task
    true = [sample.score.details["true"] for sample in samples]
    # No answer is the nearest wrong one: never rewarded, and no further off than an empty image.
    predicted = [
        sample.score.details["predicted"] if sample.answered else int(count == 0)
        for sample, count in zip(samples, true, strict=True)
    ]
    return counting.statistics(true, predicted, _note(samples, "count as the answer 0"))


def _classification(samples: Sequence[Judged], task: Asked) -> list[Statistic]:
    note = _note(samples, "count as wrong")
    return classification.statistics(*classes_of(task, samples), len(task.labels), note)


def _vqa(samples: Sequence[Judged], task: Asked) -> list[Statistic]:
    del task
    answers = [
        sample.score.metrics if sample.answered else no_answer(AnswerKind(sample.score.details["kind"]))
        for sample in samples
    ]
    return vqa.statistics(answers, _note(samples, "count as wrong"))


_STATISTICS: Mapping[TaskKind, Callable[[Sequence[Judged], Asked], list[Statistic]]] = {
    TaskKind.SEGMENTATION: _segmentation,
    TaskKind.COUNTING: _counting,
    TaskKind.CLASSIFICATION: _classification,
    TaskKind.VQA: _vqa,
}
