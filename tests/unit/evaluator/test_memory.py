"""What the end of a run holds of its samples: numbers in columns, and nothing else that grows with them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluator import aggregate
from evaluator.aggregate import known_of
from evaluator.metrics import intervals
from evaluator.provenance import manifest_digest
from evaluator.records import Prediction, SampleRow, SampleScore, TaskKind, Truth
from evaluator.report import ReportSample, SampleResultView, samples_file, worst_positions, write_report
from evaluator.runs import KnownSample
from evaluator.summaries import RunSummary
from hooke.types import SampleOutcome
from tests.unit.evaluator.scored import task_of

FEW, MANY = 1_000, 9_000
BYTES_OF_A_SAMPLE = 200
"""Its columns, those computed of them, and copies for a while. As objects it is 2,000 and more."""
TASK = task_of(TaskKind.COUNTING)
MODEL = "model"


def answers(count: int) -> Iterator[tuple[SampleRow, SampleScore]]:
    for index in range(count):
        true, said = index % 300, index * 7 % 300
        row = SampleRow(f"{index:064x}", index, f"file {index}", {"half": str(index % 2)}, None)
        error = said - true
        metrics = {"error": float(error), "absolute_error": float(abs(error))}
        details = {"true": true, "predicted": said}
        yield (
            row,
            SampleScore(
                TASK.name,
                MODEL,
                row.sample_id,
                SampleOutcome.SCORED,
                metrics,
                str(said),
                str(true),
                details,
            ),
        )


def conclude(count: int, out: Path) -> None:
    """What the end of a run does with its samples; those of a large task get no pages."""
    manifest_digest(KnownSample(row.index, row.sample_id, row.sample_id) for row, _ in answers(count))
    known = known_of(TASK, answers(count), (0.1 for _ in range(count)))
    summary = aggregate.summarise(TASK, "made up", count, {MODEL: known})
    worst_positions(TASK.kind, [answers(count)])
    write_report(out, RunSummary("run", "s", "succeeded", "", {}, (summary,)), told(count))


def told(count: int) -> Iterator[ReportSample]:
    for row, score in answers(count):
        said = score.details["predicted"]
        prediction = Prediction(TASK.name, MODEL, row.sample_id, SampleOutcome.SCORED, count=said)
        truth = Truth(count=score.details["true"])
        yield ReportSample(TASK.name, row, None, truth, {MODEL: [SampleResultView(score, prediction)]})


def peak_bytes(count: int, out: Path) -> int:
    tracemalloc.start()
    try:
        conclude(count, out)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# Ten times the samples take more memory by the bytes of their columns, and by none of their objects.
def test_memory_stays_flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "RESAMPLES", 50)
    monkeypatch.setattr(intervals, "CHUNK", 50_000)
    monkeypatch.setattr(intervals, "_AT_ONCE", 5_000)
    monkeypatch.setattr(samples_file, "ROW_GROUP", 256)
    conclude(50, tmp_path)  # what is loaded and compiled once
    few, many = peak_bytes(FEW, tmp_path), peak_bytes(MANY, tmp_path)
    assert many - few < BYTES_OF_A_SAMPLE * (MANY - FEW)
