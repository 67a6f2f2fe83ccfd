"""What is known of each answer of a model, as columns of numbers, and the statistics that follow from it.

A million answers are some fifty bytes each; the objects that they are made of are never held together.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics import classification, coco, counting, segmentation, segmentation_statistics, vqa
from evaluator.metrics.answers import AnswerKind, no_answer
from evaluator.metrics.intervals import INDEPENDENT, Floats, Statistic
from evaluator.records import SampleRow, SampleScore, TaskKind
from hooke.types import SampleOutcome

_OUTCOMES = tuple(SampleOutcome)
_SCORED, _FAILED = _OUTCOMES.index(SampleOutcome.SCORED), _OUTCOMES.index(SampleOutcome.FAILED)

READINGS = "readings"
"""Where the details of a score have what further filters make of the answer: name -> the fields of `READ`."""
READ = ("outcome", "metrics", "answer", "details", "trivial", "error_reason")

Rows = NDArray[np.bool_] | NDArray[np.intp]
"""A choice of answers: True for each that is chosen, or their places."""


class Asked(Protocol):
    """What the metrics need to know of a task; `TaskSpec` says more."""

    @property
    def kind(self) -> TaskKind:
        """What is asked."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, as models are asked; empty but for classification."""


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """Where answers belong on an axis: places in `values`, -1 for nowhere."""

    codes: NDArray[np.int32]
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The answers of a model in a task, in the order of the dataset; every array has one entry for each.

    Attributes:
        positions: of the sample in the dataset.
        repeats: which of the answers to the same sample.
        outcomes: places in `SampleOutcome`.
        trivial: truth and answer are both empty.
        clusters: equal where samples are dependent; INDEPENDENT: of no other.
        said: equal where answers say the same, see `stability`; empty where each sample is asked about once.
        axes: by name.
        values: what the statistics are computed from, by name; what has no answer has the values of a wrong
            one, and NaN stands where there is none.
        ranked: the objects of each image, `coco.RankedImage`, or None where answers have no scores; empty but
            for segmentation.
    """

    positions: NDArray[np.int32]
    repeats: NDArray[np.int16]
    outcomes: NDArray[np.uint8]
    trivial: NDArray[np.bool_]
    clusters: NDArray[np.int64]
    said: NDArray[np.int64]
    axes: Mapping[str, Axis]
    values: Mapping[str, Floats]
    ranked: NDArray[np.object_]

    def __len__(self) -> int:
        """Number of answers."""
        return len(self.positions)

    @property
    def answered(self) -> NDArray[np.bool_]:
        """True where an answer was scored."""
        answered: NDArray[np.bool_] = self.outcomes == _SCORED
        return answered

    @property
    def failed(self) -> NDArray[np.bool_]:
        """True where the infrastructure gave no answer."""
        failed: NDArray[np.bool_] = self.outcomes == _FAILED
        return failed

    def count(self, outcome: SampleOutcome) -> int:
        """How many ended in this way."""
        return int((self.outcomes == _OUTCOMES.index(outcome)).sum())

    def choose(self, rows: Rows) -> Judged:
        """Some of the answers; without a copy where these are all."""
        if rows.dtype == np.bool_ and rows.all():
            return self
        return replace(
            self,
            positions=self.positions[rows],
            repeats=self.repeats[rows],
            outcomes=self.outcomes[rows],
            trivial=self.trivial[rows],
            clusters=self.clusters[rows],
            said=self.said[rows] if self.said.size else self.said,
            axes={name: replace(axis, codes=axis.codes[rows]) for name, axis in self.axes.items()},
            values={name: values[rows] for name, values in self.values.items()},
            ranked=self.ranked[rows] if self.ranked.size else self.ranked,
        )


class Judging:
    """Takes scores one by one, in the order of the dataset.

    Args:
        task: what was asked.
        repeats: answers to each sample; if there are several, a sample is a cluster of its own.
        slices: where a sample belongs, of its row and its score.
    """

    def __init__(
        self,
        task: Asked,
        repeats: int = 1,
        slices: Callable[[SampleRow, SampleScore], Mapping[str, str]] | None = None,
    ) -> None:
        self._task = task
        self._repeats = repeats
        self._slices = slices
        self._columns = {name: array(kind) for name, kind in _COLUMNS.items()}
        self._values = {name: array("d") for name in VALUES[task.kind]}
        self._ranked: list[coco.RankedImage | None] = []
        self._axes: dict[str, array[int]] = {}
        self._places: dict[str, dict[str, int]] = {}

    def add(self, row: SampleRow, score: SampleScore) -> None:
        """Take the next one."""
        columns = self._columns
        cluster = row.cluster
        if cluster is None and self._repeats > 1:
            cluster = f"sample {score.sample_id}"
        columns["positions"].append(row.index)
        columns["repeats"].append(score.repeat)
        columns["outcomes"].append(_OUTCOMES.index(score.outcome))
        columns["trivial"].append(score.trivial)
        columns["clusters"].append(INDEPENDENT if cluster is None else _number(cluster))
        if self._repeats > 1:
            columns["said"].append(_number(_said(self._task, score)))
        failed = score.outcome is SampleOutcome.FAILED
        found: Mapping[str, float] = {} if failed else _VALUES[self._task.kind](self._task, score)
        for name, values in self._values.items():
            values.append(found.get(name, np.nan))
        if self._task.kind is TaskKind.SEGMENTATION:
            self._ranked.append(None if failed else _ranked(score))
        if self._slices is not None:
            self._place(self._slices(row, score))

    def done(self) -> Judged:
        """All of them."""
        arrays: dict[str, Any] = {
            name: np.frombuffer(values, _DTYPES.get(name, values.typecode))
            for name, values in self._columns.items()
        }
        return Judged(
            **arrays,
            axes={
                axis: Axis(np.frombuffer(codes, np.int32), tuple(self._places[axis]))
                for axis, codes in self._axes.items()
            },
            values={name: np.frombuffer(values) for name, values in self._values.items()},
            ranked=_objects(self._ranked),
        )

    def _place(self, slices: Mapping[str, str]) -> None:
        before = len(self._columns["positions"]) - 1
        for axis in [name for name in slices if name not in self._axes]:
            self._axes[axis] = array("i", [-1]) * before
            self._places[axis] = {}
        for axis, codes in self._axes.items():
            value = slices.get(axis)
            places = self._places[axis]
            codes.append(-1 if value is None else places.setdefault(value, len(places)))


def judge(
    task: Asked,
    answers: Iterable[tuple[SampleRow, SampleScore]],
    repeats: int = 1,
    slices: Callable[[SampleRow, SampleScore], Mapping[str, str]] | None = None,
) -> Judged:
    """Take answers that come in the order of the dataset; see `Judging`."""
    judging = Judging(task, repeats, slices)
    for row, score in answers:
        judging.add(row, score)
    return judging.done()


def read_as(score: SampleScore, name: str) -> SampleScore:
    """The score as another filter of its task reads the answer, see `evaluator.filters`."""
    reading = score.details[READINGS][name]
    return replace(score, **{**reading, "outcome": SampleOutcome(reading["outcome"])})


def statistics_of(task: Asked, judged: Judged) -> list[Statistic]:
    """The metrics of a set of answers; what has no answer counts as wrong, as `aggregate` says."""
    silent = int((~judged.answered).sum())
    note = f"{silent} without an answer {_MEANINGS[task.kind]}" if silent else ""
    values = judged.values
    if task.kind is TaskKind.SEGMENTATION:
        found = segmentation_statistics.statistics(values, note)
        ranked = len(judged.ranked) and judged.answered.any()
        if ranked and all(image is not None for image in judged.ranked):
            meaning = f"{silent} without an answer have no object" if silent else ""
            found += coco.statistics(list(judged.ranked), meaning)
        return found
    if task.kind is TaskKind.COUNTING:
        return counting.statistics(values["true"], values["predicted"], note)
    if task.kind is TaskKind.CLASSIFICATION:
        return classification.statistics(values["true"], values["predicted"], len(task.labels), note)
    return vqa.statistics(values, note)


_COLUMNS = {"positions": "i", "repeats": "h", "outcomes": "B", "trivial": "B", "clusters": "q", "said": "q"}
_DTYPES: Mapping[str, Any] = {"trivial": np.bool_}
VALUES: Mapping[TaskKind, tuple[str, ...]] = {
    TaskKind.SEGMENTATION: (*segmentation_statistics.MEANS.values(), *segmentation_statistics.SUMS),
    TaskKind.COUNTING: ("true", "predicted"),
    TaskKind.CLASSIFICATION: ("true", "predicted", "correct", "confidence", "brier"),
    TaskKind.VQA: vqa.VALUES,
}
"""The names of `Judged.values`."""
_MEANINGS: Mapping[TaskKind, str] = {
    TaskKind.SEGMENTATION: "count as 0",
    TaskKind.COUNTING: "count as the answer 0",
    TaskKind.CLASSIFICATION: "count as wrong",
    TaskKind.VQA: "count as wrong",
}


def _segmentation(task: Asked, score: SampleScore) -> Mapping[str, float]:
    del task
    if score.outcome is SampleOutcome.SCORED:
        return {**score.metrics, **{name: score.details[name] for name in segmentation_statistics.SUMS}}
    missed = segmentation.no_answer(score.details["true"], score.details["truth_area"])
    return {**missed.metrics, **missed.sums}


def _ranked(score: SampleScore) -> coco.RankedImage | None:
    """The objects of an image; None where they have no scores."""
    if score.outcome is not SampleOutcome.SCORED:
        return coco.RankedImage(score.details["true"])
    if "passed" not in score.details:
        return None
    return coco.RankedImage(score.details["true"], score.details["scores"], score.details["passed"])


def _objects(images: list[coco.RankedImage | None]) -> NDArray[np.object_]:
    found = np.empty(len(images), np.object_)
    found[:] = images
    return found


def _counting(task: Asked, score: SampleScore) -> Mapping[str, float]:
    del task
    true = score.details["true"]
    # No answer is the nearest wrong one: never rewarded, and no further off than an empty image.
    answered = score.outcome is SampleOutcome.SCORED
    return {"true": true, "predicted": score.details["predicted"] if answered else int(true == 0)}


def _classification(task: Asked, score: SampleScore) -> Mapping[str, float]:
    true = task.labels.index(score.details["true"])
    if score.outcome is not SampleOutcome.SCORED:
        return {"true": true}
    return {**score.metrics, "true": true, "predicted": task.labels.index(score.details["predicted"])}


def _vqa(task: Asked, score: SampleScore) -> Mapping[str, float]:
    del task
    if score.outcome is SampleOutcome.SCORED:
        return score.metrics
    return no_answer(AnswerKind(score.details["kind"]))


_VALUES: Mapping[TaskKind, Callable[[Asked, SampleScore], Mapping[str, float]]] = {
    TaskKind.SEGMENTATION: _segmentation,
    TaskKind.COUNTING: _counting,
    TaskKind.CLASSIFICATION: _classification,
    TaskKind.VQA: _vqa,
}


def _said(task: Asked, score: SampleScore) -> str:
    """What an answer says: how it ended, the answer as it was read, and what is known of a mask."""
    metrics = tuple(score.metrics.items()) if task.kind is TaskKind.SEGMENTATION else ()
    return repr((str(score.outcome), score.answer, *metrics))


def _number(text: str) -> int:
    """A number of a text that no other text has, for all that matters; never negative."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1
