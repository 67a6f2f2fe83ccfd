"""A report folder, read back: the summary from `report.json`, every answer from `samples.parquet`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute, dataset, parquet

from evaluator.judging import Asked, Judged, Judging
from evaluator.records import SampleRow, SampleScore
from evaluator.report.samples_file import METRIC
from evaluator.report.serialise import read_json
from evaluator.summaries import RunSummary
from hooke.errors import InvalidRequestError
from hooke.types import SampleOutcome

_SCORE = (
    "sample_id",
    "repeat",
    "position",
    "source",
    "cluster",
    "outcome",
    "answer",
    "truth",
    "trivial",
    "error_reason",
    "details",
)
_TUNED = "tuned_on"
"""A column that reports of before lack."""
_PROMPT = ("prompt_version", "prompt_sha256")


@dataclass(frozen=True, slots=True, eq=False)
class NamedAnswers:
    """The answers of a model, and the id of the sample of each with the number of its repeat."""

    names: NDArray[np.bytes_]
    judged: Judged


@dataclass(frozen=True, slots=True, eq=False)
class RunReport:
    """A report.

    Attributes:
        summary: its figures.
        samples: the path of its `samples.parquet`.
    """

    summary: RunSummary
    samples: Path

    def judged(self, task: str, model: str, asked: Asked, repeats: int) -> NamedAnswers:
        """A model's answers to the samples of a task, but for those that failed or that it was tuned on.

        Args:
            task: its name.
            model: its name.
            asked: what the metrics need to know of the task.
            repeats: answers to each sample, 2 if there are several: they are dependent then.
        """
        names = parquet.read_schema(self.samples).names
        further = [name for name in names if name.startswith(METRIC) or name == _TUNED]
        rows = self._rows(task, model, (*_SCORE, *further))
        counted = (row for row in rows if row["outcome"] != SampleOutcome.FAILED and not row.get(_TUNED))
        names_of_answers: list[bytes] = []
        judging = Judging(asked, repeats)
        for row in counted:
            names_of_answers.append(f"{row['sample_id']} {row['repeat']}".encode())
            judging.add(_sample(row), _score(task, model, row))
        return NamedAnswers(np.array(names_of_answers, np.bytes_), judging.done())

    def prompts(self, task: str, model: str) -> tuple[str, ...]:
        """Version and hash of every template that a model was asked with, sorted."""
        rows = self._rows(task, model, _PROMPT)
        told = {(row["prompt_version"], row["prompt_sha256"]) for row in rows if row["prompt_sha256"]}
        return tuple(sorted(f"{version} {sha256}" for version, sha256 in told))

    def _rows(self, task: str, model: str, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        field = compute.field
        wanted = (field("task") == task) & (field("model") == model)
        scanner = dataset.dataset(self.samples).scanner(columns=list(columns), filter=wanted)
        for batch in scanner.to_batches():
            yield from batch.to_pylist()


def read_folder(folder: Path) -> RunReport:
    """Read a report folder.

    Raises:
        InvalidRequestError: it holds no report, or one of a version without `samples.parquet`.
    """
    numbers, samples = folder / "report.json", folder / "samples.parquet"
    if not numbers.is_file():
        raise InvalidRequestError(f"{folder} holds no report: report.json is missing")
    summary = read_json(numbers.read_text(encoding="utf-8"))
    if not samples.is_file():
        raise InvalidRequestError(
            f"{folder} has no samples.parquet, which reports of earlier versions lack; evaluate again"
        )
    try:
        parquet.read_schema(samples)
    except (pa.ArrowInvalid, OSError) as error:
        raise InvalidRequestError(f"{samples} cannot be read: {error}") from error
    return RunReport(summary, samples)


def _sample(row: Mapping[str, Any]) -> SampleRow:
    return SampleRow(row["sample_id"], row["position"], row["source"], {}, row["cluster"])


def _score(task: str, model: str, row: Mapping[str, Any]) -> SampleScore:
    metrics = {
        name.removeprefix(METRIC): value
        for name, value in row.items()
        if name.startswith(METRIC) and value is not None
    }
    return SampleScore(
        task=task,
        model=model,
        sample_id=row["sample_id"],
        outcome=SampleOutcome(row["outcome"]),
        metrics=metrics,
        answer=row["answer"],
        truth=row["truth"],
        details=json.loads(row["details"]),
        trivial=row["trivial"],
        error_reason=row["error_reason"],
        repeat=row["repeat"],
    )
