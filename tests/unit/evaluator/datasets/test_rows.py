"""Tables that are read a row at a time."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.datasets.dataset import Dataset
from evaluator.datasets.folders import Folder
from evaluator.datasets.rows import read_table
from evaluator.records import TaskKind
from hooke.errors import InvalidRequestError
from tests.unit.evaluator.datasets import builders
from tests.unit.evaluator.datasets.test_loaders import opened

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=8)
LINES = st.lists(st.tuples(CELLS, CELLS), max_size=8)


def table(folder: Path, name: str, text: str | bytes, *needed: str) -> list[dict[str, str]]:
    """The rows as they come one after the other, which are those that come one by one."""
    builders.put(folder, name, text)
    rows = read_table(Folder(folder), name, needed)
    read = list(rows)
    assert read == [rows[place] for place in range(len(rows))] == list(rows[:])
    return [dict(row.values) for row in read]


# CSV: quoted line breaks, commas, quotes and empty lines are read as Python's own reader reads them, wherever
# one begins.
@given(LINES, st.booleans(), st.sampled_from(["\n", "\r\n"]))
def test_csv(cells: list[tuple[str, str]], mark: bool, line_end: str) -> None:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator=line_end)
    writer.writerow(["one", "two"])
    writer.writerows(cells)
    text = out.getvalue() + line_end
    with tempfile.TemporaryDirectory() as folder:
        found = table(Path(folder), "t.csv", ("\ufeff" * mark + text).encode())
    assert found == [{"one": one, "two": two} for one, two in cells]


# JSON Lines and a JSON array say the same: texts as they are, numbers and lists as Python writes them, and
# nothing for null.
@given(LINES)
def test_json(cells: list[tuple[str, str]]) -> None:
    objects = [{"one": one, "two": two, "three": ["a"], "four": None, "five": 1.5} for one, two in cells]
    lines = "\n\n".join(json.dumps(entry, ensure_ascii=False) for entry in objects)
    with tempfile.TemporaryDirectory() as folder:
        first = table(Path(folder), "t.jsonl", lines.encode())
        assert first == table(Path(folder), "t.json", json.dumps(objects))
    assert first == [
        {"one": one, "two": two, "three": "['a']", "four": "", "five": "1.5"} for one, two in cells
    ]


# Rows may be shorter than the header, or longer.
def test_ragged(tmp_path: Path) -> None:
    assert table(tmp_path, "t.csv", "a,b\n1\n1,2,3\n") == [{"a": "1", "b": ""}, {"a": "1", "b": "2"}]


# What is no table is refused with its name; a missing column with its row.
@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.csv", b"a\n\xff\n", r"t\.csv is not a table"),
        ("t.csv", 'a\n"x"y\n', r"t\.csv is not a table"),
        ("t.csv", 'a\n"x\n', r"t\.csv is not a table"),
        ("t.jsonl", "{", r"t\.jsonl is not a table"),
        ("t.jsonl", "[1]", "it must hold objects"),
        ("t.json", "{}", "it must hold objects"),
        ("t.json", "[1]", "it must hold objects"),
        ("t.csv", "b\n1\n", r"row 1: no column 'a'; there are b"),
        ("t.jsonl", '{"a": 1}\n{"b": 1}', r"row 2: no column 'a'; there are b"),
        ("t.json", '[{"a": 1}, {"b": 1}]', r"row 2: no column 'a'; there are b"),
    ],
)
def test_refused(tmp_path: Path, name: str, text: str | bytes, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        table(tmp_path, name, text, "a")


# A table that was cut off after it was listed is noticed.
def test_cut_off(tmp_path: Path) -> None:
    builders.put(tmp_path, "t.csv", "a\n1\n2\n")
    rows = read_table(Folder(tmp_path), "t.csv", ["a"])
    builders.put(tmp_path, "t.csv", "a\n1\n")
    with pytest.raises(InvalidRequestError, match="shorter than it was"):
        rows[1]


# A listing keeps some bytes of each row and of each field that it could draw, not the rows.
@pytest.mark.parametrize("loader", ["table", "simulated"])
def test_listings_are_small(tmp_path: Path, loader: str) -> None:
    count = 20_000
    lines = "".join(
        f'{{"name": "plate {n} of many, with a long name", "cells": {n}}}\n' for n in range(count)
    )
    builders.put(tmp_path, "t.jsonl", lines)
    fields: dict[str, object] = {"loader": "simulated", "images": count}
    if loader == "table":
        fields = {"loader": "table", "table": "t.jsonl", "row": "name", "truth": "cells"}
    opened(tmp_path, TaskKind.COUNTING, **fields)  # what is loaded the first time is not counted
    tracemalloc.start()
    dataset: Dataset = opened(tmp_path, TaskKind.COUNTING, **fields)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(dataset) == count
    assert kept / count < 25
    assert peak / count < 50
