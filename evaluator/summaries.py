"""What an evaluation comes to: the figures of models, tasks and runs, as the report shows them.

All of it is plain data that survives a round trip through JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evaluator.records import TaskKind


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval.

    Attributes:
        name: of the metric, for example "seg_accuracy@0.5".
        value: None where it is undefined; `note` says why.
        low, high: ends of the interval; None where undefined.
        method: "wilson", "bca", "bca-clustered", or "" where there is no interval.
        n: samples behind it.
        higher_is_better: None where neither end is better, as for a bias.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    method: str
    n: int
    higher_is_better: bool | None = True
    note: str = ""


@dataclass(frozen=True, slots=True)
class SeverityPoint:
    """The headline metric at one severity of a fault, strict.

    Attributes:
        severity: 1 to 5.
        value: over the struck images.
        ratio: of the value to that of the same images when they are clean.
    """

    severity: int
    value: Estimate
    ratio: Estimate


@dataclass(frozen=True, slots=True)
class FaultCurve:
    """How a model bears one fault.

    Attributes:
        fault: its name, see `evaluator.corruptions`.
        points: by severity.
        area: under the ratios from severity 0, where the ratio is 1, to the last one, divided by that span:
            1 where the fault does no harm; of the images that have every severity.
    """

    fault: str
    points: tuple[SeverityPoint, ...]
    area: Estimate


@dataclass(frozen=True, slots=True)
class Robustness:
    """What is left of a model's headline metric when images are taken badly.

    Attributes:
        metric: the headline metric.
        clean: over the clean images, strict.
        curves: one for each fault that has struck an image.
        area: mean of the areas of all faults.
    """

    metric: str
    clean: Estimate
    curves: tuple[FaultCurve, ...]
    area: Estimate


@dataclass(frozen=True, slots=True)
class Usage:
    """What a model's answers to the samples of a task took, without failed ones and those used again.

    Attributes:
        answer_count: answers, whatever came of them.
        input_token_count, output_token_count: of all of them; None where the model counts none.
        cost_micro_usd: millionths of a US dollar; 0 where nobody charges.
        price_missing_count: answers that somebody charges for at a price that is not known; they are not in
            the cost.
    """

    answer_count: int
    input_token_count: int | None
    output_token_count: int | None
    cost_micro_usd: int
    price_missing_count: int


@dataclass(frozen=True, slots=True)
class Reference:
    """A figure that somebody published: not a model of the run, and never tested against one.

    Attributes:
        name: whose figure it is.
        metric: as in the catalogue.
        value: the figure, or the lower end of what is claimed.
        upper: the upper end, where a range is claimed.
        n: samples behind it; None where it is not told.
        source: where it was published.
    """

    name: str
    metric: str
    value: float
    source: str
    upper: float | None = None
    n: int | None = None


@dataclass(frozen=True, slots=True)
class FilteredSummary:
    """What a filter of the task other than the first one makes of a model's answers.

    Attributes:
        filter: its name.
        outcome_counts, strict, answered: as in `ModelSummary`.
    """

    filter: str
    outcome_counts: Mapping[str, int]
    strict: tuple[Estimate, ...]
    answered: tuple[Estimate, ...]


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """How one model did in one task.

    Attributes:
        strict: non-answers count as wrong. answered: over the answered samples only.
        by_slice: axis -> value -> estimates (strict).
        confusion: classification only: {"labels": [...], "matrix": [[...]]}, true by row, the last column
            is "no answer".
        latency_p50_s, latency_p99_s: over the samples with an answer.
        trivial_count: samples where truth and answer are both empty.
        robustness: None where the task has no faults of acquisition.
        tuned_count: answers to samples that parameters of the model were tuned on: they are left out of all
            that stands here, `sample_count` and `outcome_counts` too, but for times and usage. None where
            the task names none.
        usage: None where it is not known, as before the report is written.
        stability: share of the samples whose answers were all the same; None where each is asked about once.
            The counts and `sample_count` are then of answers.
        within_sample_sd: of counting, where `stability` is known: standard deviation of the counts of one
            sample, in objects.
        filtered: by the further filters of the task, in its order; empty for models that do not write.
    """

    model: str
    sample_count: int
    outcome_counts: Mapping[str, int]
    strict: tuple[Estimate, ...]
    answered: tuple[Estimate, ...]
    by_slice: Mapping[str, Mapping[str, tuple[Estimate, ...]]] = field(default_factory=dict)
    confusion: Mapping[str, Any] | None = None
    latency_p50_s: float | None = None
    latency_p99_s: float | None = None
    trivial_count: int = 0
    robustness: Robustness | None = None
    usage: Usage | None = None
    stability: Estimate | None = None
    within_sample_sd: Estimate | None = None
    tuned_count: int | None = None
    filtered: tuple[FilteredSummary, ...] = ()

    @property
    def coverage(self) -> float:
        """Share of the samples that were scored."""
        return self.outcome_counts.get("scored", 0) / self.sample_count if self.sample_count else 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same samples, those that neither of them failed on.

    Attributes:
        first, second: the models.
        difference: headline metric of `first` minus that of `second`, strict, with its paired interval.
        p_value: of such a difference, or a larger one, if the models were alike; None where undefined.
        adjusted_p_value: after Holm's correction over all comparisons of the run.
        method: "mcnemar" (exact), "permutation" or "permutation-clustered".
        more_images: about how many images beside those of now would tell the two apart, if the difference is
            as it seems; None where they are told apart or nothing can be said.
    """

    first: str
    second: str
    difference: Estimate
    p_value: float | None
    adjusted_p_value: float | None
    method: str
    more_images: int | None = None

    @property
    def better(self) -> str | None:
        """The model that is better beyond chance (5 %); None: they cannot be told apart."""
        value, higher_is_better = self.difference.value, self.difference.higher_is_better
        if self.adjusted_p_value is None or self.adjusted_p_value >= 0.05 or not value:
            return None
        if higher_is_better is None:
            return None
        return self.first if (value > 0) == higher_is_better else self.second


@dataclass(frozen=True, slots=True)
class TaskSummary:
    """How every model did in one task; `headline` names the metric to look at first.

    `comparisons` has every pair of models once; `references` are figures that others published; `filter` is
    the one that what models wrote is read through, empty if it is read as it stands.
    """

    task: str
    kind: TaskKind
    dataset: str
    description: str
    headline: str
    sample_count: int
    models: tuple[ModelSummary, ...]
    comparisons: tuple[Comparison, ...] = ()
    references: tuple[Reference, ...] = ()
    filter: str = ""

    def rank(self, model: str) -> int:
        """1 + the number of models that are better beyond chance; models that cannot be told apart share."""
        pairs = [pair for pair in self.comparisons if model in {pair.first, pair.second}]
        return 1 + sum(pair.better not in {None, model} for pair in pairs)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The whole of a run, as `report.json` has it; `provenance` stands at the head of the report."""

    evaluation_id: str
    suite: str
    state: str
    create_time: str
    provenance: Mapping[str, Any]
    tasks: tuple[TaskSummary, ...]
