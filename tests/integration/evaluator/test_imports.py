"""Predictions made elsewhere: scored like any other, and the paper's own, to the last printed digit."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tifffile

from deploy.local import free_port
from evaluator.answering import Question
from evaluator.imports import ImportedAsker, read_imported
from evaluator.records import Sample, Truth
from evaluator.report import read_json
from evaluator.suites import load_suite
from evaluator.summaries import ModelSummary, RunSummary
from hooke.types import EvaluationState, SampleOutcome
from tests.integration.evaluator.lab import Model, address_of, evaluating, model_service
from tests.integration.evaluator.test_runs import images

# Published counts: (answered, MAE, RMSE, bias, R2), each with as many digits as evaluation of the same
# predictions is known to by other means.
PUBLISHED = {
    ("body-counting", "gpt-visual"): (50, "19.72", "25.05", "-19.7", "0.376"),
    ("body-counting", "gpt-code"): (50, "8.48", "13.05", "-8.4", "0.831"),
    ("body-counting", "llava"): (43, "28.07", "39.44", "15.4", "-0.811"),
    ("body-counting", "sam-manual"): (50, "6.04", "8.54", "-5.9", "0.927"),
    ("body-counting", "sam-automated"): (50, "3.52", "4.34", "3.3", "0.981"),
    ("body-counting", "gemini"): (50, "8.26", "11.60", "4.2", "0.866"),
    ("nuclei-counting", "sam-automated"): (50, "10.04", "13.15", "-1.7", "0.828"),
    ("nuclei-counting", "gemini"): (50, "11.92", "17.67", "-1.8", "0.689"),
    ("fibre-counting", "gpt-visual"): (25, "4.20", "6.02", "-3.9", "0.430"),
    ("fibre-counting", "sam-automated"): (25, "14.08", "17.14", "14.1", "-3.6"),
    ("fibre-counting", "gemini"): (25, "3.40", "5.60", "-3.2", "0.508"),
    ("particle-counting", "gpt-visual"): (25, "2.76", "5.16", "1.6", "0.819"),
    ("particle-counting", "sam-automated"): (25, "10.72", "18.6", "7.8", "-1.3"),
    ("particle-counting", "gemini"): (25, "7.88", "15.0", "6.8", "-0.53"),
}


WAIT_S = 10


def summary_of(report: RunSummary, task: str, model: str) -> ModelSummary:
    (found,) = [m for t in report.tasks if t.task == task for m in t.models if m.model == model]
    return found


# The published predictions, imported and scored, give every figure that is known of them; nothing is asked of
# any model, so no gateway is needed.
@pytest.mark.data
async def test_the_published_predictions(real_data: Path, tmp_path: Path) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    async with evaluating(nowhere, tmp_path, evaluator_data_root=real_data) as lab:
        created = await lab.client.create_evaluation(suite_name="paper-published", request_id="golden")
        evaluation = await lab.end_of(created)
        assert evaluation.state is EvaluationState.SUCCEEDED, evaluation.state_message
        report = read_json((await lab.client.report(evaluation.evaluation_id)).decode())

    chatgpt = summary_of(report, "sem-classification", "chatgpt")
    accuracy = next(e for e in chatgpt.strict if e.name == "accuracy")
    assert accuracy.n == 250
    assert accuracy.value == 138 / 250
    assert accuracy.method == "wilson"
    assert accuracy.low is not None
    assert accuracy.high is not None
    assert (f"{accuracy.low:.3f}", f"{accuracy.high:.3f}") == ("0.490", "0.612")

    for (task, model), (answered, *figures) in PUBLISHED.items():
        found = summary_of(report, task, model)
        assert found.outcome_counts["scored"] == answered, (task, model)
        values = {estimate.name: estimate.value for estimate in found.answered}
        for name, figure in zip(("mae", "rmse", "bias", "r2"), figures, strict=True):
            digits = len(figure.partition(".")[2])
            assert f"{values[name]:.{digits}f}" == figure, (task, model, name)

    # On w2 SAM and Gemini are a tie.
    (pair,) = [
        pair
        for task in report.tasks
        if task.task == "nuclei-counting"
        for pair in task.comparisons
        if {pair.first, pair.second} == {"sam-automated", "gemini"}
    ]
    assert pair.better is None
    assert pair.difference.low is not None
    assert pair.difference.high is not None
    ends = sorted((pair.difference.low, pair.difference.high))
    if pair.first == "gemini":
        ends = sorted(-end for end in ends)
    # By another kind of bootstrap the interval is known as -5.3 to +1.4; this one is BCa.
    assert ends == pytest.approx([-5.3, 1.4], abs=0.3)


SQUARES = """
name: squares
tasks:
  - name: squares
    kind: segmentation
    dataset: {loader: image_label_pairs, folder: set, image: "images/{id}.tif", truth: "labels/{id}.tif"}
    imported:
      - {model: expert, table: expert.csv, sample: image, answer: mask}
