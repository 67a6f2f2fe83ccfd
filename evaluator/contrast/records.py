"""What a comparison of two runs says, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

from evaluator.records import TaskKind
from evaluator.summaries import Estimate


@dataclass(frozen=True, slots=True)
class Change:
    """One metric of one model in one task, in both runs.

    Attributes:
        metric: its name.
        first, second: strict, over the whole of each run; of calibration over the answered samples.
        difference: second minus first over the shared samples, strict, with its paired interval; undefined
            where none are shared or the metric is one of calibration, which its note says.
        p_value: of such a difference, or a larger one, if nothing had changed; None where undefined.
        adjusted_p_value: of the headline metric, after Holm's correction over all of the comparison; None
            for the others, which are there to look at.
        method: "mcnemar" (exact), "permutation", "permutation-clustered", or "" where nothing was tested.
    """

    metric: str
    first: Estimate
    second: Estimate
    difference: Estimate
    p_value: float | None
    adjusted_p_value: float | None
    method: str

    @property
    def verdict(self) -> str:
        """What the headline metric says: "better" or "worse" in the second run beyond chance, or "alike"."""
        value, higher_is_better = self.difference.value, self.difference.higher_is_better
        if self.adjusted_p_value is None or self.adjusted_p_value >= 0.05 or not value:
            return "alike"
        if higher_is_better is None:
            return "alike"
        return "better" if (value > 0) == higher_is_better else "worse"


@dataclass(frozen=True, slots=True)
class Contrast:
    """One model in one task that both runs have.

    Attributes:
        first_count, second_count: samples of the task in each run.
        shared_count: samples that are the same in both, and on which neither failed. Where they were asked
            about more than once, first answers are compared with first ones, second with second, and so on.
        changes: the headline metric first.
    """

    task: str
    kind: TaskKind
    model: str
    headline: str
    first_count: int
    second_count: int
    shared_count: int
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class ProvenanceDifference:
    """Something that was not the same: `topic` is "code", "models", "data", "questions" or "server"."""

    topic: str
    what: str
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class RunHead:
    """Which run it is."""

    evaluation_id: str
    suite: str
    state: str
    create_time: str


@dataclass(frozen=True, slots=True)
class RunContrast:
    """Two runs; `only_first` and `only_second` are the pairs of task and model that one alone has."""

    first: RunHead
    second: RunHead
    contrasts: tuple[Contrast, ...]
    provenance: tuple[ProvenanceDifference, ...]
    only_first: tuple[tuple[str, str], ...]
    only_second: tuple[tuple[str, str], ...]
