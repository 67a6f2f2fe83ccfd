"""Answers of an earlier evaluation, as the questions that a judge is asked."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from evaluator.datasets.folders import Folder
from evaluator.datasets.judging import list_items
from evaluator.datasets.specs import AnswersSpec
from evaluator.report.samples_file import COLUMNS
from hooke.errors import InvalidRequestError
from tests.unit.evaluator.datasets import builders

SPEC = AnswersSpec(loader="answers", table="samples.parquet", task="described", ask="Describe it.")


def answer(task: str, written: str | None, *, tuned_on: bool | None = False) -> dict[str, Any]:
    told = {
        "task": task,
        "model": "m",
        "sample_id": "1",
        "repeat": 0,
        "source": "a.png",
        "cluster": "patient",
    }
    return {**told, "truth": "gold", "written": written, "tuned_on": tuned_on}


def folder_of(root: Path, rows: list[dict[str, Any]], columns: pa.Schema = COLUMNS, group: int = 2) -> Folder:
    builders.put(root, "a.png", builders.png(builders.noise(1)))
    parquet.write_table(pa.Table.from_pylist(rows, columns), root / "samples.parquet", row_group_size=group)
    return Folder.open(root, ".")


# Of a task that lies anywhere in the file, what was written is graded, but for what its model was tuned on.
def test_what_is_listed(tmp_path: Path) -> None:
    rows = [
        answer("other", "of another task"),
        answer("described", "first"),
        answer("other", "of another task"),
        answer("described", None),
        answer("described", "tuned on", tuned_on=True),
        answer("other", "of another task"),
        answer("described", "second", tuned_on=None),
        answer("described", "third"),
    ]
    items = list_items(SPEC, folder_of(tmp_path, rows))
    asked = [item.read().inquiry for item in items]
    assert len(asked) == 3
    for inquiry, written in zip(asked, ("first", "second", "third"), strict=True):
        assert inquiry is not None
        assert f"<<<\n{written}\n>>>" in inquiry.text
    assert [(item.source, item.slices, item.cluster) for item in items] == [
        ("a.png, m", {"model": "m"}, "patient")
    ] * 3


# A file without such answers, or without a column, is refused with what it lacks.
def test_nothing_to_grade(tmp_path: Path) -> None:
    for rows in ([], [answer("other", "text")], [answer("described", None)]):
        with pytest.raises(InvalidRequestError, match="written answers of a task 'described'"):
            list_items(SPEC, folder_of(tmp_path, rows))
    columns = COLUMNS.remove(COLUMNS.get_field_index("cluster"))
    with pytest.raises(InvalidRequestError, match="no column 'cluster'"):
        list_items(SPEC, folder_of(tmp_path, [answer("described", "text")], columns))


# Answers of other tasks, however many there are, take no memory as objects.
def test_memory(tmp_path: Path) -> None:
    rows = [answer("other", "x" * 500) for _ in range(20_000)]
    folder = folder_of(tmp_path, [*rows, answer("described", "first")], group=1_000)
    list_items(SPEC, folder)  # what is loaded once
    tracemalloc.start()
    try:
        assert len(list_items(SPEC, folder)) == 1
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
