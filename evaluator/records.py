"""The values that pass through an evaluation: sample -> prediction -> score.

Datasets yield `Sample`s, the runner turns them into `Prediction`s (immutable, on disk before anything
else), scoring turns predictions and truth into `SampleScore`s, aggregation into a `RunSummary` (see
`evaluator.summaries`). Everything but `Sample` is plain data that survives a round trip through JSON.
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
        about: tells questions of the same words about the same image apart; nobody is shown it.
    """

    text: str
    options: tuple[str, ...] = ()
    about: str = ""


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
        tuned_on: True if parameters of the model were tuned on the sample: it counts in none of its figures.
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
    tuned_on: bool = False


@dataclass(frozen=True, slots=True)
class SampleRow:
    """What a run remembers of a sample beside its image and truth; kept with the run for the report."""

    sample_id: str
    index: int
    source: str
    slices: Mapping[str, str]
    cluster: str | None
