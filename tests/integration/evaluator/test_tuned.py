"""Samples that a model was tuned on: shown, and counted in none of its figures."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from evaluator.report import read_json
from hooke.errors import InvalidRequestError
from hooke.types import Evaluation, EvaluationState
from tests.integration.evaluator.lab import Lab, Model, address_of, evaluating, model_service
from tests.integration.evaluator.test_runs import images

SUITE = """
name: squares
tasks:
  - name: squares
    kind: KIND
    dataset: {loader: image_label_pairs, folder: set, image: "images/{id}.tif", truth: "labels/{id}.tif"}
"""
OUTLINES, COUNTS = SUITE.replace("KIND", "segmentation"), SUITE.replace("KIND", "counting")
EXPERT = "    imported: [{model: expert, table: expert.csv, sample: image, answer: mask}]\n"


def data(root: Path, count: int = 6) -> Path:
    """Squares, an expert's masks of them, and a table that names two of them."""
    folder = images(root / "set", count)
    rows = "".join(f"{i:02}.tif,labels/{i:02}.tif\n" for i in range(count))
    (folder / "expert.csv").write_text(f"image,mask\n{rows}")
    (folder / "tuning.csv").write_text("file\n01.tif\nimages/03.tif\nsomewhere/else.tif\n")
    (folder / "stray.csv").write_text("file\nc.tif\nb.tif\na.tif\n")
    return root


async def models_of(lab: Lab, evaluation: Evaluation) -> dict[str, Any]:
    """The models of the only task, by name."""
    (task,) = read_json((await lab.client.report(evaluation.evaluation_id)).decode()).tasks
    return {model.model: model for model in task.models}


# Samples of a table, by path or by name, are left out of the figures of the models that it is about, and of
# nobody else's: neither of comparisons, nor of those between runs. The report says how many there are.
async def test_a_table(tmp_path: Path) -> None:
    text = f"{OUTLINES}{EXPERT}    tuned_on: [{{models: [expert], table: tuning.csv, sample: file}}]\n"
    async with (
        model_service(Model()) as service,
        evaluating(address_of(service), tmp_path / "r", evaluator_data_root=data(tmp_path / "d")) as lab,
    ):
        evaluation = await lab.run(text)
        assert evaluation.state is EvaluationState.SUCCEEDED, evaluation.state_message
        models = await models_of(lab, evaluation)
        assert (models["model"].sample_count, models["model"].tuned_count) == (6, None)
        expert = models["expert"]
        assert (expert.sample_count, expert.tuned_count, expert.coverage) == (4, 2, 1.0)
        assert expert.outcome_counts["scored"] == 4
        assert {estimate.n for estimate in (*expert.strict, *expert.answered)} == {4}
        report = read_json((await lab.client.report(evaluation.evaluation_id)).decode())
        (pair,) = report.tasks[0].comparisons
        assert pair.difference.n == 4
        stored = report.provenance["datasets"]["squares"]["tuned_on"]
        assert (list(stored), stored["expert"]["count"]) == (["expert"], 2)

        markdown = (await lab.client.report(evaluation.evaluation_id, "markdown")).decode()
        assert "expert: tuned on, left out: 2." in markdown
        archive = await lab.client.report(evaluation.evaluation_id, "html_zip")
        with zipfile.ZipFile(io.BytesIO(archive)) as files:
            assert "expert: tuned on, left out: 2." in files.read("task1.html").decode()
            rows = parquet.read_table(io.BytesIO(files.read("samples.parquet"))).to_pylist()
        told = {(row["model"], row["source"]) for row in rows if row["tuned_on"]}
        assert told == {("expert", "images/01.tif"), ("expert", "images/03.tif")}

        later = await lab.run(text, "later")
        found = json.loads(await lab.client.report(later.evaluation_id, compared_to=evaluation.evaluation_id))
        shared = {each["model"]: each["shared_count"] for each in found["contrasts"]}
        assert shared == {"model": 6, "expert": 4}


# What an evaluation has looked at is left out of another one, also where that asks something else about the
# same images.
async def test_an_evaluation(tmp_path: Path) -> None:
    async with (
        model_service(Model()) as service,
        evaluating(address_of(service), tmp_path / "r", evaluator_data_root=data(tmp_path / "d")) as lab,
    ):
        tuning = await lab.run(OUTLINES, "tuning", sample_limit=2)
        tuned_on = f"    tuned_on: [{{evaluation: {tuning.evaluation_id}}}]\n"
        for place, text in enumerate((OUTLINES, COUNTS)):
            evaluation = await lab.run(text + tuned_on, f"held-out-{place}")
            model = (await models_of(lab, evaluation))["model"]
            assert (model.sample_count, model.tuned_count) == (4, 2)


