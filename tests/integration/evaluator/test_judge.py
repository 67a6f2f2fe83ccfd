"""A judge: a model of a provider grades what others wrote, by the reference of an expert."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from evaluator.metrics.grading import RUBRICS
from evaluator.report import read_json
from evaluator.report.numbers import find
from hooke import errors
from hooke.types import EvaluationState, SampleOutcome
from runtime.fakes import FakeAnswerer, serving
from runtime.tasks import AskTask
from services.openai.model import OpenaiModel
from tests.fakes.http import Asked, Reply
from tests.fakes.openai import FakeOpenai, images_of, response
from tests.integration.evaluator.lab import (
    Lab,
    address_of,
    answerer_service,
    evaluating,
    gateway_of,
)
from tests.tiny.openai import settings_of
from tests.unit.evaluator.datasets import builders

DESCRIBE = """
name: described
tasks:
  - name: described
    kind: vqa
    dataset:
      {loader: questions, table: t.jsonl, image: "{image}", ask: "Describe it.", answer: right}
    prompt: {version: paper}
"""
GRADE = """
name: graded
tasks:
  - name: graded
    kind: vqa
    headline: grade_mean
    dataset: {loader: answers, table: samples.parquet, task: described, ask: "Describe it."}
"""


class Judge(FakeOpenai):
    """Grades by what stands in the answer, in the provider's own format; says nothing of the last image."""

    def reply(self, asked: Asked) -> Reply:
        text = asked.body.decode()
        if "Grade an answer" not in text:
            return Reply(body=response("Rods of gold."))
        answer = text.split("<<<")[1].split(">>>")[0]
        if "expert on c" in text:
            return Reply(body=response("GRADE: A, if it were not for the background."))
        letter = "B" if "gold" in answer else "D"
        return Reply(body=response(f"It may look like GRADE: A, but it is not.\n**GRADE: {letter}**"))


def data(root: Path) -> Path:
    rows = "".join(f'{{"image": "{name}.png", "right": "expert on {name}"}}\n' for name in "abc")
    builders.put(root, "t.jsonl", rows)
    for seed, name in enumerate("abc"):
        builders.put(root, f"{name}.png", builders.png(builders.noise(seed)))
    return root


async def describe(lab: Lab, root: Path) -> None:
    """Let every model describe the images, and put the answers where the judge finds them."""
    described = await lab.run(DESCRIBE, "described")
    assert described.state is EvaluationState.SUCCEEDED, described.state_message
    archive = await lab.client.report(described.evaluation_id, "html_zip")
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        (root / "samples.parquet").write_bytes(files.read("samples.parquet"))


# Grades are those of the judge's last line, by graded model; a text without one is a failure and no grade.
# Judgements are kept like any answer: the same again asks nobody, and their tokens are counted.
async def test_a_judge(tmp_path: Path) -> None:
    root = data(tmp_path / "data")
    with Judge() as provider:
        async with (
            serving(OpenaiModel, values=settings_of(provider)) as judge,
            answerer_service(FakeAnswerer(lambda _task: "Balls of lead.")) as other,
            gateway_of({"openai": address_of(judge), "fake-words": address_of(other)}) as gateway,
            evaluating(gateway, tmp_path / "runs", evaluator_data_root=root) as lab,
        ):
            await describe(lab, root)
            before = len(provider.asked)
            graded = await lab.run(GRADE, "graded", models=["openai"])
            assert graded.state is EvaluationState.PARTIALLY_SUCCEEDED
            assert graded.state_message == "2 of 6 samples failed (2 JUDGE_GAVE_NO_GRADE)."
            assert len(provider.asked) == before + 6
            assert all(images_of(asked) for asked in provider.asked)
            results = await lab.results(graded)
            told = [(r.outcome, r.answer, r.error_reason) for r in results]
            assert told.count((SampleOutcome.SCORED, "B", "")) == 2
            assert told.count((SampleOutcome.SCORED, "D", "")) == 2
            assert told.count((SampleOutcome.FAILED, "", "JUDGE_GAVE_NO_GRADE")) == 2
            report = read_json((await lab.client.report(graded.evaluation_id)).decode())
            ((model,),) = (task.models for task in report.tasks)
            assert find(model.strict, "grade_mean").value == pytest.approx(1 / 3)
            assert find(model.strict, "accuracy").value == 0  # the share of A
            slices = {name: find(e, "grade_mean").value for name, e in model.by_slice["model"].items()}
            assert slices == {"fake-words": 0, "openai": pytest.approx(2 / 3)}
            assert model.usage is not None
            assert model.usage.cost_micro_usd > 0
            archive = await lab.client.report(graded.evaluation_id, "html_zip")
            with zipfile.ZipFile(io.BytesIO(archive)) as files:
                pages = [
                    files.read(name).decode() for name in files.namelist() if name.startswith("samples/")
                ]
            # The report says where a judge graded what it wrote itself.
            assert sum("graded its own answer" in page for page in pages) == 2
            await lab.run(GRADE, "graded", models=["openai"])
            assert len(provider.asked) == before + 6


