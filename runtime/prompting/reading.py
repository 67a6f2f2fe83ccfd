"""How any answer is read from a text: from JSON, from an answer line, or from the whole of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hooke.types import AnswerOutcome, FinishReason
from runtime.prompting.prose import answer_lines, clean, refuses, takes_back


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

    @classmethod
    def unparsed(cls, reason: str) -> Reading:
        """What was read from a text that could not be read."""
        return cls(AnswerOutcome.UNPARSED, unparsed_reason=reason)


ABSTAINED = Reading(AnswerOutcome.ABSTAINED)


def read_text(
    text: str,
    finish: FinishReason,
    *,
    key: re.Pattern[str],
    value: Callable[[str], Reading],
    mentions: Callable[[str], bool],
) -> Reading:
    """Read a text in plain words.

    Args:
        text: all that the model wrote.
        finish: why it ends there.
        key: what an answer line begins with.
        value: reads what stands on an answer line, or the whole of a short text.
        mentions: whether a text names anything that could be an answer.
    """
    cleaned = clean(text)
    if not cleaned:
        return Reading.unparsed("the model wrote nothing")
    cut = finish is FinishReason.LENGTH
    # The last line of a text that was cut off may have gone on: "Count: 4" may have been to become 42.
    complete = clean(text[: text.rfind("\n") + 1]) if cut else cleaned
    if stated := answer_lines(complete, key):
        readings = {value(text) for text in {line.value for line in stated}}
        rest = complete[stated[-1].end :] + cleaned[len(complete) :]
        if len(readings) > 1:
            return Reading.unparsed("its answer lines differ")
        if mentions(rest) or refuses(rest) or takes_back(rest):
            return Reading.unparsed("what follows the answer line may change the answer")
        return readings.pop()
    if cut:
        return Reading.unparsed("it was cut off before it gave an answer")
    return _read_whole(cleaned, value, mentions)


def _read_whole(cleaned: str, value: Callable[[str], Reading], mentions: Callable[[str], bool]) -> Reading:
    """Read a text that has no answer line."""
    whole = value(cleaned)
    if whole.outcome is not AnswerOutcome.UNPARSED:
        return whole
    if not refuses(cleaned):
        return Reading.unparsed("it has no answer line, and is not one answer and nothing else")
    if mentions(cleaned):
        return Reading.unparsed("it says that it cannot tell, and may name an answer all the same")
    return ABSTAINED


def read_json(text: str, finish: FinishReason, value: Callable[[Any], Reading]) -> Reading:
    """Read a JSON object of `answer_schema`, bare or in a Markdown fence.

    A confidence that is not a number from 0 to 1 is left out; the answer stands without it.

    Args:
        text: all that the model wrote.
        finish: why it ends there.
        value: reads the answer that the object holds, which may be of any JSON type but null.
    """
    text = text.strip()
    if len(text) > 6 and text.startswith("```") and text.endswith("```"):
        text = text[3:-3].removeprefix("json")
    try:
        found = json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        if finish is FinishReason.LENGTH:
            return Reading.unparsed("it was cut off before the JSON was complete")
        return Reading.unparsed("it is no valid JSON" if text else "the model wrote nothing")
    if not isinstance(found, dict) or "answer" not in found:
        return Reading.unparsed('it is no JSON object with an "answer"')
    abstained = found.get("abstain", False)
    if not isinstance(abstained, bool):
        return Reading.unparsed('"abstain" is neither true nor false')
    reading = ABSTAINED if abstained or found["answer"] is None else value(found["answer"])
    if reading.outcome is AnswerOutcome.UNPARSED:
        return reading
    return replace(reading, stated_confidence=_confidence(found.get("confidence")))


def _confidence(stated: Any) -> float | None:
    if isinstance(stated, bool) or not isinstance(stated, int | float) or not 0 <= stated <= 1:
        return None
    return float(stated)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, unless it gives two values for one name."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name stands there twice")
    return members


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
