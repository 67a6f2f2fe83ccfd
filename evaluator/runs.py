"""What the run store keeps of a run, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from evaluator.records import Prediction, SampleRow, SampleScore
from hooke.types import EvaluationState, SampleOutcome


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What was asked for, field for field CreateEvaluationRequest with its EvaluationLimits.

    Attributes:
        asks_models: False: only what has been answered is scored, anew.
    """

    request_id: str
    suite_name: str = ""
    suite_yaml: str = ""
    models: tuple[str, ...] = ()
    data_dir: str = ""
    sample_limit: int | None = None
    max_in_flight: Mapping[str, int] = field(default_factory=dict)
    requests_per_minute: Mapping[str, int] = field(default_factory=dict)
    max_cost_micro_usd: int | None = None
    max_failed_count: int | None = None
    max_failed_fraction: float | None = None
    max_sending_s: float | None = None
    reuse_answers: bool = True
    asks_models: bool = True


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What the store knows of a run.

    Attributes:
        number: counts up as runs are created.
        models: the models once they are known, before that those that were asked for.
        here: its journal lies in the folder of this store; always, but where stores share a database.
    """

    number: int
    evaluation_id: str
    spec: RunSpec
    suite_name: str
    models: tuple[str, ...]
    state: EvaluationState
    state_message: str
    create_time: datetime
    end_time: datetime | None
    provenance: Mapping[str, Any]
    here: bool


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """A task that a run is about to carry out, with the models that can do it.

    Attributes:
        repeats: model -> how often it is asked about each sample, where that is more than once.
    """

    name: str
    digest: str
    models: tuple[str, ...]
    repeats: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """A task of a run; `number` names it in the database, `ordinal` is its place in the suite.

    Attributes:
        repeats: see `TaskPlan`.
    """

    evaluation_id: str
    number: int
    name: str
    digest: str
    ordinal: int
    models: tuple[str, ...]
    sample_count: int | None
    repeats: Mapping[str, int] = field(default_factory=dict)

    def answers_of(self, model: str) -> int:
        """Answers that a model is asked for, to each sample."""
        return self.repeats.get(model, 1)


@dataclass(frozen=True, slots=True)
class KnownSample:
    """What tells one sample from another: its place in the dataset, its id, and the hash of its truth."""

    position: int
    sample_id: str
    truth_digest: str


@dataclass(frozen=True, slots=True)
class KnownOutcome:
    """What became of a sample; `code_tag` is of the code that scored it, None if it was not scored yet."""

    position: int
    sample_id: str
    outcome: SampleOutcome
    code_tag: str | None


@dataclass(frozen=True, slots=True)
class Results:
    """A sample with the scores and predictions of each model that has any, by its name; repeats in order."""

    row: SampleRow
    answers: Mapping[str, Sequence[tuple[SampleScore, Prediction]]]


@dataclass(frozen=True, slots=True)
class Cached:
    """An answer that is there already, and the folder that its `mask_file` is relative to."""

    prediction: Prediction
    folder: Path


@dataclass(frozen=True, slots=True)
class Place:
    """Where a score stands in the order of the dataset: what a page ends with."""

    ordinal: int
    position: int
    model: str
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class PlacedScore:
    """A score with its place."""

    place: Place
    score: SampleScore


@dataclass(frozen=True, slots=True)
class Experience:
    """What answers of a model took so far, on average over those of which it is known.

    Attributes:
        answer_count: how many there are.
        input_token_count, output_token_count: None where no tokens were counted.
        cost_micro_usd: None where somebody charges and the price is not known; 0 where nobody does.
        latency_s: from sending to answer.
    """

    answer_count: int
    input_token_count: float | None
    output_token_count: float | None
    cost_micro_usd: float | None
    latency_s: float
