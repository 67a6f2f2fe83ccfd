"""Which samples a task has, found while they are read: no dataset is read as a whole before it starts."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass

import numpy as np

from evaluator.datasets import Dataset
from evaluator.noted import NotedSamples
from evaluator.records import Sample, SampleRow, Truth
from evaluator.runs import KnownSample, TaskRecord
from evaluator.store import RunStore
from hooke.errors import HookeError


class DatasetChangedError(Exception):
    """A dataset is not the one that the run began with."""


@dataclass(frozen=True, slots=True, eq=False)
class ReadSample:
    """A sample with the hash of its truth."""

    sample: Sample
    truth_digest: str


class Catalogue:
    """The samples of one task, shared by the models that answer it.

    The same image with the same question may be listed more than once: the first one in the order of the
    dataset stands for all, whichever was read first.

    Args:
        dataset: opened.
        task: its task.
        store: where the samples are noted.
        threads: where they are read.
        known: what was noted before.

    Raises:
        DatasetChangedError: samples that were noted before are gone.
    """

    def __init__(
        self,
        dataset: Dataset,
        task: TaskRecord,
        store: RunStore,
        threads: Executor,
        known: Iterable[KnownSample],
    ) -> None:
        self.dataset = dataset
        self.task = task
        self._store = store
        self._threads = threads
        self._next = 0
        self._changed = asyncio.Condition()
        self._noted = NotedSamples(len(dataset), self._there(known))
        self._advance()

    def _there(self, known: Iterable[KnownSample]) -> Iterator[KnownSample]:
        for sample in known:
            if sample.position >= len(self.dataset):
                raise self._has_changed(f"there are only {len(self.dataset)} samples left")
            yield sample

    def __len__(self) -> int:
        """Number of samples listed."""
        return len(self.dataset)

    @property
    def duplicate_count(self) -> int:
        """Listed samples that are another one's image; as far as was read."""
        return self._noted.duplicate_count

    def knows(self, index: int) -> bool:
        """True if the sample was read, now or earlier, or is a duplicate of one."""
        return index in self._noted

    def sample_id(self, index: int) -> str | None:
        """Id of a sample; None if it was not read yet, or is a duplicate."""
        return self._noted.sample_id(index)

    async def sample(self, index: int) -> Sample | None:
        """Read a sample; None if it is a duplicate of an earlier one.

        Every sample before it must have been asked for, or be known. One that cannot be read is a sample,
        too, which fails: see `Dataset.sample`.

        Raises:
            DatasetChangedError: it is not what was noted before: another image, another truth, or one of both
                times unreadable.
        """
        read = await asyncio.get_running_loop().run_in_executor(
            self._threads, read_sample, self.dataset, index
        )
        return await self.take(index, read)

    async def take(self, index: int, read: ReadSample) -> Sample | None:
        """As `sample`, of one that was read elsewhere."""
        found = KnownSample(index, read.sample.sample_id, read.truth_digest)
        async with self._changed:
            await self._changed.wait_for(lambda: index in self._noted or self._next == index)
            writes = [] if index in self._noted else self._note(found, read.sample)
            self._changed.notify_all()
        for write in writes:
            await asyncio.wrap_future(write)
        if self._noted.sample_id(index) is None:
            return None
        if not self._noted.agrees(found):
            why = f": {read.sample.unreadable}" if read.sample.unreadable else ""
            raise self._has_changed(f"{read.sample.source} is not the sample that it was{why}")
        return read.sample

    def _has_changed(self, how: str) -> DatasetChangedError:
        return DatasetChangedError(
            f"the dataset of task {self.task.name!r} has changed since this evaluation began: {how}. Start "
            "a new evaluation (another request_id), or bring the data back as they were and create this one "
            "again."
        )

    def _note(self, found: KnownSample, sample: Sample) -> list[Future[None]]:
        """Say what a sample is; return what writes it down."""
        first = self._noted.note(found)
        self._advance()
        if not first:
            return [self._store.set_sample_count(self.task, len(self.dataset) - self.duplicate_count)]
        row = SampleRow(found.sample_id, found.position, sample.source, sample.slices, sample.cluster)
        return [self._store.add_sample(self.task, row, found.truth_digest)]

    def _advance(self) -> None:
        while self._next < len(self.dataset) and self._next in self._noted:
            self._next += 1


def read_sample(dataset: Dataset, index: int) -> ReadSample:
    """Read a sample. Raises DatasetChangedError where there is none."""
    try:
        sample = dataset.sample(index)
    except (HookeError, OSError) as error:
        raise DatasetChangedError(f"sample {index} of {dataset.name} cannot be found: {error}") from error
    return ReadSample(sample, truth_digest(sample.truth))


def truth_digest(truth: Truth) -> str:
    """SHA-256 of what is known of a sample; the same for the same truth on every machine."""
    known = (truth.count, truth.label) if truth.answer is None else truth.answer
    digest = hashlib.sha256(repr(known).encode())
    if truth.labels is not None:
        digest.update(repr(truth.labels.shape).encode())
        digest.update(np.ascontiguousarray(truth.labels, dtype="<i8").tobytes())
    return digest.hexdigest()
