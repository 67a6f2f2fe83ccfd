"""Runs whose samples are read, asked and scored on a Ray cluster.

This process prepares a run, writes whatever is finished, and concludes it, as every evaluator does; so a run
that was begun in one way can be taken up in the other. What goes to the cluster is a few samples of one task
and one model at a time, and comes back sample by sample. Where a machine dies, its samples are asked again
elsewhere, except those that have come back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import aclosing, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from evaluator.answering import Identity, ModelChangedError, Silence, identity_of
from evaluator.asking import Asker
from evaluator.catalogue import Catalogue
from evaluator.control import Control
from evaluator.kept import Kept
from evaluator.lanes import Lane
from evaluator.pacing import StoppedError
from evaluator.records import Prediction
from evaluator.runner import Limits, Prepared, Runner
from evaluator.runs import KnownSample, TaskRecord
from evaluator.shards import Finished, Shard, Site, Source, look, work
from evaluator.store import RunStore
from evaluator.threads import on
from hooke import AsyncClient, Tls
from hooke.errors import InternalError
from hooke.types import SampleOutcome
from runtime.settings import SettingsError

_SAMPLES = 32
"""Of a shard: few enough that cores do not idle at the end, enough that starting it does not matter."""
_MOST_DEATHS = 3
"""Times in a row that a shard may lose its machine without finishing a sample."""

_look = ray.remote(max_retries=_MOST_DEATHS)(look)
_work = ray.remote(max_retries=0)(work)  # what it has finished must not be done again


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Be a client of a cluster that runs, until the end of the block.

    Raises:
        SettingsError: there is none.
    """
    try:
        ray.init(address=address, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise SettingsError(f"--ray-address: there is no Ray cluster at {address}: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


class RayRunner(Runner):
    """Carries out runs on the cluster that this process is connected to.

    Limits are kept by the process that asks, so a run with limits is none for a cluster; nor are answers of
    other runs used again.

    Args:
        store, client, data_root, limits, threads: see `Runner`; workers find datasets at the same path.
        tls: how the gateway is spoken to, from everywhere.
    """

    def __init__(
        self,
        store: RunStore,
        client: AsyncClient,
        data_root: Path | None,
        limits: Limits,
        threads: Executor,
        *,
        tls: Tls | None = None,
    ) -> None:
        super().__init__(store, client, data_root, limits, threads)
        self._tls = tls

    async def _go_through(self, lanes: Sequence[Lane], prepared: Prepared, control: Control) -> None:
        asked = [lane for lane in lanes if isinstance(lane.asker, Asker)]
        known = [replace(lane, asker=Silence()) if lane in asked else lane for lane in lanes]
        await super()._go_through(known, prepared, control)  # what is answered and not scored, or imported
        cluster = _Cluster(self._store, self._threads, self._site(prepared), prepared, control)
        async with asyncio.TaskGroup() as group:
            for catalogue in {lane.task.number: lane.catalogue for lane in asked}.values():
                assert isinstance(catalogue, Catalogue)
                group.create_task(cluster.list_samples(catalogue))
        async with asyncio.TaskGroup() as group:
            for lane in asked:
                group.create_task(cluster.go_through(lane))

    def _site(self, prepared: Prepared) -> Site:
        # No more calls are in flight to a model than where one process asks, as far as cores allow.
        pace = self._limits.pace
        most = max(1, pace.most // _cores())
        limits = replace(
            self._limits,
            pace=replace(pace, start=min(pace.start, most), most=most),
            samples_in_memory=2 * most,
        )
        root = None if self._data_root is None else self._data_root.absolute()  # workers run elsewhere
        code = prepared.run.provenance["code"]
        return Site(self._client.address, self._tls, root, limits, code, prepared.code_tag)


class _Cluster:
    """The work of one run on a cluster."""

    def __init__(
        self, store: RunStore, threads: Executor, site: Site, prepared: Prepared, control: Control
    ) -> None:
        self._store = store
        self._threads = threads
        self._site = site
        self._prepared = prepared
        self._control = control
        self._places = asyncio.Semaphore(2 * _cores())  # the next shard of a core is there when it is free
        self._identities: dict[str, Identity] = {}

    async def list_samples(self, catalogue: Catalogue) -> None:
        """Find out which samples a task has, in their order."""
        count = len(catalogue)
        unknown = (position for position in range(count) if not catalogue.knows(position))
        source = self._source(catalogue.task)
        async with asyncio.TaskGroup() as group:
            while part := list(islice(unknown, _SAMPLES)):
                await self._places.acquire()
                group.create_task(self._look(catalogue, source, part))

    async def go_through(self, lane: Lane) -> None:
        """Give every sample of a lane an outcome."""
        # Places that were not known when the run was taken up are known by now.
        count, model, repeat = len(lane.catalogue), lane.question.model, lane.question.repeat
        kept = await on(self._threads, self._store.kept, lane.task, model, repeat, count, None)
        left = (
            sample
            for sample in self._store.iter_known_samples(lane.task)
            if not kept.answered(sample.position)
        )
        async with asyncio.TaskGroup() as group:
            while part := await on(self._threads, _part, left):
                await self._places.acquire()
                if self._control.stopping:
                    self._places.release()
                    break
                group.create_task(self._finish(lane, part, kept))

    async def _look(self, catalogue: Catalogue, source: Source, positions: list[int]) -> None:
        try:
            if self._control.stopping:
                raise StoppedError
            reads = await _look.remote(self._site, source, positions)
        except RayTaskError as error:
            raise error.cause from error
        finally:
            self._places.release()
        for position, read in zip(positions, reads, strict=True):
            await catalogue.take(position, read)  # which puts them in order

    async def _finish(self, lane: Lane, samples: list[KnownSample], kept: Kept) -> None:
        deaths = 0
        try:
            failed = await on(self._threads, self._failed, lane, samples, kept)
            while samples:
                shard = Shard(
                    self._source(lane.task),
                    lane.task,
                    lane.question.model,
                    lane.question.repeat,
                    samples,
                    failed,
                )
                try:
                    async with aclosing(_each(_work.remote(self._site, shard))) as results:
                        async for finished in results:
                            await self._keep(lane, finished)
                            done = finished.prediction.sample_id
                            samples = [sample for sample in samples if sample.sample_id != done]
                            deaths = 0
                            if self._control.stopping:
                                return
                except RayTaskError as error:
                    raise error.cause from error
                except RayError as error:
                    deaths += 1
                    if deaths >= _MOST_DEATHS:
                        text = f"workers died {deaths} times at the same samples: {error}"
                        raise InternalError(text) from error
        finally:
            self._places.release()

    async def _keep(self, lane: Lane, finished: Finished) -> None:
        """Write what a worker has finished."""
        prediction = finished.prediction
        if prediction.outcome is not SampleOutcome.FAILED:
            await self._check(lane.task, prediction.model, identity_of(prediction))
        await asyncio.wrap_future(self._store.add_prediction(lane.task, prediction, finished.mask))
        score = replace(finished.score, tuned_on=prediction.sample_id in lane.question.tuned)
        await asyncio.wrap_future(self._store.add_score(lane.task, score, self._site.code_tag))
        self._control.changed()

    async def _check(self, task: TaskRecord, model: str, now: Identity) -> None:
        """Raise ModelChangedError if it is not the model that the run began with."""
        if model not in self._identities:
            earlier = await on(self._threads, self._store.any_answer, task.evaluation_id, model, None)
            first = now if earlier is None else identity_of(earlier)
            self._identities.setdefault(model, first)
        if now != self._identities[model]:
            raise ModelChangedError(model, self._identities[model], now)

    def _failed(self, lane: Lane, samples: list[KnownSample], kept: Kept) -> dict[str, Prediction]:
        model, repeat = lane.question.model, lane.question.repeat
        ids = [sample.sample_id for sample in samples if kept.failed(sample.position)]
        return {one: self._store.predictions(lane.task, one, repeat)[model] for one in ids}

    def _source(self, task: TaskRecord) -> Source:
        places = [known.number for known in self._prepared.tasks]
        return Source.of(self._prepared.run.spec, places.index(task.number))


def _part(samples: Iterator[KnownSample]) -> list[KnownSample]:
    """The next samples of a shard."""
    return list(islice(samples, _SAMPLES))


async def _each(references: Any) -> AsyncGenerator[Finished, None]:
    """What a worker yields; it is told to stop where nobody wants more."""
    try:
        async for reference in references:
            yield await reference
    finally:
        ray.cancel(references)


def _cores() -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))
