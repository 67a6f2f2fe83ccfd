"""Answers read from what a model wrote."""

from __future__ import annotations

from dataclasses import dataclass

from hooke.types import AnswerOutcome


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read from a text.

    Attributes:
        outcome: *answered*, *abstained* (the model said that it cannot tell) or *unparsed*.
        label: the class, as it stands in the question; only where a class was asked for and answered.
        count: the number of objects, 0 or more; only where it was asked for and answered.
        stated_confidence: how sure the model said it was, 0 to 1; None: it did not say.
        unparsed_reason: why the text could not be read, in a sentence; empty: it could.
    """

    outcome: AnswerOutcome
    label: str | None = None
    count: int | None = None
    stated_confidence: float | None = None
    unparsed_reason: str = ""
