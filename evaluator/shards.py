"""What a worker of a cluster does: some samples of one task, with the code that any evaluator has.

A worker opens the dataset itself, at the path that it has everywhere, asks through the gateway, and scores.
It keeps nothing: what it has finished goes to the one process that writes.
"""

from __future__ import annotations

import asyncio
import functools
import math
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from evaluator import provenance
from evaluator.answering import Question
from evaluator.asking import Asker
from evaluator.catalogue import DatasetChangedError, ReadSample, read_sample
from evaluator.control import Control
from evaluator.kept import Kept
from evaluator.lanes import Lane, LaneWorker
from evaluator.preparing import OpenTask, data_dir_of, open_task, suite_of
from evaluator.records import Prediction, Sample, SampleScore, Truth
from evaluator.runner import Limits, innermost
from evaluator.runs import KnownOutcome, KnownSample, RunSpec, TaskRecord
from evaluator.sharing import Lines
from evaluator.telemetry import EvaluatorMetrics
from evaluator.threads import on
from hooke import AsyncClient, Tls
from hooke.errors import InternalError
from hooke.types import SampleOutcome

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Site:
    """What is the same for all workers of a run.

    Attributes:
        gateway, tls: how models are reached.
        data_root: where datasets lie, on every machine.
        limits: of the run; how much of them a worker may take is up to the shard.
        code: what must run on all of them.
        code_tag: its name.
    """

    gateway: str
    tls: Tls | None
    data_root: Path | None
    limits: Limits
    code: Mapping[str, Any]
    code_tag: str


@dataclass(frozen=True, slots=True)
class Source:
    """A task of a suite, as a worker finds it; see `RunSpec`."""

    suite_name: str
    suite_yaml: str
    data_dir: str
    sample_limit: int | None
    place: int

    @classmethod
    def of(cls, spec: RunSpec, place: int) -> Source:
        """The task at a place in the suite of a run."""
        return cls(spec.suite_name, spec.suite_yaml, spec.data_dir, spec.sample_limit, place)


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """Samples of one lane that are to be asked.

    Attributes:
        samples: at their positions in the dataset.
        failed: what became of those that were asked before, by sample id.
        most_in_flight: calls at a time.
        until: no sample is sent after this time, in seconds since 1970; infinite: there is no such time.
    """

    source: Source
    task: TaskRecord
    model: str
    repeat: int
    samples: Sequence[KnownSample]
    failed: Mapping[str, Prediction]
    most_in_flight: int
    until: float


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """A prediction with the bytes of its label TIFF, if it has one, and its score."""

    prediction: Prediction
    mask: bytes | None
    score: SampleScore


def look(site: Site, source: Source, positions: Sequence[int]) -> list[ReadSample]:
    """Say which samples there are; images and truths stay here, and the hash of each truth is told.

    Raises:
        DatasetChangedError: one cannot be found.
        InternalError: this machine has other code.
    """
    _check(site)
    dataset = _opened(source, site.data_root).dataset
    reads = (read_sample(dataset, position) for position in positions)
    return [
        replace(read, sample=replace(read.sample, image=b"", further_images=(), truth=Truth()))
        for read in reads
    ]


def work(site: Site, shard: Shard) -> Iterator[Finished]:
    """Finish samples one after the other, as they come; what the time does not suffice for is left out.

    Raises:
        DatasetChangedError, ModelChangedError: the run cannot go on.
        InternalError: this machine has other code.
    """
    _check(site)
    done: SimpleQueue[Finished | Exception | None] = SimpleQueue()
    control = Control(lambda: None)

    def run() -> None:
        try:
            asyncio.run(_go_through(site, shard, control, done))
        except Exception as error:  # noqa: BLE001  (handed to whoever waits)
            cause = innermost(error)
            done.put(cause if isinstance(cause, Exception) else error)
        done.put(None)

    threading.Thread(target=run, name="hooke-shard", daemon=True).start()
    try:
        while (one := done.get()) is not None:
            if isinstance(one, Exception):
                raise one
            yield one
    finally:
        control.interrupt()  # if whoever waits has left


