"""Filters: the part of a text that is read as its answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evaluator import filters
from evaluator.judging import read_as
from evaluator.metrics.answers import AnswerKind
from evaluator.records import ExpectedAnswer, TaskKind, Truth
from evaluator.scoring import score
from hooke.errors import InvalidRequestError
from hooke.types import SampleOutcome
from tests.unit.evaluator.scored import prediction_of, rows_of, sample_of, summarise, task_of

THINKING = [{"after": "</think>"}]
FINAL = [{"match": r"^Answer:\s*(.+)$"}]
SCORED, ABSTAINED, UNPARSED = SampleOutcome.SCORED, SampleOutcome.ABSTAINED, SampleOutcome.UNPARSED


def count(text: str, *steps: dict[str, str], truncated: bool = False) -> int | SampleOutcome:
    """The count that is read from a text, or how it ended."""
    task = task_of(TaskKind.COUNTING, filters={"one": list(steps)})
    prediction = prediction_of(written=text, truncated=truncated, outcome=UNPARSED)
    found = score(task, sample_of(Truth(count=1)), prediction, None)
    return int(found.answer) if found.outcome is SCORED else found.outcome


# Steps cut one after the other, and what they leave is read by the rules that hold for any text.
@pytest.mark.parametrize(
    ("text", "steps", "read"),
    [
        ("<think>3 here, 4 there</think>\nCount: 7", THINKING, 7),
        ("<think>is </think> it? </think>7", THINKING, 7),  # what follows the last one
        ("<think>3 here</think>\nThere are 3, or 4.", THINKING, UNPARSED),  # cut, and still ambiguous
        ("I see 3, or 4.", THINKING, UNPARSED),  # nothing is left of it
        ("<think>hm</think>\n \n", THINKING, UNPARSED),
        ("<think>hm</think>I cannot tell.", THINKING, ABSTAINED),
        ("Answer: 3\nno, rather\nAnswer: 4", FINAL, 4),
        ("Answer: 3\nno, rather\nAnswer: 4", [{**FINAL[0], "which": "first"}], 3),
        ("Answer: 3 or 4", FINAL, UNPARSED),
        ("I count:\n9\n12\n\n", [{"line": "last"}], 12),
        ("9\n12", [{"line": "first"}], 9),
        ("<think>5</think>\nsome, 8\n9", [*THINKING, {"line": "last"}], 9),
        ('```json\n{"answer": 4, "confidence": 1, "abstain": false}\n```', [], UNPARSED),
        ('Well.\n```json\n{"answer": 4}\n```', [{"match": r"(?s)```json(.*)```"}], 4),
        ("number 6", [{"match": r"\d+"}], 6),  # without a group: all of it
        ("a6", [{"match": r"a(b)?6"}], UNPARSED),  # a group that took no part
    ],
)
def test_steps(text, steps, read):
    assert count(text, *steps) == read


# What is cut out of a text that was broken off is broken off where it reaches to the end of that text: there
# it may have gone on.
@pytest.mark.parametrize(
    ("text", "steps", "read"),
    [
        ("<think>no</think>Count: 4", THINKING, UNPARSED),
        ("<think>no</think>Count: 4\nsin", THINKING, 4),
        ("Answer: 4", FINAL, UNPARSED),
        ("Answer: 4\nsince", FINAL, 4),
        ("Count: 4", [{"line": "last"}], UNPARSED),
        ("Count: 4\n", [{"line": "last"}], 4),
        ("Count: 4\nCou", [{"line": "first"}], 4),
    ],
)
def test_truncated_texts(text, steps, read):
    assert count(text, *steps, truncated=True) == read


# Classes and answers to questions are read in the same way; a class by its number where the prompt had them.
def test_classes_and_questions():
    steps = {"one": THINKING}
    classes = task_of(TaskKind.CLASSIFICATION, filters=steps)
    text = "<think>cat or dog</think>dog"
    (truth, told) = Truth(label="dog"), prediction_of(written=text, outcome=UNPARSED)
    assert score(classes, sample_of(truth), told, None).metrics == {"correct": 1}
    numbered = prediction_of(
        written="<think>1?</think>2", outcome=UNPARSED, provenance={"prompt_version": "paper"}
    )
    assert score(classes, sample_of(truth), numbered, None).answer == "dog"
    question = task_of(TaskKind.VQA, filters=steps)
    truth = Truth(answer=ExpectedAnswer(AnswerKind.NUMBER, number=3))
    found = score(question, sample_of(truth), prediction_of(written="<think>1, 2</think>3"), None)
    assert (found.answer, found.metrics["correct"]) == ("3", 1)


# The first filter decides; the others stand beside, and can be had as if they had.
def test_several():
    task = task_of(TaskKind.COUNTING, filters={"as-written": [], "final": FINAL})
    text = "Answer: 3\nno\nAnswer: 4"
    found = score(task, sample_of(Truth(count=4)), prediction_of(written=text, outcome=UNPARSED), None)
    assert (found.outcome, dict(found.metrics)) == (UNPARSED, {})
    kept = json.loads(json.dumps(found.details))
    other = read_as(found, "final")
    assert (other.outcome, other.answer, other.metrics["exact"]) == (SCORED, "4", 1)
    assert kept["readings"]["final"]["details"]["predicted"] == 4


# A judge's text that a filter leaves no grade of is in no figure of that filter, but in those of others.
def test_several_of_a_judge():
    task = task_of(TaskKind.VQA, filters={"final": THINKING, "first": [{"line": "first"}]})
    truth = Truth(answer=ExpectedAnswer(AnswerKind.GRADE, ("a fibre",)))
    texts = ("GRADE: B\n</think>", "GRADE: B\n</think>no", "no</think>\nGRADE: A", "GRADE: D</think>GRADE: D")
    scores = [
        score(task, sample_of(truth, number), prediction_of(number, written=text), None)
        for number, text in enumerate(texts)
    ]
    (model,) = summarise(task, "", rows_of(4), {"model": scores}, {}).models
    (first,) = model.filtered
    assert (model.outcome_counts["failed"], first.outcome_counts["failed"]) == (2, 2)
    grades = [
        next(each for each in estimates if each.name == "grade_mean")
        for estimates in (model.strict, first.strict, first.answered)
    ]
    assert [(each.value, each.n) for each in grades] == [
        (0.5, 2),
        (pytest.approx(2 / 3), 2),
        (pytest.approx(2 / 3), 2),
    ]
    assert not any("without an answer" in each.note for each in grades)


# What no model wrote is not filtered: numbers of models that see, and tables of answers.
@pytest.mark.parametrize(
    "answer", [{"count": 4}, {"count": 4, "written": "4", "provenance": {"table": "expert.csv"}}]
)
def test_what_is_no_text(answer: dict[str, Any]):
    task = task_of(TaskKind.COUNTING, filters={"final": FINAL, "thinking": THINKING})
    found = score(task, sample_of(Truth(count=4)), prediction_of(**answer), None)
    assert (found.outcome, found.answer) == (SCORED, "4")
    assert "readings" not in found.details


# An expression that backtracks without end is stopped and named: it must not hold up an evaluation, nor
# decide by how fast a machine is what a text says.
def test_expressions_without_end(monkeypatch):
    monkeypatch.setattr(filters, "_MATCH_S", 0.05)
    with pytest.raises(InvalidRequestError, match="filter 'one' of 'task' takes for ever"):
        count("a" * 5000 + "b", {"match": "(a+)+$"})


# Texts without bound are not looked at.
def test_endless_texts():
    assert count("</think>" + " " * filters.MOST_CHARACTERS + "4", *THINKING) is UNPARSED


# Faults of filters are named with the suite.
@pytest.mark.parametrize(
    ("kind", "steps", "told"),
    [
        (TaskKind.COUNTING, [{}], "one of after, match and line"),
        (TaskKind.COUNTING, [{"after": "a", "line": "last"}], "one of after, match and line"),
        (TaskKind.COUNTING, [{"match": "("}], "no regular expression"),
        (TaskKind.COUNTING, [{"match": "((((a{99}){99}){99}){99})"}], "may multiply to at most 1,000"),
        (TaskKind.COUNTING, [{"match": "[ab]{100000000,}"}], "may multiply to at most 1,000"),
        (TaskKind.COUNTING, [{"match": "(?i)(?sx:a{9 9})"}], "the flag x"),
        (TaskKind.COUNTING, [{"after": "a", "which": "first"}], "which: belongs to match"),
        (TaskKind.SEGMENTATION, [], "not answered in words"),
    ],
)
def test_faults(kind, steps, told):
    with pytest.raises(InvalidRequestError, match=told):
        task_of(kind, filters={"one": steps})
