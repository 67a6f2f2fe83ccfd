"""Finding the samples that models were tuned on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evaluator.control import Control
from evaluator.datasets import Dataset
from evaluator.datasets.dataset import Content, Item
from evaluator.pacing import StoppedError
from evaluator.preparing import OpenTask, suite_of
from evaluator.records import SampleRow, TaskKind, Truth
from evaluator.runs import RunRecord, RunSpec, TaskPlan
from evaluator.store import RunStore
from evaluator.tuning import with_tuned
from tests.unit.evaluator.datasets import builders

WAIT_S = 10
SUITE = """
name: squares
tasks:
  - name: squares
    kind: counting
    dataset: {loader: image_label_pairs, image: "{id}.png", truth: "{id}.tif"}
    tuned_on: [{table: tuning.csv, sample: file}]
"""


def task_of(count: int, read: Callable[[int], None]) -> OpenTask:
    """Images 0.png, 1.png, ..., two of each patient; `read` hears which one is read."""

    def item(index: int) -> Item:
        def content() -> Content:
            read(index)
            return Content(f"image {index}".encode(), Truth(count=1))

        return Item(f"{index}.png", content, cluster=f"patient {index // 2}")

    dataset = Dataset("squares", TaskKind.COUNTING, [item(index) for index in range(count)])
    (task,) = suite_of(RunSpec("r", suite_yaml=SUITE)).tasks
    return OpenTask(task, dataset, ())


@pytest.fixture
def run(store: RunStore) -> RunRecord:
    return store.create("run", RunSpec("r", suite_yaml=SUITE), "squares").result(WAIT_S)


# What a run knows of its samples is not read again when it is taken up; all of it counts, with its clusters.
def test_what_is_known_is_not_read(store: RunStore, run: RunRecord, tmp_path: Path) -> None:
    builders.put(tmp_path, "tuning.csv", "file\n1.png\n7.png\n")
    read: list[int] = []
    opened = task_of(8, read.append)
    (task,) = store.open("run", ["m"], [TaskPlan("squares", opened.spec.digest, ("m",))]).result(WAIT_S)
    fresh = with_tuned(opened, ["m"], run, tmp_path, store, Control(lambda: None))
    assert read == list(range(8))
    ids = [opened.dataset[index].sample_id for index in range(8)]
    assert fresh.tuned == {"m": {ids[0], ids[1], ids[6], ids[7]}}
    for index in range(5):
        row = SampleRow(ids[index], index, f"{index}.png", {}, f"patient {index // 2}")
        store.add_sample(task, row, "").result(WAIT_S)
    read.clear()
    taken_up = with_tuned(opened, ["m"], run, tmp_path, store, Control(lambda: None))
    assert read == [5, 6, 7]
    assert taken_up.tuned == fresh.tuned


# A run that is cancelled meanwhile reads no further.
def test_stopped_meanwhile(store: RunStore, run: RunRecord, tmp_path: Path) -> None:
    builders.put(tmp_path, "tuning.csv", "file\n1.png\n")
    control = Control(lambda: None)
    read: list[int] = []

    def note(index: int) -> None:
        read.append(index)
        if index == 2:
            control.cancel()

    with pytest.raises(StoppedError):
        with_tuned(task_of(8, note), ["m"], run, tmp_path, store, control)
    assert read == [0, 1, 2]
