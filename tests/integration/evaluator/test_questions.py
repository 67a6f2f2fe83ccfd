"""Questions in words, from a table to the report."""

from __future__ import annotations

import json
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from evaluator.report import read_json
from hooke.types import EvaluationState, SampleOutcome
from runtime.fakes import FakeAnswerer
from runtime.tasks import AskTask
from tests.integration.evaluator.lab import (
    Model,
    address_of,
    answerer_service,
    evaluating,
    gateway_of,
    model_service,
)

ROWS = [
    {"image": "a.png", "text": "How many cells are there?", "answer": 7, "choices": None, "tolerance": 0.2},
    {"image": "a.png", "text": "Is it stained?", "answer": "yes", "choices": ["yes", "no"]},
    {"image": "b.png", "text": "Which stain is it?", "answer": "Giemsa", "choices": None},
    {"image": "b.png", "text": "How many nuclei are there?", "answer": 3, "choices": None},
]
SUITE = """
name: asked
tasks:
  - name: asked
    kind: vqa
    dataset:
      loader: questions
      table: questions.jsonl
      image: "{image}"
      question: text
      answer: answer
      options: choices
      tolerance: tolerance
"""


def questions(root: Path) -> None:
    root.mkdir()
    noise = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        (root / name).write_bytes(imagecodecs.png_encode(noise.integers(0, 255, (16, 16), np.uint8)))
    lines = [json.dumps({"tolerance": None, **row}) for row in ROWS]
    (root / "questions.jsonl").write_text("\n".join(lines))


def answer(task: AskTask) -> str:
    asked = task.turns[-1].text
    if "cells" in asked:
        return "I count them.\nAnswer: 8"  # within a fifth of 7
    if "stained" in asked:
        letter = next(line[1] for line in asked.splitlines() if line.endswith("yes"))
        return f"Answer: {letter}"
    if "Which" in asked:
        return "Answer: giemsa."
    return "Answer: unknown"


# Every kind of answer is read and compared; what the model wrote and the words that it was asked by are kept.
async def test_questions_in_words(tmp_path: Path) -> None:
    questions(tmp_path / "data")
    fake = FakeAnswerer(answer)
    async with (
        answerer_service(fake) as service,
        evaluating(address_of(service), tmp_path / "runs", evaluator_data_root=tmp_path / "data") as lab,
    ):
        evaluation = await lab.run(SUITE)
        assert evaluation.state is EvaluationState.SUCCEEDED, evaluation.state_message
        results = await lab.results(evaluation)
        assert [(r.answer, r.truth, r.outcome, r.metrics.get("correct")) for r in results] == [
            ("8", "7", SampleOutcome.SCORED, 1),
            ("yes", "yes", SampleOutcome.SCORED, 1),
            ("giemsa", "Giemsa", SampleOutcome.SCORED, 1),
            ("", "3", SampleOutcome.ABSTAINED, None),
        ]
        report = read_json((await lab.client.report(evaluation.evaluation_id)).decode())
        values = {e.name: e.value for e in report.tasks[0].models[0].strict}
        assert values["accuracy"] == 0.75
        assert report.tasks[0].models[0].coverage == 0.75
    assert len({image.sha256 for task in fake.asked for image in task.images}) == 2


# A model that does not answer in words is not asked, and says so where it is the only one.
async def test_models_without_words(tmp_path: Path) -> None:
    questions(tmp_path / "data")
    async with (
        model_service(Model()) as one,
        answerer_service(FakeAnswerer(answer)) as two,
        gateway_of({"model": address_of(one), "fake-words": address_of(two)}) as gateway,
        evaluating(gateway, tmp_path / "runs", evaluator_data_root=tmp_path / "data") as lab,
    ):
        evaluation = await lab.run(SUITE)
        assert evaluation.state is EvaluationState.SUCCEEDED
        assert evaluation.models == ("fake-words",)
        alone = await lab.run(SUITE, request_id="alone", models=["model"])
        assert alone.state is EvaluationState.FAILED
        assert "none of 'model' can do the task 'asked'" in alone.state_message


# A suite may ask in words of its own, by a template that is checked before anything is asked.
async def test_a_template_of_the_suite(tmp_path: Path) -> None:
    questions(tmp_path / "data")
    fake = FakeAnswerer(lambda _task: "Answer: 7")
    own = SUITE + '    prompt: {template: "Look well. {{ question }} ({{ kind }})"}\n'
    async with (
        answerer_service(fake) as service,
        evaluating(address_of(service), tmp_path / "runs", evaluator_data_root=tmp_path / "data") as lab,
    ):
        await lab.run(own)
        assert "Look well. How many cells are there? (number)" in [t.turns[-1].text for t in fake.asked]


# What is wrong with a row is said by file and row.
@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"image": "none.png"}, "there is no image none.png"),
        ({"answer": "maybe", "choices": ["yes", "no"]}, "'maybe' is none of the options"),
        ({"choices": "yes, no"}, "is no list of options"),
        ({"answer": ""}, "there is no answer"),
        ({"tolerance": "wide"}, "'wide' is no tolerance"),
    ],
)
async def test_faults_of_a_row(tmp_path: Path, row: dict[str, object], told: str) -> None:
    questions(tmp_path / "data")
    wrong = {**ROWS[0], **row}
    (tmp_path / "data" / "questions.jsonl").write_text(json.dumps(wrong))
    fake = FakeAnswerer(answer)
    async with (
        answerer_service(fake) as service,
        evaluating(address_of(service), tmp_path / "runs", evaluator_data_root=tmp_path / "data") as lab,
    ):
        evaluation = await lab.run(SUITE)
        assert evaluation.state is EvaluationState.FAILED
        assert "row 1" in evaluation.state_message
        assert told in evaluation.state_message
        assert not fake.asked
