from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from evaluator.catalogue import Catalogue, DatasetChangedError, truth_digest
from evaluator.datasets import Dataset
from evaluator.datasets.dataset import Content, Item
from evaluator.provenance import manifest_digest
from evaluator.records import TaskKind, Truth
from evaluator.runs import RunSpec, TaskPlan, TaskRecord
from evaluator.store import RunStore

WAIT_S = 10


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    store = RunStore(tmp_path)
    yield store
    store.close()


def task_of(store: RunStore) -> TaskRecord:
    store.create("run", RunSpec("r"), "s").result(WAIT_S)
    opened: Future[list[TaskRecord]] = store.open("run", ["m"], [TaskPlan("t", "d" * 64, ("m",))])
    return opened.result(WAIT_S)[0]


def dataset_of(images: str, delays_s: dict[int, float] | None = None, truth: int = 1) -> Dataset:
    """A dataset with an image for each letter; the same letter is the same image."""

    def item(index: int, letter: str) -> Item:
        def read() -> Content:
            time.sleep((delays_s or {}).get(index, 0))
            return Content(letter.encode(), Truth(count=truth))

        return Item(f"file {index}", read)

    return Dataset("letters", TaskKind.COUNTING, [item(*pair) for pair in enumerate(images)])


# The first of several equal images stands for all, though it is read last.
async def test_first_duplicate_wins(store: RunStore, threads: ThreadPoolExecutor) -> None:
    task = task_of(store)
    dataset = dataset_of("abcab", {0: 0.2, 1: 0.1})
    catalogue = Catalogue(dataset, task, store, threads, [])
    samples = await asyncio.gather(*(catalogue.sample(index) for index in range(5)))
    assert [None if sample is None else sample.image for sample in samples] == [b"a", b"b", b"c", None, None]
    assert [row.source for row in list(store.iter_samples(task))] == ["file 0", "file 1", "file 2"]
    assert store.tasks("run")[0].sample_count == 3
    assert catalogue.duplicate_count == 2


# Taken up again, what was noted stands, and only the rest is found anew.
async def test_known_samples_stand(store: RunStore, threads: ThreadPoolExecutor) -> None:
    task = task_of(store)
    dataset = dataset_of("abcab")
    first = Catalogue(dataset, task, store, threads, [])
    for index in (0, 1):
        await first.sample(index)
    second = Catalogue(dataset, task, store, threads, store.iter_known_samples(task))
    assert second.sample_id(1) == first.sample_id(1) is not None
    assert second.sample_id(2) is None
    third = await second.sample(2)
    assert third is not None
    assert third.image == b"c"
    assert await second.sample(3) is None
    assert len(list(store.iter_samples(task))) == 3


# Models that go through the same task at different speeds see the same samples.
async def test_shared_by_models(store: RunStore, threads: ThreadPoolExecutor) -> None:
    catalogue = Catalogue(dataset_of("abca", {0: 0.05}), task_of(store), store, threads, [])
    one, two = (asyncio.gather(*(catalogue.sample(index) for index in range(4))) for _ in range(2))
    ids = [[sample and sample.sample_id for sample in samples] for samples in await asyncio.gather(one, two)]
    assert ids[0] == ids[1]


# An image or a truth that is not what it was is noticed and named.
@pytest.mark.parametrize("changed", [dataset_of("axc"), dataset_of("abc", truth=2)])
async def test_changes_are_noticed(store: RunStore, threads: ThreadPoolExecutor, changed: Dataset) -> None:
    task = task_of(store)
    first = Catalogue(dataset_of("abc"), task, store, threads, [])
    for index in range(3):
        await first.sample(index)
    second = Catalogue(changed, task, store, threads, store.iter_known_samples(task))
    with pytest.raises(DatasetChangedError, match="file 1"):
        await second.sample(1)


class Files:
    """A dataset of files of which some are broken; which ones can change."""

    def __init__(self, images: str, broken: str = "") -> None:
        self.broken = broken
        items = [Item(f"{letter}.tif", partial(self._read, letter)) for letter in images]
        self.dataset = Dataset("letters", TaskKind.COUNTING, items)

    def _read(self, letter: str) -> Content:
        if letter in self.broken:
            raise FileNotFoundError(f"{letter}.tif is gone")
        return Content(letter.encode(), Truth(count=1))


# A file that cannot be read is a sample of its own, which says why; the samples around it are not touched.
async def test_unreadable(store: RunStore, threads: ThreadPoolExecutor) -> None:
    task = task_of(store)
    files = Files("abcd", broken="bc")
    catalogue = Catalogue(files.dataset, task, store, threads, [])
    samples = [await catalogue.sample(index) for index in range(4)]
    assert [sample.unreadable for sample in samples if sample] == ["", "b.tif is gone", "c.tif is gone", ""]
    assert len({sample.sample_id for sample in samples if sample}) == 4
    again = Catalogue(files.dataset, task, store, threads, store.iter_known_samples(task))
    second = await again.sample(1)
    assert second is not None
    assert second.sample_id == catalogue.sample_id(1)


# A file that was read and cannot be any more has changed, and so has one that can be again.
@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("", "b", r"b\.tif is not the sample that it was: b\.tif is gone"),
        ("b", "", "is not the sample that it was"),
    ],
)
async def test_unreadable_later(
    store: RunStore, threads: ThreadPoolExecutor, before: str, after: str, told: str
) -> None:
    task = task_of(store)
    files = Files("abc", broken=before)
    first = Catalogue(files.dataset, task, store, threads, [])
    for index in range(3):
        await first.sample(index)
    files.broken = after
    second = Catalogue(files.dataset, task, store, threads, store.iter_known_samples(task))
    with pytest.raises(DatasetChangedError, match=told):
        await second.sample(1)


# The manifest depends on every image, every truth and their order, and on nothing else.
async def test_manifest(store: RunStore, threads: ThreadPoolExecutor) -> None:
    async def manifest(dataset: Dataset, number: int) -> str:
        store.create("run", RunSpec("r"), "s").result(WAIT_S)
        digest = f"{number}" * 64
        (task,) = store.open("run", ["m"], [TaskPlan("t", digest, ("m",))]).result(WAIT_S)
        catalogue = Catalogue(dataset, task, store, threads, [])
        for index in range(len(dataset)):
            await catalogue.sample(index)
        return manifest_digest(store.iter_known_samples(task))

    different = (dataset_of("abc"), dataset_of("abd"), dataset_of("acb"), dataset_of("abc", truth=2))
    manifests = [await manifest(dataset, number) for number, dataset in enumerate(different)]
    assert len(set(manifests)) == 4
    assert await manifest(dataset_of("abc"), 5) == manifests[0]


# The truth's digest sees values and shape, not how they are stored.
def test_truth_digest() -> None:
    labels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    same = Truth(labels=labels.astype(np.int32))
    assert truth_digest(Truth(labels=labels)) == truth_digest(same)
    others = [Truth(labels=labels.T), Truth(labels=labels + 1), Truth(count=1), Truth(label="1"), Truth()]
    digests = {truth_digest(other) for other in others}
    assert len(digests) == 5
    assert truth_digest(same) not in digests
