"""Which samples of a large task get a page, and what the report holds of the others."""

from __future__ import annotations

from pathlib import Path

from pyarrow import parquet

from evaluator.records import SampleRow, SampleScore, TaskKind, Truth
from evaluator.report import ReportSample, SampleResultView, worst_positions, write_report
from evaluator.report.selection import PAGES_MEANING
from evaluator.summaries import ModelSummary, RunSummary, TaskSummary
from hooke.types import SampleOutcome
from tests.unit.evaluator.scored import count_scores, prediction_of, rows_of

ABSTAINED = SampleOutcome.ABSTAINED


# The worst answers of each model are chosen, those that are none first; what a model was tuned on is not.
def test_worst() -> None:
    rows = rows_of(6)
    first = count_scores([10] * 6, [10, 11, ABSTAINED, 19, 12, 10])
    second = count_scores([10] * 6, [30, 10, 10, 10, 10, 10])
    answers = [list(zip(rows, scores, strict=True)) for scores in (first, second)]
    assert worst_positions(TaskKind.COUNTING, answers, most=2) == [0, 1, 2, 3]
    assert worst_positions(TaskKind.COUNTING, answers, most=1) == [0, 2]
    tuned = [
        (row, SampleScore("task", "model", row.sample_id, ABSTAINED, tuned_on=row.index < 5)) for row in rows
    ]
    assert worst_positions(TaskKind.COUNTING, [tuned], most=9) == [5]


def sample_of(row: SampleRow, score: SampleScore, image: bytes | None) -> ReportSample:
    view = SampleResultView(score, prediction_of(row.index, count=score.details["predicted"]))
    return ReportSample("task", row, image, Truth(count=10), {"model": [view]})


# Of a sample without a page there are its answers and its part in the plots, no more; the report says so.
def test_without_a_page(tmp_path: Path) -> None:
    rows = rows_of(3)
    scores = count_scores([10] * 3, [10, 12, 17])
    model = ModelSummary("model", 3, {"scored": 3}, (), ())
    task = TaskSummary("task", TaskKind.COUNTING, "made up", "", "mae", 3, (model,))
    summary = RunSummary("run", "mine", "succeeded", "2025-03-01T12:00:00Z", {}, (task,))
    images = (None, None, b"no picture")
    samples = [sample_of(*each) for each in zip(rows, scores, images, strict=True)]
    write_report(tmp_path, summary, samples)
    assert len(list((tmp_path / "samples").rglob("*.html"))) == 1
    assert (tmp_path / "data" / "task1.js").read_text().count("file ") == 1
    assert parquet.read_table(tmp_path / "samples.parquet")["answer"].to_pylist() == ["10", "12", "17"]
    assert "true 10, predicted 12" in (tmp_path / "task1.html").read_text().lower()
    assert PAGES_MEANING in (tmp_path / "samples.html").read_text()
    write_report(tmp_path / "all", summary, [sample_of(rows[0], scores[0], b"")])
    assert PAGES_MEANING not in (tmp_path / "all" / "samples.html").read_text()
