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

from evaluator.metrics.answers import EXACT, AnswerKind, Tolerance
from hooke.images import PixelSize
from hooke.types import SampleOutcome


class TaskKind(enum.StrEnum):
    """What is asked of a model."""

    SEGMENTATION = "segmentation"
    COUNTING = "counting"
    CLASSIFICATION = "classification"
    VQA = "vqa"
    """Questions that are answered in words."""

    @property
    def counts_objects(self) -> bool:
        """True if the truth is about objects of which there may be many or few."""
        return self in {TaskKind.SEGMENTATION, TaskKind.COUNTING}


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What is known of a sample; the field that its task needs is set.

    Attributes:
        labels: H x W integers, 0 background; gaps between labels are fine.
        count: number of objects.
        label: class.
        answer: to a question, see `ExpectedAnswer`.
    """

    labels: NDArray[np.integer[Any]] | None = None
    count: int | None = None
    label: str | None = None
    answer: ExpectedAnswer | None = None


@dataclass(frozen=True, slots=True)
class ExpectedAnswer:
    """The right answer to a question in words.

    Attributes:
        kind: what kind of answer it is.
        texts: the right option of a choice, or every wording of a short text that is right.
        number: of a number or a quantity.
        unit: of a quantity, for example "um".
        tolerance: how far off a number may be.
    """

    kind: AnswerKind
    texts: tuple[str, ...] = ()
    number: float | None = None
    unit: str = ""
    tolerance: Tolerance = EXACT

    def __str__(self) -> str:
        if self.number is None:
            return " / ".join(self.texts)
        return f"{self.number:g} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A question in words, as a dataset has it.

    Attributes:
        text: the question.
        options: of a choice, in the order in which they are shown: each sample has one of its own, so that a
            model which prefers a place gains nothing by it.
    """

    text: str
    options: tuple[str, ...] = ()


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
        inquiry: what is asked, where that is a question in words.
        further_images: more images that the question is about, as `image`.
        unreadable: why it cannot be read; then there is no image, and nothing is known of the truth.
    """

    sample_id: str
    image: bytes
    truth: Truth
    source: str
    slices: Mapping[str, str] = field(default_factory=dict)
    cluster: str | None = None
    pixel_size: PixelSize | None = None
    inquiry: Inquiry | None = None
    further_images: tuple[bytes, ...] = ()
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model answered to a sample, or why there is no answer. Never changed once written.

    Attributes:
        outcome: SCORED here means answered: it can be scored.
        count: the answer to counting.
        label, probabilities: the answer to classification.
        mask_file: the answer to segmentation: a label TIFF, as a path relative to the run's folder.
        scores: one for each object of `mask_file`, in the order of the labels.
        written: all that a vision-language model wrote; None where the answer was not read from a text. The
            answer to a question in words is this, and is read when it is scored.
        truncated: the text ends because the model might not write more.
        stated_confidence: how sure it said it was, 0 to 1.
        error_reason, error_message: why it failed, or why its text could not be read.
        provenance: what the service said of how it answered.
        latency_s: from sending to answer, as the evaluator saw it; queue_s, compute_s as the service did.
        input_token_count, output_token_count: None where the model counts none.
        cost_micro_usd: millionths of a US dollar; None where nobody charges or, if `price_missing`, where the
            price is not known.
        repeat: counts from 0 where the same is asked more than once.
        cached_from: id of the evaluation that had this answer first, where it was used again instead of
            asking; tokens and cost stand there. Empty: the model was asked.
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
    truncated: bool = False
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
    repeat: int = 0
    cached_from: str = ""


@dataclass(frozen=True, slots=True)
class SampleScore:
    """The metrics of one sample; empty unless it was scored.

    Attributes:
        answer, truth: shortly, for a person: a count, a class, "12 objects".
        details: what aggregation or the report needs beside the metrics, for example the counts of true
            positives, or the pair (predicted, true).
        trivial: True where truth and answer are both empty, so that 1.0 means little.
        repeat: of the prediction.
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
    repeat: int = 0


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
    """What a model's first answers to the samples of a task took, without failed ones and those used again.

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
        usage: None where it is not known, as before the report is written.
        stability: share of the samples whose answers were all the same; None where each is asked about once.
            The counts and `sample_count` are then of answers.
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

    `comparisons` has every pair of models once; `references` are figures that others published.
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
