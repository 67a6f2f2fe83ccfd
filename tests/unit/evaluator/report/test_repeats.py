"""A report of a task that asks about each sample several times."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyarrow import parquet

from evaluator.report import read_json
from hooke.types import SampleOutcome
from tests.unit.evaluator.contrast.written import write_run
from tests.unit.evaluator.report.test_pages import Page, read_rows

TRUE = [3, 5, 8, 2, 9, 4]
ANSWERS = [(3, 4, 3), (5, 5, 5), (8, SampleOutcome.UNPARSED, 8), (2, 2, 2), (9, 9, 29), (4, 4, 4)]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    return write_run(folder, {"counts": {"model": ANSWERS}}, {"counts": TRUE}, repeats=3)


# Every answer is a row, and a result of the sample browser, which finds what is wrong with a later one alone.
def test_every_answer(report: Path) -> None:
    table = parquet.read_table(report / "samples.parquet").to_pylist()
    assert [(row["position"], row["repeat"]) for row in table] == [(i, r) for i in range(6) for r in range(3)]
    assert [row["answer"] for row in table[12:15]] == ["9", "9", "29"]
    rows = read_rows(report, "task1")
    assert [len(row[5]) for row in rows["rows"]] == [3] * 6
    unparsed = [r for row in rows["rows"] for r in row[5] if rows["outcomes"][r[1]] == "unparsed"]
    assert [result[8] for result in unparsed] == [1]
    assert all(len(result) == 7 for row in rows["rows"] for result in row[5][:1])


# A sample's page has each of its answers, and says how many are the same and how far counts lie apart.
def test_sample_page(report: Path) -> None:
    pages = [Page(path) for path in (report / "samples" / "task1").iterdir()]
    assert sum("All 3 answers are the same: 5." in page.text for page in pages) == 1
    text = next(page for page in pages if " 29 " in page.text)
    assert (
        "2 of 3 answers are the same: 9. The standard deviation of the counts is 11.55 objects." in text.text
    )
    assert {"answer-0-1", "answer-0-2"} <= {each.get("id") for each in text.all("tr")}


# What a task's page gathers is of all answers: the plots, and the worst of each sample.
def test_task_page(report: Path) -> None:
    page = Page(report / "task1.html")
    assert "17 answers: 2 predicted too high, 0 too low, 15 exactly." in page.text
    cards = [link["href"] for link in page.all("a") if link.get("class") == "card"]
    assert [href.rpartition("#")[2] for href in cards] == ["answer-0-1", "answer-0-2", "answer-0-1"]
    assert "Every figure is over all answers" in page.text
    assert "SD of the counts within a sample (objects)" in page.text


# Figures, counts, stability and spread are of all answers, in JSON and in Markdown.
def test_texts(report: Path) -> None:
    (task,) = read_json((report / "report.json").read_text()).tasks
    (model,) = task.models
    assert (task.sample_count, model.sample_count, model.usage.answer_count) == (6, 18, 18)
    assert model.stability.value == 0.5
    assert model.within_sample_sd.n == 6
    mae = next(estimate for estimate in model.strict if estimate.name == "mae")
    assert mae.value == pytest.approx((1 + 8 + 20) / 18)
    assert mae.method == "bca-clustered"
    assert json.loads((report / "report.json").read_text())["format_version"] == 1
    text = (report / "report.md").read_text()
    assert "same answer every time" in text
    assert "SD within a sample, objects" in text