# A judge sees the question, the reference and the answer, and not who wrote it.
async def test_what_a_judge_is_asked(tmp_path: Path) -> None:
    root = data(tmp_path / "data")
    fake = FakeAnswerer(lambda _task: "GRADE: A")
    async with (
        answerer_service(fake) as service,
        evaluating(address_of(service), tmp_path / "runs", evaluator_data_root=root) as lab,
    ):
        await describe(lab, root)
        await lab.run(GRADE, "graded")
        words = fake.asked[-1].turns[-1].text
    assert words.startswith(RUBRICS["v1"].splitlines()[0])
    for part in ("Question: Describe it.", "Reference:\nexpert on ", "<<<\nGRADE: A\n>>>"):
        assert part in words
    assert "fake-words" not in words
    assert words.endswith("'GRADE: <letter>'.")


# The end of a run tells how many answers are missing, which are asked for when it is created again; a text
# without a grade is there.
async def test_what_is_asked_again(tmp_path: Path) -> None:
    def judge(task: AskTask) -> str:
        words = task.turns[-1].text
        if "expert on a" in words and fails:
            raise errors.ImageUnreadableError("cannot read this")
        return "I would rather not." if "expert on b" in words else "GRADE: A"

    root, fails = data(tmp_path / "data"), False
    fake = FakeAnswerer(judge)
    async with (
        answerer_service(fake) as service,
        evaluating(address_of(service), tmp_path / "runs", evaluator_data_root=root) as lab,
    ):
        await describe(lab, root)
        fails = True
        graded = await lab.run(GRADE, "graded")
        assert "2 of 3 samples failed" in graded.state_message
        assert "to ask for what is missing: 1 of 3 samples." in graded.state_message
        fails, before = False, len(fake.asked)
        again = await lab.run(GRADE, "graded")
        assert again.evaluation_id == graded.evaluation_id
        assert len(fake.asked) == before + 1
        assert again.state_message == "1 of 3 samples failed (1 JUDGE_GAVE_NO_GRADE)."


# What is wrong with the file is said before anybody is asked.
@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "the file samples.parquet"), (b"no table", "is no table of answers")],
)
async def test_faults_of_the_answers(tmp_path: Path, content: bytes | None, told: str) -> None:
    root = data(tmp_path / "data")
    if content is not None:
        (root / "samples.parquet").write_bytes(content)
    fake = FakeAnswerer(lambda _task: "GRADE: A")
    async with (
        answerer_service(fake) as service,
        evaluating(address_of(service), tmp_path / "runs", evaluator_data_root=root) as lab,
    ):
        evaluation = await lab.run(GRADE, "graded")
        assert evaluation.state is EvaluationState.FAILED
        assert told in evaluation.state_message
        assert not fake.asked
