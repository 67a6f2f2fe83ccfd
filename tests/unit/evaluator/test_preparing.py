from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from evaluator.preparing import data_dir_of, models_of, suite_of
from evaluator.runs import RunSpec
from evaluator.suites import Suite
from hooke.errors import InvalidRequestError
from hooke.types import Licences, ModelInfo, ModelState, Task

SUITE = """
name: two
tasks:
  - {name: outline, kind: segmentation, dataset: {loader: simulated, images: 1}}
  - {name: number, kind: counting, dataset: {loader: simulated, images: 1}}
"""


@pytest.fixture
def two_tasks() -> Suite:
    return suite_of(RunSpec("r", suite_yaml=SUITE))


def info(name: str, *tasks: Task, state: ModelState = ModelState.READY) -> ModelInfo:
    empty: dict[str, object] = dict.fromkeys((field.name for field in dataclasses.fields(ModelInfo)), "")
    known = {"name": name, "tasks": frozenset(tasks), "state": state, "licences": Licences("")}
    return ModelInfo(**{**empty, **known})  # type: ignore[arg-type]


KNOWN = {
    "both": info("both", Task.SEGMENT, Task.COUNT),
    "counter": info("counter", Task.COUNT),
    "namer": info("namer", Task.CLASSIFY),
    "starting": info("starting", state=ModelState.LOADING),
}


# Without names, every model that can do a task does it; one that is still loading may be able to.
def test_all_models(two_tasks: Suite) -> None:
    assert models_of(two_tasks, [], KNOWN) == {
        "outline": ("both", "starting"),
        "number": ("both", "counter", "starting"),
    }


# A model that does not run is asked by name only: its route alone is no reason to wait for it.
def test_models_that_do_not_run(two_tasks: Suite) -> None:
    away = info("away", state=ModelState.UNAVAILABLE)
    known = {**KNOWN, "away": away}
    assert models_of(two_tasks, [], known) == models_of(two_tasks, [], KNOWN)
    assert models_of(two_tasks, ["away"], known) == {"outline": ("away",), "number": ("away",)}
    with pytest.raises(InvalidRequestError, match="'outline'; others do not run"):
        models_of(two_tasks, [], {"away": away})


# With names, each does what it can.
def test_named_models(two_tasks: Suite) -> None:
    chosen = models_of(two_tasks, ["counter", "both"], KNOWN)
    assert chosen == {"outline": ("both",), "number": ("counter", "both")}


# A model that is not there, a task that nobody can do, and a model without any task are told apart.
@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (["both", "nobody"], "'nobody' is unknown; the gateway has 'both', 'counter', 'namer', 'starting'"),
        (["counter"], "none of 'counter' can do the task 'outline'"),
        (["both", "namer"], "'namer' can do none of the suite's tasks"),
    ],
)
def test_models_that_cannot(two_tasks: Suite, wanted: list[str], told: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        models_of(two_tasks, wanted, KNOWN)
    assert told in caught.value.message
    assert [violation.field for violation in caught.value.violations] == ["models"]


# The same question under two names would be asked, and paid for, twice.
def test_same_question_twice_is_refused() -> None:
    text = SUITE.replace("counting", "segmentation")
    with pytest.raises(InvalidRequestError, match="asks the same as the task 'outline'"):
        suite_of(RunSpec("r", suite_yaml=text))


FOLDERS = """
name: three
description: Needs the folders a and b.
tasks:
  - {name: first, kind: segmentation, dataset: {loader: dsb2018, folder: a}}
  - {name: second, kind: counting, dataset: {loader: dsb2018, folder: b}}
  - {name: third, kind: counting, dataset: {loader: dsb2018, folder: here}}
"""


# Every folder that is missing is named at once, by its task and whole path, with what can be done about it.
def test_missing_folders(tmp_path: Path) -> None:
    (tmp_path / "data" / "here").mkdir(parents=True)
    spec = RunSpec("r", suite_yaml=FOLDERS, data_dir="data")
    with pytest.raises(InvalidRequestError) as caught:
        data_dir_of(spec, suite_of(spec), tmp_path)
    assert [(each.field, each.description) for each in caught.value.violations] == [
        ("suite.tasks[0].dataset.folder", f"'first': no folder {tmp_path / 'data' / 'a'}"),
        ("suite.tasks[1].dataset.folder", f"'second': no folder {tmp_path / 'data' / 'b'}"),
    ]
    for violation in caught.value.violations:
        assert f"{violation.field}: {violation.description}" in caught.value.message
    assert "leave their tasks out" in caught.value.message
    assert "The suite says: Needs the folders a and b." in caught.value.message


# What is wrong with a folder is told with the folder that it is looked for in, and who sets that.
@pytest.mark.parametrize("data_dir", ["", "missing", ".."])
def test_data_root_is_named(data_dir: str, tmp_path: Path) -> None:
    spec = RunSpec("r", suite_yaml=FOLDERS, data_dir=data_dir)
    with pytest.raises(InvalidRequestError) as caught:
        data_dir_of(spec, suite_of(spec), tmp_path)
    assert f"the data folder is {tmp_path} (HOOKE_EVALUATOR_DATA_ROOT;" in caught.value.message
    assert "HOOKE_DATA_DIR" in caught.value.message
