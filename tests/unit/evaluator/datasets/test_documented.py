"""docs/datasets.md has every suite, every task of it and every loader."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from evaluator.datasets.specs import FolderDatasetSpec, SimulatedSpec
from evaluator.suites import builtin_suite, builtin_suite_names

PAGE = (Path(__file__).parents[4] / "docs" / "datasets.md").read_text(encoding="utf-8")


def rows(heading: str) -> dict[str, list[str]]:
    """The table below a heading: first cell, without its backquotes -> the others."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    cells = [re.split(r"\s*\|\s*", line.strip("| \n")) for line in section.splitlines() if line[:3] == "| `"]
    return {row[0].strip("`"): row[1:] for row in cells}


# Every suite has a row, with its tasks or the file that lists them, and there is no row of any other.
def test_suites() -> None:
    assert sorted(rows("Suites")) == sorted(builtin_suite_names())


@pytest.mark.parametrize("name", builtin_suite_names())
def test_tasks(name: str) -> None:
    tasks = rows("Suites")[name][1]
    if not tasks.startswith("see "):
        assert tasks.split(", ") == [task.name for task in builtin_suite(name).tasks]


# Every loader has a row, and there is no row of any other.
def test_loaders() -> None:
    specs = (SimulatedSpec, *get_args(FolderDatasetSpec))
    names = [get_args(spec.model_fields["loader"].annotation)[0] for spec in specs]
    assert sorted(rows("Layouts")) == sorted(names)


# A set that the suite of all biology reads is read there as in its own suite.
@pytest.mark.parametrize(
    ("task", "suite"),
    [
        ("stardist-segmentation", "stardist"),
        ("phase-contrast-segmentation", "usiigaci"),
        ("vgg-counting", "vgg"),
        ("bone-marrow-counting", "mbm"),
        ("adipocyte-counting", "adipocyte"),
        ("bacteria-segmentation", "colicoords"),
        ("colony-segmentation", "trpl"),
        ("blood-cell-counting", "bccd"),
        ("white-cell-classification", "wbc"),
        ("parasite-classification", "malaria"),
        ("plankton-classification", "plankton"),
    ],
)
def test_biology(task: str, suite: str) -> None:
    tasks = {found.name: found for found in builtin_suite("biology").tasks}
    own = builtin_suite(suite).tasks[0].dataset
    assert tasks[task].dataset.model_copy(update={"folder": "."}) == own