async def _go_through(
    site: Site, shard: Shard, control: Control, done: SimpleQueue[Finished | Exception | None]
) -> None:
    client = AsyncClient(site.gateway, tls=site.tls, retries=False)
    with ThreadPoolExecutor(1, thread_name_prefix="hooke-shard") as threads:
        opened = await on(threads, _opened, shard.source, site.data_root)
        most = shard.most_in_flight
        pace = replace(site.limits.pace, start=min(site.limits.pace.start, most), most=most)
        share = control.share(Lines(pace).line(shard.model))
        lane = Lane(
            shard.task,
            Question(opened.spec, shard.model, opened.examples, shard.repeat),
            _ShardSamples(opened, shard, threads),
            Asker(client, share, site.limits.call_timeout_s, None, None, None),
            kept=Kept(len(shard.samples), _failures(shard), None),
        )
        outbox, unheard = _Outbox(shard, done), EvaluatorMetrics()
        worker = LaneWorker(outbox, threads, 2 * most, site.code_tag, unheard)
        left_s = None if math.isinf(shard.until) else max(0.0, shard.until - time.time())
        try:
            with control.for_at_most(left_s):
                await worker.go_through(lane, control)
        finally:
            await client.close()


def _failures(shard: Shard) -> Iterator[KnownOutcome]:
    """What became of the samples that were asked before, at their places in the shard."""
    for place, sample in enumerate(shard.samples):
        if sample.sample_id in shard.failed:
            yield KnownOutcome(place, sample.sample_id, SampleOutcome.FAILED, None)


class _ShardSamples:
    """The samples of a shard, which are known, in the form that a lane takes."""

    def __init__(self, opened: OpenTask, shard: Shard, threads: Executor) -> None:
        self._opened = opened
        self._known = shard.samples
        self._threads = threads

    def __len__(self) -> int:
        """How many there are."""
        return len(self._known)

    async def sample(self, index: int) -> Sample:
        """Read a sample. Raises DatasetChangedError where it is not the one that was found before."""
        known = self._known[index]
        read = await on(self._threads, read_sample, self._opened.dataset, known.position)
        if (read.sample.sample_id, read.truth_digest) != (known.sample_id, known.truth_digest):
            raise DatasetChangedError(
                f"{read.sample.source} is not the sample that it was on another machine"
            )
        return read.sample


class _Outbox:
    """Sends what is finished to who writes, and knows what failed before; in the place of a store."""

    def __init__(self, shard: Shard, done: SimpleQueue[Finished | Exception | None]) -> None:
        self._shard = shard
        self._done = done
        self._unscored: dict[str, tuple[Prediction, bytes | None]] = {}

    def add_prediction(
        self, task: TaskRecord, prediction: Prediction, mask: bytes | None
    ) -> Future[Prediction]:
        """Hold a prediction until it is scored."""
        del task
        self._unscored[prediction.sample_id] = (prediction, mask)
        return _done(prediction)

    def add_score(self, task: TaskRecord, score: SampleScore, code_tag: str) -> Future[None]:
        """Send a prediction with its score."""
        del task, code_tag
        self._done.put(Finished(*self._unscored.pop(score.sample_id), score))
        return _done(None)

    def predictions(self, task: TaskRecord, sample_id: str, repeat: int = 0) -> Mapping[str, Prediction]:
        """What failed before."""
        del task, repeat
        return {self._shard.model: self._shard.failed[sample_id]}

    def folder(self, evaluation_id: str) -> Path:
        """Nothing lies there: what failed has no mask."""
        return Path(evaluation_id)


def _done(value: T) -> Future[T]:
    future: Future[T] = Future()
    future.set_result(value)
    return future


def _check(site: Site) -> None:
    here = _code()
    if here != site.code:
        text = (
            f"{socket.gethostname()} has another version of Hooke, Python or a library: {here}, {site.code}"
        )
        raise InternalError(text)


@functools.cache
def _code() -> Mapping[str, Any]:
    return provenance.code()


@functools.lru_cache(maxsize=16)
def _opened(source: Source, data_root: Path | None) -> OpenTask:
    """A task, opened once in each process."""
    spec = RunSpec("", source.suite_name, source.suite_yaml, (), source.data_dir, source.sample_limit)
    suite = suite_of(spec)
    return open_task(suite.tasks[source.place], data_dir_of(spec, suite, data_root), source.sample_limit)
