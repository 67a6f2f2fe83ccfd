"""Questions in words, as datasets have them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from evaluator.datasets import Dataset, open_dataset
from evaluator.metrics.answers import AnswerKind
from evaluator.records import TaskKind
from evaluator.suites import TaskSpec, builtin_suite, load_suite
from evaluator.task_parts import PromptSpec
from evaluator.wording import TEMPLATES, put_into_words
from hooke.errors import InvalidRequestError
from tests.unit.evaluator.datasets import builders

TABLE = "image,question,options,right\n" + "".join(
    f"{name}.png,Which of these is it?,\"['ring', 'rod', 'coil']\",{right}\n"
    for name, right in zip("abcdefgh", (0, 1, 2, 0, 1, 2, 0, 1), strict=True)
)
SUITE = """
name: asked
tasks:
  - name: asked
    kind: vqa
    dataset:
      {loader: questions, table: t.csv, image: "{image}", question: question, options: options,
       correct_index: right}
    PROMPT
"""


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    for seed, name in enumerate("abcdefgh"):
        builders.put(tmp_path, f"{name}.png", builders.png(builders.noise(seed)))
    builders.put(tmp_path, "t.csv", TABLE)
    task = load_suite(SUITE.replace("PROMPT", "")).tasks[0]
    return open_dataset(task.dataset, tmp_path, task.kind)


# The options come in an order of their own for each sample, the same every time; the truth is their words.
def test_options_are_rotated(dataset: Dataset) -> None:
    samples = list(dataset)
    again = list(dataset)
    orders = {sample.inquiry.options for sample in samples if sample.inquiry}
    assert len(orders) > 2
    assert [s.inquiry for s in samples] == [s.inquiry for s in again]
    assert [s.truth.answer.texts for s in samples if s.truth.answer][:3] == [("ring",), ("rod",), ("coil",)]
    assert {s.truth.answer.kind for s in samples if s.truth.answer} == {AnswerKind.CHOICE}


# A sample is its image and its question: the order in which options stand in the table makes no difference.
def test_identity_of_a_question(dataset: Dataset, tmp_path: Path) -> None:
    before = [sample.sample_id for sample in dataset]
    turned = TABLE.replace("['ring', 'rod', 'coil']", "['coil', 'ring', 'rod']")
    builders.put(tmp_path, "t.csv", turned)
    task = load_suite(SUITE.replace("PROMPT", "")).tasks[0]
    assert [s.sample_id for s in open_dataset(task.dataset, tmp_path, task.kind)] == before
    builders.put(tmp_path, "t.csv", TABLE.replace("Which of these", "What"))
    other = [s.sample_id for s in open_dataset(task.dataset, tmp_path, task.kind)]
    assert not set(other) & set(before)


# The words show the options by letter and say how to answer; nothing in them tells which one is right.
def test_words(dataset: Dataset) -> None:
    sample = dataset[0]
    assert sample.inquiry is not None
    first, second, third = sample.inquiry.options
    assert put_into_words(sample, None) == (
        f"Which of these is it?\n(A) {first}\n(B) {second}\n(C) {third}\n"
        "End with one line that says 'Answer: <letter>'.\n"
        "If the image does not show it, say 'Answer: unknown'."
    )


# Templates and versions that cannot work, or take time or memory without bound, are refused with the suite.
@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ('prompt: {template: "{% if %}"}', "line 1"),
        ("prompt: {template: '{% for i in range(99999) %}{{ i }}{% endfor %}'}", "line 1: for is not"),
        (
            "prompt: {template: '{% for a in options %}{% for b in options %}{% endfor %}{% endfor %}'}",
            "one loop over options at a time",
        ),
        ("prompt: {template: '{{ question * 999999999 }}'}", "mul is not"),
        ("prompt: {template: '{{ question | center(999999999) }}'}", "filter is not"),
        ("prompt: {template: '{% set q = question ~ question %}{{ q }}'}", "assign is not"),
        ("prompt: {version: v9}", "one of paper, v1"),
        ("prompt: {answer_mode: likelihood}", "answered in words"),
    ],
)
def test_faults_of_a_prompt(prompt: str, told: str) -> None:
    with pytest.raises(InvalidRequestError, match=told):
        load_suite(SUITE.replace("PROMPT", prompt))


# What comes along is written in the same language, so nobody needs more.
@pytest.mark.parametrize("template", TEMPLATES.values())
def test_templates_that_come_along(template: str) -> None:
    assert PromptSpec(template=template).template == template


def task_of(suite: str, name: str) -> TaskSpec:
    return next(task for task in builtin_suite(suite).tasks if task.name == name)


# The questions that come with real micrographs are read whole, each as the kind of question that it is.
@pytest.mark.data
def test_real_questions(real_data: Path) -> None:
    task = task_of("questions", "questions")
    found = open_dataset(task.dataset, real_data / "derived_vqa", task.kind)
    kinds = Counter(sample.truth.answer.kind for sample in found if sample.truth.answer)
    assert kinds == {AnswerKind.CHOICE: 36, AnswerKind.NUMBER: 28}
    size = task_of("paper", "mean-size")
    sizes = [sample.truth.answer for sample in open_dataset(size.dataset, real_data, TaskKind.VQA)]
    assert len(sizes) == 10
    assert all(answer is not None and answer.unit == "um" and answer.number for answer in sizes)
    free = task_of("paper", "description")
    words = [sample.truth.answer for sample in open_dataset(free.dataset, real_data, TaskKind.VQA)]
    assert [answer and answer.kind for answer in words] == [AnswerKind.TEXT] * 5
    bars = task_of("paper", "scale-bar")
    found = [sample.truth.answer for sample in open_dataset(bars.dataset, real_data, TaskKind.VQA)]
    assert [str(answer) for answer in found] == ["100 µm", "200 nm", "200 nm", "1 µm", "20 µm"]
    zoom = task_of("paper", "magnification")
    told = [sample.truth.answer for sample in open_dataset(zoom.dataset, real_data, TaskKind.VQA)]
    assert [answer and answer.number for answer in told] == [250, 234190, 100000, 40000, 1000]


# Truths by the paths of the images, in a member of a JSON file; each has a unit of its own, or none.
def test_truths_by_name(tmp_path: Path) -> None:
    rows = {
        "b.png": {"long": 2, "unit": "nm"},
        "a.png": {"long": 0.5, "unit": "\u00b5m"},
        "c.png": {"long": 7},
    }
    rows["c.png"]["unit"] = ""
    builders.put(tmp_path, "t.json", json.dumps({"note": "none", "bars": rows, "rows": [*rows.values()]}))
    for seed, name in enumerate(rows):
        builders.put(tmp_path, name, builders.png(builders.noise(seed)))
    text = """
name: asked
tasks:
  - name: asked
    kind: vqa
    dataset:
      {loader: questions, table: t.json, member: bars, image: "{key}", ask: "How long is it?", answer: long,
       unit: "{unit}"}
"""
    task = load_suite(text).tasks[0]
    found = [sample.truth.answer for sample in open_dataset(task.dataset, tmp_path, task.kind)]
    assert [(str(answer), answer and answer.kind) for answer in found] == [
        ("2 nm", AnswerKind.QUANTITY),
        ("0.5 \u00b5m", AnswerKind.QUANTITY),
        ("7", AnswerKind.NUMBER),
    ]
    for member, told in (("rows", "no column 'key'"), ("note", "no rows as 'note'"), ("none", "no rows")):
        other = load_suite(text.replace("member: bars", f"member: {member}")).tasks[0]
        with pytest.raises(InvalidRequestError, match=told):
            open_dataset(other.dataset, tmp_path, other.kind)
    csv = load_suite(text.replace("t.json", "t.csv")).tasks[0]
    builders.put(tmp_path, "t.csv", "key,long,unit\n")
    with pytest.raises(InvalidRequestError, match=r"only a \.json can have a member"):
        open_dataset(csv.dataset, tmp_path, csv.kind)