# What shares a cluster with a sample that a model was tuned on is left out with it.
async def test_clusters(tmp_path: Path) -> None:
    root = data(tmp_path / "d")
    for name in ("images", "labels"):
        for place, path in enumerate(sorted((root / "set" / name).iterdir())):
            path.rename(path.with_name(f"{'ab'[place > 3]}{path.name}"))
    (root / "set" / "tuning.csv").write_text("file\na01.tif\n")
    text = OUTLINES.replace("{id}", "{plate}0{id:d}").replace('tif"}', 'tif", cluster: plate}')
    text += "    tuned_on: [{table: tuning.csv, sample: file}]\n"
    async with (
        model_service(Model()) as service,
        evaluating(address_of(service), tmp_path / "r", evaluator_data_root=root) as lab,
    ):
        model = (await models_of(lab, await lab.run(text)))["model"]
        assert (model.sample_count, model.tuned_count) == (2, 4)


# An evaluation that would leave a model without a sample, or names one that does not exist, is not begun.
@pytest.mark.parametrize(
    ("tuned_on", "told"),
    [
        ("{table: expert.csv, sample: image}", "'model' was tuned on every sample of the task 'squares'"),
        ("{evaluation: eval-none}", "there is no evaluation 'eval-none'"),
        ("{table: none.csv, sample: image}", "none.csv"),
        ("{table: expert.csv, sample: name}", "no column 'name'"),
        (
            "{table: stray.csv, sample: file}",
            "tuned_on[0] of 'squares': the column 'file' of stray.csv names no sample: it has 'a.tif', "
            "'b.tif', the dataset 'images/00.tif', 'images/01.tif'",
        ),
        ("{models: [modle], table: tuning.csv, sample: file}", "tuned_on names 'modle'"),
    ],
)
async def test_what_cannot_be_left_out(tmp_path: Path, tuned_on: str, told: str) -> None:
    model = Model()
    async with (
        model_service(model) as service,
        evaluating(address_of(service), tmp_path / "r", evaluator_data_root=data(tmp_path / "d")) as lab,
    ):
        evaluation = await lab.run(f"{OUTLINES}    tuned_on: [{tuned_on}]\n")
        assert evaluation.state is EvaluationState.FAILED
        assert told in evaluation.state_message
        assert not model.asked


# Where only some samples of a dataset are asked about, a table may name none of them but must name others, by
# whichever name. The report says then that nothing was left out.
@pytest.mark.parametrize("by_id", [False, True])
async def test_none_of_a_part(tmp_path: Path, by_id: bool) -> None:
    root = data(tmp_path / "d")
    (root / "set" / "tuning.csv").write_text("file\n01.tif\n")
    text = f"{OUTLINES}    tuned_on: [{{table: tuning.csv, sample: file}}]\n"
    async with (
        model_service(Model()) as service,
        evaluating(address_of(service), tmp_path / "r", evaluator_data_root=root) as lab,
    ):
        whole = await lab.results(await lab.run(OUTLINES, "whole"))
        part = await lab.results(await lab.run(OUTLINES, "part", sample_limit=2))
        others = {result.sample_id for result in whole} - {result.sample_id for result in part}
        if by_id:
            (root / "set" / "tuning.csv").write_text("file\n" + "".join(f"{name}\n" for name in others))
        evaluation = await lab.run(text, "named", sample_limit=2)
        assert evaluation.state is EvaluationState.SUCCEEDED, evaluation.state_message
        model = (await models_of(lab, evaluation))["model"]
        assert (model.sample_count, model.tuned_count) == (2, 0)
        told = "model: tuned on, left out: 0."
        assert told in (await lab.client.report(evaluation.evaluation_id, "markdown")).decode()
        archive = await lab.client.report(evaluation.evaluation_id, "html_zip")
        with zipfile.ZipFile(io.BytesIO(archive)) as files:
            assert told in files.read("task1.html").decode()
        (root / "set" / "tuning.csv").write_text(f"file\n{'0' * 64}\n")
        refused = await lab.run(text, "stray", sample_limit=2)
        assert refused.state is EvaluationState.FAILED
        assert "names no sample" in refused.state_message


# Samples may be named later, which asks nothing anew; what is named once stays so, also when metrics are
# computed again.
async def test_named_later(tmp_path: Path) -> None:
    model = Model()
    named = f"{OUTLINES}    tuned_on: [{{table: tuning.csv, sample: file}}]\n"
    async with (
        model_service(model) as service,
        evaluating(address_of(service), tmp_path / "r", evaluator_data_root=data(tmp_path / "d")) as lab,
    ):
        evaluation = await lab.run(OUTLINES)
        assert (await models_of(lab, evaluation))["model"].tuned_count is None
        again = await lab.run(named)
        assert again.evaluation_id == evaluation.evaluation_id
        assert (await models_of(lab, again))["model"].tuned_count == 2
        with pytest.raises(InvalidRequestError, match="was tuned on stays so"):
            await lab.create(OUTLINES)
        rescored = await lab.end_of(await lab.client.rescore_evaluation(evaluation.evaluation_id))
        assert (await models_of(lab, rescored))["model"].tuned_count == 2
        assert set(model.asked.values()) == {1}
