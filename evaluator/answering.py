"""What gives answers, and what passes to it and from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from evaluator.pacing import StoppedError
from evaluator.records import Prediction, Sample
from evaluator.suites import TaskSpec


@dataclass(frozen=True, slots=True)
class Identity:
    """What must not change of a model within a run."""

    version: str
    weights_digest: str | None

    def __str__(self) -> str:
        return f"version {self.version or 'unknown'}, weights {self.weights_digest or 'none'}"


def identity_of(prediction: Prediction) -> Identity:
    """Who gave an answer."""
    return Identity(prediction.provenance["model_version"], prediction.provenance["weights_digest"])


class ModelChangedError(Exception):
    """A model is not the one that the run began with."""

    def __init__(self, model: str, before: Identity, now: Identity) -> None:
        self._cause = (model, before, now)
        super().__init__(
            f"the model {model!r} has changed: this evaluation began with {before}, and now it is {now}. "
            "Answers of both would be mixed. Start a new evaluation (another request_id), without reused "
            "answers if those are the earlier ones, or bring the model back as it was and create this one "
            "again."
        )

    def __reduce__(self) -> tuple[type[ModelChangedError], tuple[str, Identity, Identity]]:
        """Pickle by the cause, since the message is no argument."""
        return type(self), self._cause


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A prediction that is not on disk yet; `labels` is its label image, if it has one."""

    prediction: Prediction
    labels: NDArray[np.integer[Any]] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A task as it is put to a model.

    Attributes:
        examples: labelled images that the model may look at.
        repeat: counts from 0 where the same is asked more than once.
        tuned: ids of the samples that the model was tuned on.
    """

    spec: TaskSpec
    model: str
    examples: tuple[tuple[bytes, str], ...] = ()
    repeat: int = 0
    tuned: frozenset[str] = frozenset()


class Answering(Protocol):
    """What gives the answers of one model; see `Asker`."""

    @property
    def stopped(self) -> bool:
        """True if it gives no more answers in this run."""

    async def ask(self, question: Question, sample: Sample, attempt: int) -> Answer:
        """Answer a question about a sample."""


class Silence:
    """Answers nothing; takes the place of an `Asker` where only what has been answered counts."""

    @property
    def stopped(self) -> bool:
        """True."""
        return True

    async def ask(self, question: Question, sample: Sample, attempt: int) -> Answer:
        """Raise StoppedError."""
        del question, sample, attempt
        raise StoppedError
