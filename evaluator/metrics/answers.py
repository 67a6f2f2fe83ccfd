"""How well an answer in words agrees with the truth: choices, short texts and numbers.

Every scorer takes all that a model wrote, reads the answer off it by the rules of `runtime.prompting`, and
compares. Nothing is guessed: what does not say one thing clearly is *unparsed*, what says that it cannot
tell is *abstained*, and neither gets metrics. Numbers with units are in `quantities`.
"""

from __future__ import annotations

import enum
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evaluator.metrics import similarity
from evaluator.metrics.reading import NumberReading, read_choice, read_number, read_words
from hooke.types import AnswerOutcome, FinishReason, SampleOutcome
from runtime.prompting.reading import Reading

STOP = FinishReason.STOP
LETTERS = string.ascii_uppercase


class AnswerKind(enum.StrEnum):
    """What kind of answer a question wants."""

    CHOICE = "choice"
    TEXT = "text"
    NUMBER = "number"
    QUANTITY = "quantity"
    """A number with a unit."""
    GRADE = "grade"
    """What a judge thinks of an answer; see `grading`."""


@dataclass(frozen=True, slots=True)
class AnswerScore:
    """One answer.

    Attributes:
        outcome: *scored*, *abstained* or *unparsed*; of a grade *scored* or *failed*.
        metrics: `correct`, 0 or 1; of a text also `anls`; of a number or quantity `within_tolerance` and,
            where the truth is not 0, `relative_error`; of a quantity `unit_error`, 1 if nothing but the unit
            is wrong; of a grade also `grade`. Empty unless scored.
        answer: what was read, shortly, for a person.
        note: of a quantity what is right or wrong with it, as "unit missing" or "off by 10^3"; of an unparsed
            answer why it could not be read.
    """

    outcome: SampleOutcome
    metrics: Mapping[str, float] = field(default_factory=dict)
    answer: str = ""
    note: str = ""

    @property
    def correct(self) -> bool:
        """True if it was scored and is right."""
        return self.metrics.get("correct") == 1


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far from the truth a number may be and still be right.

    Attributes:
        relative: as a part of the truth, for example 0.1.
        absolute: in the unit of the truth. The larger of the two counts.
    """

    relative: float = 0.0
    absolute: float = 0.0

    def allows(self, answer: float, truth: float) -> bool:
        """Whether an answer is close enough; rounding in the last digits is no difference."""
        room = max(self.absolute, self.relative * abs(truth))
        return abs(answer - truth) <= room + 1e-9 * max(abs(answer), abs(truth))


EXACT = Tolerance()


def score_choice(truth: str, text: str, options: Sequence[str], finish: FinishReason = STOP) -> AnswerScore:
    """Score the choice of one of several options.

    The answer may name an option by its letter, by its words or by both where they agree. Options are
    compared, not letters, so that the same question can be shown with its options in any order.

    Args:
        truth: the right option.
        text: all that the model wrote.
        options: the options in the order in which they were shown, "A" being the first; at most 26.
        finish: why the text ends there.
    """
    if truth not in options or len(set(options)) != len(options) or len(options) > len(LETTERS):
        raise ValueError(f"the options {list(options)} must be different, and one of them {truth!r}")
    reading = read_choice(text, finish, dict(zip(LETTERS, options, strict=False)))
    if reading.label is None:
        return unanswered(reading)
    return AnswerScore(SampleOutcome.SCORED, {"correct": float(reading.label == truth)}, answer=reading.label)


def score_text(truths: Sequence[str], text: str, finish: FinishReason = STOP) -> AnswerScore:
    """Score a short text: exactly right after `similarity.normalised`, and how similar by ANLS.

    Args:
        truths: every wording that is right, at least one; the most similar one counts.
        text: all that the model wrote.
        finish: why the text ends there.
    """
    reading = read_words(text, finish, right=lambda answer: _is_one_of(answer, truths))
    if reading.label is None:
        return unanswered(reading)
    metrics = {
        "correct": float(_is_one_of(reading.label, truths)),
        "anls": max(similarity.anls(truth, reading.label) for truth in truths),
    }
    return AnswerScore(SampleOutcome.SCORED, metrics, answer=reading.label)


def score_number(
    truth: float,
    text: str,
    tolerance: Tolerance = EXACT,
    *,
    name: str = "",
    objects: str = "",
    finish: FinishReason = STOP,
) -> AnswerScore:
    """Score a number without a unit; an answer with one is unparsed.

    Args:
        truth: the right number.
        text: all that the model wrote.
        tolerance: how far off is still right.
        name: what was to be told, for example "aspect ratio"; an answer may call it so.
        objects: what is counted, in the plural, for example "red blood cells"; an answer may name them.
        finish: why the text ends there.
    """
    reading = read_number(text, finish, name=name, objects=objects)
    if not isinstance(reading, NumberReading):
        return unanswered(reading)
    right = tolerance.allows(reading.value, truth)
    metrics = {"correct": float(right), "within_tolerance": float(right)}
    if truth:
        metrics["relative_error"] = abs(reading.value - truth) / abs(truth)
    return AnswerScore(SampleOutcome.SCORED, metrics, answer=f"{reading.value:g}")


def unanswered(reading: Reading) -> AnswerScore:
    """The score of a text that holds no answer."""
    abstained = reading.outcome is AnswerOutcome.ABSTAINED
    outcome = SampleOutcome.ABSTAINED if abstained else SampleOutcome.UNPARSED
    return AnswerScore(outcome, note=reading.unparsed_reason)


def no_answer(kind: AnswerKind) -> Mapping[str, float]:
    """The metrics that strict numbers give to a question without an answer: wrong, and as far off as 0."""
    metrics = {"correct": 0.0}
    if kind is AnswerKind.GRADE:
        metrics["grade"] = 0.0
    if kind is AnswerKind.TEXT:
        metrics["anls"] = 0.0
    if kind in {AnswerKind.NUMBER, AnswerKind.QUANTITY}:
        metrics |= {"within_tolerance": 0.0, "relative_error": 1.0}
    if kind is AnswerKind.QUANTITY:
        metrics["unit_error"] = 0.0
    return metrics


def _is_one_of(answer: str, truths: Sequence[str]) -> bool:
    return similarity.normalised(answer) in map(similarity.normalised, truths)
