"""`samples.parquet`: every answer of a report, as other programs read it."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow import parquet

from evaluator.records import Prediction, SampleRow, SampleScore, Truth
from evaluator.report import ReportSample, SampleResultView, samples_file, write_report
from evaluator.report.samples_file import COLUMNS, SamplesFile
from hooke.types import SampleOutcome
from tests import report_example as example


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("report")
    write_report(folder, example.summary(), example.samples())
    return parquet.read_table(folder / "samples.parquet")


# There is one row for each answer to a sample of every task; every slice and metric has a column of its own.
def test_rows(table) -> None:
    assert table.num_rows == 4 * len(example.MODELS) * example.SAMPLE_COUNT
    assert table.schema.names[: len(COLUMNS.names)] == COLUMNS.names
    further = set(table.schema.names[len(COLUMNS.names) :])
    assert {"slice.blur", "slice.objects", "metric.seg_accuracy@0.5", "metric.absolute_error"} <= further
    assert all(name.startswith(("slice.", "metric.")) for name in further)
    keys = set(zip(*(table[name].to_pylist() for name in ("task", "model", "sample_id")), strict=True))
    assert len(keys) == table.num_rows


# A row says what was asked, answered and measured, as the report has it; what is not there is null.
def test_values(table) -> None:
    rows = [row for row in table.to_pylist() if row["task"] == example.QUESTIONS]
    good, hostile = (next(r for r in rows if r["model"] == m and r["position"] == 1) for m in example.MODELS)
    assert (good["outcome"], good["answer"], good["truth"]) == ("scored", "12.5 um", "12 um")
    assert good["written"] == "They are about that.\nAnswer: 12.5 um"
    assert (good["slice.blur"], good["slice.objects"], good["cluster"]) == ("2", None, "plate 1")
    assert (good["metric.correct"], hostile["metric.correct"]) == (1.0, 0.0)
    assert good["metric.absolute_error"] is None
    assert json.loads(hostile["details"])["note"] == "off by 10^3"
    failed = next(r for r in rows if r["outcome"] == "failed")
    assert (failed["error_reason"], failed["metric.correct"]) == ("QUEUE_FULL", None)


def _samples(count: int) -> Iterator[ReportSample]:
    """Samples with a slice and a metric that only the last one has."""
    for index in range(count):
        last = index == count - 1
        row = SampleRow(f"{index:064}", index, "file", {"late" if last else "blur": str(index % 7)}, None)
        metrics = {"rare" if last else "correct": index / count}
        score = SampleScore("t", "m", row.sample_id, SampleOutcome.SCORED, metrics, "1", "1", {"true": 1})
        prediction = Prediction("t", "m", row.sample_id, SampleOutcome.SCORED, count=1, written="x" * 500)
        yield ReportSample("t", row, b"", Truth(count=1), {"m": [SampleResultView(score, prediction)]})


# Columns that only the last row needs are there for all, whatever the groups of rows are.
def test_late_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples_file, "ROW_GROUP", 10)
    with SamplesFile(tmp_path / "samples.parquet") as file:
        for sample in _samples(25):
            file.add(sample, sample.row.slices)
    table = parquet.read_table(tmp_path / "samples.parquet")
    assert table["metric.rare"].to_pylist() == [*[None] * 24, 24 / 25]
    assert table["slice.late"].to_pylist() == [*[None] * 24, "3"]
    assert table["position"].to_pylist() == list(range(25))
    assert [path.name for path in tmp_path.iterdir()] == ["samples.parquet"]


# Without a sample there is a file without rows; after an error there is none.
def test_nothing(tmp_path: Path) -> None:
    with SamplesFile(tmp_path / "samples.parquet"):
        pass
    assert parquet.read_table(tmp_path / "samples.parquet").num_rows == 0
    with pytest.raises(RuntimeError, match="stopped"), SamplesFile(tmp_path / "other.parquet"):
        raise RuntimeError("stopped")
    assert [path.name for path in tmp_path.iterdir()] == ["samples.parquet"]


# Memory does not grow with the number of samples: ten times as many take no more at their most.
@pytest.mark.slow
def test_memory(tmp_path: Path) -> None:
    peaks = []
    for count in (10_000, 100_000):
        tracemalloc.start()
        with SamplesFile(tmp_path / f"{count}.parquet") as file:
            for sample in _samples(count):
                file.add(sample, sample.row.slices)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]
