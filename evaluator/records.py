"""The values that pass through an evaluation: sample -> prediction -> score -> summary.

Datasets yield `Sample`s, the runner turns them into `Prediction`s (immutable, on disk before anything
else), scoring turns predictions and truth into `SampleScore`s, aggregation into a `RunSummary`, and the
report shows that. Everything but `Sample` is plain data that survives a round trip through JSON.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hooke.images import PixelSize
from hooke.types import SampleOutcome


class TaskKind(enum.StrEnum):
    """What is asked of a model."""

    SEGMENTATION = "segmentation"
    COUNTING = "counting"
    CLASSIFICATION = "classification"


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What is known of a sample; the field that its task needs is set.

    Attributes:
        labels: H x W integers, 0 background; gaps between labels are fine.
        count: number of objects.
        label: class.
    """

    labels: NDArray[np.integer[Any]] | None = None
    count: int | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One image with one question and its truth.

    Attributes:
        sample_id: SHA-256 of image bytes, question and label schema; never a row number or a file name.
        image: the encoded file as it is sent: no name, no EXIF, nothing that tells the answer.
        truth: what is known.
        slices: axis -> value, by which results are broken down, for example {"blur": "0", "overlap": "0.2"}.
        cluster: what samples share that are not independent (patient, plate, field); None: nothing.
        source: where it came from, for a person; never sent to a model.
        pixel_size: None where unknown.
    """

    sample_id: str
    image: bytes
    truth: Truth
    source: str
    slices: Mapping[str, str] = field(default_factory=dict)
    cluster: str | None = None
    pixel_size: PixelSize | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model answered to a sample, or why there is no answer. Never changed once written.

    Attributes:
        outcome: SCORED here means answered: it can be scored.
        count: the answer to counting.
        label, probabilities: the answer to classification.
        mask_file: the answer to segmentation: a label TIFF, as a path relative to the run's folder.
        scores: one for each object of `mask_file`, in the order of the labels.
        written: all that a vision-language model wrote; None where the answer was not read from a text.
        stated_confidence: how sure it said it was, 0 to 1.
        error_reason, error_message: why it failed, or why its text could not be read.
        provenance: what the service said of how it answered.
        latency_s: from sending to answer, as the evaluator saw it; queue_s, compute_s as the service did.
        input_token_count, output_token_count: None where the model counts none.
        cost_micro_usd: millionths of a US dollar; None where nobody charges or, if `price_missing`, where the
            price is not known.
    """

    task: str
    model: str
    sample_id: str
    outcome: SampleOutcome
    count: int | None = None
    label: str | None = None
    probabilities: Mapping[str, float] | None = None
    mask_file: str | None = None
    scores: tuple[float, ...] | None = None
    written: str | None = None
    stated_confidence: float | None = None
    error_reason: str = ""
    error_message: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    latency_s: float = 0.0
    queue_s: float = 0.0
    compute_s: float = 0.0
    attempt: int = 1
    input_token_count: int | None = None
    output_token_count: int | None = None
    cost_micro_usd: int | None = None
    price_missing: bool = False


@dataclass(frozen=True, slots=True)
class SampleScore:
    """The metrics of one sample; empty unless it was scored.

    Attributes:
        answer, truth: shortly, for a person: a count, a class, "12 objects".
        details: what aggregation or the report needs beside the metrics, for example the counts of true
            positives, or the pair (predicted, true).
        trivial: True where truth and answer are both empty, so that 1.0 means little.
    """

    task: str
    model: str
    sample_id: str
    outcome: SampleOutcome
    metrics: Mapping[str, float] = field(default_factory=dict)
    answer: str = ""
    truth: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    trivial: bool = False
    error_reason: str = ""


@dataclass(frozen=True, slots=True)
class SampleRow:
    """What a run remembers of a sample beside its image and truth; kept with the run for the report."""

    sample_id: str
    index: int
    source: str
    slices: Mapping[str, str]
    cluster: str | None


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
class ModelSummary:
    """How one model did in one task.

    Attributes:
        strict: non-answers count as wrong. answered: over the answered samples only.
        by_slice: axis -> value -> estimates (strict).
        confusion: classification only: {"labels": [...], "matrix": [[...]]}, true by row, the last column
            is "no answer".
        latency_p50_s, latency_p99_s: over the samples with an answer.
        trivial_count: samples where truth and answer are both empty.
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
    """

    first: str
    second: str
    difference: Estimate
    p_value: float | None
    adjusted_p_value: float | None
    method: str

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

    `comparisons` has every pair of models once.
    """

    task: str
    kind: TaskKind
    dataset: str
    description: str
    headline: str
    sample_count: int
    models: tuple[ModelSummary, ...]
    comparisons: tuple[Comparison, ...] = ()

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
