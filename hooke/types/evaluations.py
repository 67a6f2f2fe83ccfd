"""What calls of the evaluator return, and what they ask with."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from hooke.enums import ReceivedEnum


class EvaluationState(ReceivedEnum):
    """Where an evaluation stands; the transitions are those of the wire's EvaluationState."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    PARTIALLY_SUCCEEDED = "partially_succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """True if nothing more happens by itself."""
        return self in (
            EvaluationState.SUCCEEDED,
            EvaluationState.PARTIALLY_SUCCEEDED,
            EvaluationState.FAILED,
            EvaluationState.CANCELLED,
        )


class SampleOutcome(ReceivedEnum):
    """How a sample ended."""

    SCORED = "scored"
    ABSTAINED = "abstained"
    UNPARSED = "unparsed"
    FAILED = "failed"


class ReportFormat(enum.StrEnum):
    """Formats of a report."""

    JSON = "json"
    MARKDOWN = "markdown"
    HTML_ZIP = "html_zip"


@dataclass(frozen=True, slots=True)
class TaskProgress:
    """How far a task has got with a model.

    Where a task asks about each sample more than once, every answer counts, in `sample_count` too, which is
    None until the dataset was read.
    """

    task: str
    model: str
    sample_count: int | None
    scored_count: int
    abstained_count: int
    unparsed_count: int
    failed_count: int

    @property
    def done_count(self) -> int:
        """Answers with an outcome."""
        return self.scored_count + self.abstained_count + self.unparsed_count + self.failed_count


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation."""

    evaluation_id: str
    request_id: str
    suite_name: str
    models: tuple[str, ...]
    state: EvaluationState
    task_progress: tuple[TaskProgress, ...]
    create_time: datetime
    end_time: datetime | None
    state_message: str


@dataclass(frozen=True, slots=True)
class EvaluationLimits:
    """What an evaluation may take; empty and None: no limit but the evaluator's own.

    What is used up stops the models that it is about, not the others; what was not asked by then is asked
    when the evaluation is created again with more.

    Attributes:
        max_in_flight: model -> most calls at a time.
        requests_per_minute: model -> most calls that begin in a minute.
        max_cost_micro_usd: most that answers may cost in all, in millionths of a US dollar.
        max_failed_count: samples of a model that may fail before it is asked no more.
        max_failed_fraction: the same as a fraction of all samples of the model; the smaller one holds.
        max_sending_s: seconds that samples may be sent, anew each time that the evaluation is taken up.
    """

    max_in_flight: Mapping[str, int] = field(default_factory=dict)
    requests_per_minute: Mapping[str, int] = field(default_factory=dict)
    max_cost_micro_usd: int | None = None
    max_failed_count: int | None = None
    max_failed_fraction: float | None = None
    max_sending_s: float | None = None


@dataclass(frozen=True, slots=True)
class TaskEstimate:
    """What a task would take with a model, by what earlier answers took; None: unknown.

    Attributes:
        sample_count: samples that the dataset lists.
        kept_count: answers that the evaluation has.
        reused_count: answers of other evaluations that would be used again.
        call_count: calls still to make.
        known_answer_count: earlier answers that the figures below are estimated by.
        input_token_count, output_token_count: None also where the model counts none.
        cost_micro_usd: millionths of a US dollar.
        shortest_s, longest_s: with as many calls at a time as may be, and with one after the other.
    """

    task: str
    model: str
    sample_count: int
    kept_count: int
    reused_count: int
    call_count: int
    known_answer_count: int = 0
    input_token_count: int | None = None
    output_token_count: int | None = None
    cost_micro_usd: int | None = None
    shortest_s: float | None = None
    longest_s: float | None = None


@dataclass(frozen=True, slots=True)
class SampleResult:
    """The result of one sample; where its task asks more than once, of the `repeat` that counts from 0."""

    sample_id: str
    task: str
    model: str
    outcome: SampleOutcome
    metrics: Mapping[str, float]
    answer: str
    truth: str
    error_reason: str
    repeat: int = 0
