"""The part of what a model wrote that is read as its answer, by the steps that a task names.

A filter only cuts: what it leaves is read by the rules of `runtime.prompting`, so that nothing that is
ambiguous becomes an answer. Where a step finds nothing, the answer is *unparsed*.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import regex

from evaluator.records import Prediction, TaskKind
from evaluator.suites import TaskSpec
from evaluator.task_parts import FilterStep
from hooke.errors import InvalidRequestError
from hooke.types import AnswerOutcome, FinishReason, SampleOutcome
from runtime.prompting.parsing import read_class, read_class_json, read_count, read_count_json
from runtime.prompting.reading import Reading
from runtime.prompting.versions import VERSIONS

MOST_CHARACTERS = 500_000
"""Of a text that is filtered; models write less."""
_MATCH_S = 5.0
"""A regular expression that takes longer backtracks without end: others take microseconds."""
_FENCE = "```"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a text; `cut` if it ends where the model might not write more."""

    text: str
    cut: bool


def is_text(prediction: Prediction) -> bool:
    """True if a model wrote it; a table that was imported holds answers."""
    return prediction.written is not None and "table" not in prediction.provenance


def filtered(task: TaskSpec, name: str, prediction: Prediction) -> Prediction:
    """A text as it is read through one of the task's filters.

    Raises:
        InvalidRequestError: a regular expression takes for ever.
    """
    steps = task.filters[name]
    text = prediction.written
    if text is None or not steps:
        return prediction
    part = _part(steps, Part(text, prediction.truncated), f"the filter {name!r} of {task.name!r}")
    blank = replace(
        prediction,
        outcome=SampleOutcome.UNPARSED,
        count=None,
        label=None,
        probabilities=None,
        stated_confidence=None,
        error_message="",
    )
    if part is None:
        return replace(blank, error_reason=f"the filter {name!r} leaves nothing")
    if task.kind is TaskKind.VQA:  # read when it is scored
        return replace(blank, outcome=SampleOutcome.SCORED, written=part.text, truncated=part.cut)
    reading = _read(task, prediction, part)
    if reading.outcome is AnswerOutcome.UNPARSED:
        return replace(blank, error_reason=reading.unparsed_reason)
    outcome = SampleOutcome.SCORED
    if reading.outcome is AnswerOutcome.ABSTAINED:
        outcome = SampleOutcome.ABSTAINED
    return replace(blank, outcome=outcome, count=reading.count, label=reading.label)


def _read(task: TaskSpec, prediction: Prediction, part: Part) -> Reading:
    """Read a count or a class, from JSON where that is what is left."""
    finish = FinishReason.LENGTH if part.cut else FinishReason.STOP
    as_json = part.text.lstrip().startswith(("{", _FENCE))
    if task.kind is TaskKind.COUNTING:
        if as_json:
            return read_count_json(part.text, finish)
        objects = "" if task.prompt is None else task.prompt.object_name
        return read_count(part.text, finish, object_name=objects or "objects")
    if as_json:
        return read_class_json(part.text, finish, labels=task.labels)
    version = VERSIONS.get(str(prediction.provenance.get("prompt_version")))
    numbered = version is not None and version.numbered
    return read_class(part.text, finish, labels=task.labels, numbered=numbered)


def _part(steps: Sequence[FilterStep], part: Part, whose: str) -> Part | None:
    """What the steps leave of a text, one after the other; None: nothing."""
    if len(part.text) > MOST_CHARACTERS:
        return None
    for step in steps:
        found = _step(step, part.text, whose)
        if found is None or not found.text.strip():
            return None
        part = replace(found, cut=part.cut and found.cut)
    return part


def _step(step: FilterStep, text: str, whose: str) -> Part | None:
    """What one step leaves of a text; `cut` if that reaches to its end."""
    if step.after is not None:
        _, mark, rest = text.rpartition(step.after)
        return Part(rest, cut=True) if mark else None
    if step.line is not None:
        lines = [line for line in text.splitlines() if line.strip()]
        if not lines:
            return None
        last = len(lines) - 1 if step.line == "last" else 0
        return Part(lines[last], cut=last == len(lines) - 1 and not text.endswith("\n"))
    assert step.match is not None
    return _match(step.match, text, whose, last=step.which == "last")


def _match(pattern: str, text: str, whose: str, *, last: bool) -> Part | None:
    """What the first or the last match of a pattern is, or its first group."""
    try:
        matches = regex.finditer(pattern, text, regex.MULTILINE, timeout=_MATCH_S, concurrent=True)
        found = next(iter(deque(matches, maxlen=1) if last else matches), None)
    except TimeoutError as error:
        raise InvalidRequestError(
            f"{whose} takes for ever on a text of {len(text)} characters: make {pattern!r} simpler, without "
            "repetitions within repetitions"
        ) from error
    if found is None:
        return None
    group = 1 if found.re.groups else 0
    return Part(found[group] or "", cut=found.end(group) == len(text))