"""


# An expert's masks are compared with a model's on the same samples; what was left out has its own outcome.
async def test_an_expert_beside_a_model(tmp_path: Path) -> None:
    root = images(tmp_path / "data" / "set", 5)
    (root / "expert.csv").write_text(
        "image,mask\n"
        "images/00.tif,labels/00.tif\n"  # by its path
        "01.tif,labels/01.tif\n"  # by its name
        "02.tif,NaN\n"  # the expert cannot tell
        "03.tif,\n"  # an empty cell
    )
    async with (
        model_service(Model()) as service,
        evaluating(address_of(service), tmp_path / "runs", evaluator_data_root=tmp_path / "data") as lab,
    ):
        evaluation = await lab.run(SQUARES)
        assert evaluation.state is EvaluationState.PARTIALLY_SUCCEEDED
        assert evaluation.models == ("model", "expert")
        outcomes = {r.model + r.sample_id: r.outcome for r in await lab.results(evaluation, model="expert")}
        assert sorted(outcomes.values()) == [
            SampleOutcome.ABSTAINED,
            SampleOutcome.FAILED,
            SampleOutcome.SCORED,
            SampleOutcome.SCORED,
            SampleOutcome.UNPARSED,
        ]
        (task,) = await lab.figures(evaluation)
        assert [pair.method for pair in task.comparisons] == ["permutation"]
        # A table that has changed since is another expert: answers of both are not mixed.
        with (root / "expert.csv").open("a") as table:
            table.write("04.tif,labels/04.tif\n")
        again = await lab.run(SQUARES)
        assert again.state is EvaluationState.FAILED
        assert "has changed" in again.state_message


# What is wrong with a table is said by file, row and column, before anything is asked.
@pytest.mark.parametrize(
    ("table", "told"),
    [
        (None, "expert.csv"),
        ("image,other\n00.tif,labels/00.tif\n", "no column 'mask'"),
        ("image,mask\n00.tif,a\n00.tif,b\n", "'00.tif' has another answer in an earlier row"),
    ],
)
async def test_faults_of_a_table(tmp_path: Path, table: str | None, told: str) -> None:
    root = images(tmp_path / "data" / "set", 2)
    if table is not None:
        (root / "expert.csv").write_text(table)
    model = Model()
    async with (
        model_service(model) as service,
        evaluating(address_of(service), tmp_path / "runs", evaluator_data_root=tmp_path / "data") as lab,
    ):
        evaluation = await lab.run(SQUARES)
        assert evaluation.state is EvaluationState.FAILED
        assert told in evaluation.state_message
        assert not model.asked


# A mask that cannot be read is unparsed, one of another size too; neither ends the run.
async def test_masks_that_do_not_fit(tmp_path: Path) -> None:
    root = images(tmp_path / "data" / "set", 2)
    tifffile.imwrite(root / "small.tif", tifffile.imread(root / "labels" / "00.tif")[:8])
    (root / "broken.tif").write_bytes(b"no image")
    (root / "expert.csv").write_text("image,mask\n00.tif,small.tif\n01.tif,broken.tif\n")
    async with (
        model_service(Model()) as service,
        evaluating(address_of(service), tmp_path / "runs", evaluator_data_root=tmp_path / "data") as lab,
    ):
        evaluation = await lab.run(SQUARES)
        assert evaluation.state is EvaluationState.SUCCEEDED, evaluation.state_message
        results = await lab.results(evaluation, model="expert")
        assert {result.outcome for result in results} == {SampleOutcome.UNPARSED}


# An answer is read from its table on a thread: however slow the disk is, everything else goes on.
async def test_reading_holds_nobody_up(tmp_path: Path) -> None:
    (tmp_path / "truth.jsonl").write_text('{"name": "a", "cells": 4}\n')
    (tmp_path / "counts.csv").write_text("name,cells\na,5\n")
    (task,) = load_suite(
        """
name: mine
tasks:
  - name: cells
    kind: counting
    dataset: {loader: table, table: truth.jsonl, row: name, truth: cells}
    imported: [{model: expert, table: counts.csv, sample: name, answer: cells}]
"""
    ).tasks
    (table,) = read_imported(task, tmp_path)
    slow = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        threads.submit(slow.wait, WAIT_S)
        asker = ImportedAsker(table, None, threads)
        asked = asyncio.create_task(asker.ask(Question(task, "expert"), Sample("0", b"", Truth(), "a"), 1))
        await asyncio.sleep(0)
        assert not asked.done()
        slow.set()
        assert (await asked).prediction.count == 5
