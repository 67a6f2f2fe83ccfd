"""Runs whose samples are read, asked and scored on a Ray cluster.

This process prepares a run, writes whatever is finished, and concludes it, as every evaluator does; so a run
that was begun in one way can be taken up in the other. What goes to the cluster is a few samples of one task
and one model at a time, and comes back sample by sample. Where a machine dies, its samples are asked again
elsewhere, except those that have come back.
"""

from __future__ import annotations

import asyncio
import math
import time
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
from evaluator.runs import KnownSample, RunRecord, RunSpec, TaskRecord
from evaluator.shards import Finished, Shard, Site, Source, look, work
from evaluator.store import RunStore
from evaluator.threads import on
from hooke import AsyncClient, Tls
from hooke.errors import FieldViolation, InternalError, InvalidRequestError
from hooke.types import SampleOutcome
from runtime.settings import SettingsError

_SAMPLES = 32
"""Of a shard: few enough that cores do not idle at the end, enough that starting it does not matter."""
_MOST_DEATHS = 3
"""Times in a row that a shard may lose its machine without finishing a sample."""

_look = ray.remote(max_retries=_MOST_DEATHS)(look)
_work = ray.remote(max_retries=0)(work)  # what it has finished must not be done again


def check(spec: RunSpec) -> None:
    """Refuse what needs one process that sees every call.

    Raises:
        InvalidRequestError: names every field of the request that cannot be kept to on a cluster.
    """
    asked = {
        "limits.max_cost_micro_usd": spec.max_cost_micro_usd is not None,
        "limits.model_limits.requests_per_minute": bool(spec.requests_per_minute),
        "reuse_answers": spec.reuse_answers,
    }
    names = [name for name, value in asked.items() if value]
    if names:
        text = "not with --engine ray, whose workers ask without knowing of each other"
        violations = [FieldViolation(name, text) for name in names]
        raise InvalidRequestError(f"{', '.join(names)}: {text}", violations=violations)


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

    Calls in flight to a model are bounded over all workers, failures are counted here, and workers know how
    long they may send. For what cannot be kept to, see `check`.

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
        seconds = prepared.run.spec.max_sending_s
        until = math.inf if seconds is None else time.time() + seconds
        await super()._go_through(known, prepared, control)  # what is answered and not scored, or imported
        cluster = _Cluster(self._store, self._threads, self._site(prepared), prepared, control, until)
        async with asyncio.TaskGroup() as group:
            for catalogue in {lane.task.number: lane.catalogue for lane in asked}.values():
                assert isinstance(catalogue, Catalogue)
                group.create_task(cluster.list_samples(catalogue))
        async with asyncio.TaskGroup() as group:
            for lane in asked:
                group.create_task(cluster.go_through(lane))

    async def _prepare(self, run: RunRecord, control: Control) -> Prepared:
        check(run.spec)
        return await super()._prepare(run, control)

    def _site(self, prepared: Prepared) -> Site:
        root = None if self._data_root is None else self._data_root.absolute()  # workers run elsewhere
        code = prepared.run.provenance["code"]
        return Site(self._client.address, self._tls, root, self._limits, code, prepared.code_tag)


class Turns:
    """How the calls in flight to a model are divided: so many shards at a time, and so many calls of each.

    Args:
        most: calls in flight, of all shards together.
        cores: that there are to ask the model.
    """

    def __init__(self, most: int, cores: int) -> None:
        self.most_in_flight = max(1, most // cores)
        self.shards = asyncio.Semaphore(most // self.most_in_flight)


class _Cluster:
    """The work of one run on a cluster; nothing is sent after `until`, in seconds since 1970."""

    def __init__(
        self,
        store: RunStore,
        threads: Executor,
        site: Site,
        prepared: Prepared,
        control: Control,
        until: float,
    ) -> None:
        self._store = store
        self._threads = threads
        self._site = site
        self._prepared = prepared
        self._control = control
        self._until = until
        cores = _cores()
        self._places = asyncio.Semaphore(2 * cores)  # the next shard of a core is there when it is free
        most, own = site.limits.pace.most, prepared.run.spec.max_in_flight
        self._turns = {model: Turns(min(most, own.get(model, most)), cores) for model in prepared.infos}
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
        turns = self._turns[model]

        def give_back(_shard: asyncio.Task[None]) -> None:
            self._places.release()
            turns.shards.release()

        async with asyncio.TaskGroup() as group:
            while not lane.asker.stopped and (part := await on(self._threads, _part, left)):
                await turns.shards.acquire()
                await self._places.acquire()
                shard = group.create_task(self._finish(lane, part, kept))
                shard.add_done_callback(give_back)

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
        failed = await on(self._threads, self._failed, lane, samples, kept)
        while samples and not lane.asker.stopped:
            model = lane.question.model
            shard = Shard(
                self._source(lane.task),
                lane.task,
                model,
                lane.question.repeat,
                samples,
                failed,
                self._turns[model].most_in_flight,
                self._until,
            )
            try:
                async with aclosing(_each(_work.remote(self._site, shard))) as results:
                    async for finished in results:
                        await self._keep(lane, finished)
                        done = finished.prediction.sample_id
                        samples = [sample for sample in samples if sample.sample_id != done]
                        deaths = 0
                        if self._left(lane):
                            return
            except RayTaskError as error:
                raise error.cause from error
            except RayError as error:
                deaths += 1
                if deaths >= _MOST_DEATHS:
                    text = f"workers died {deaths} times at the same samples: {error}"
                    raise InternalError(text) from error

    def _left(self, lane: Lane) -> bool:
        """Whether nobody wants more; where only the time is up, workers finish what is in flight."""
        return lane.asker.stopped and time.time() < self._until

    async def _keep(self, lane: Lane, finished: Finished) -> None:
        """Write what a worker has finished."""
        prediction = finished.prediction
        if prediction.outcome is not SampleOutcome.FAILED:
            await self._check(lane.task, prediction.model, identity_of(prediction))
        await asyncio.wrap_future(self._store.add_prediction(lane.task, prediction, finished.mask))
        score = replace(finished.score, tuned_on=prediction.sample_id in lane.question.tuned)
        await asyncio.wrap_future(self._store.add_score(lane.task, score, self._site.code_tag))
        self._control.changed()
        if prediction.outcome is SampleOutcome.FAILED:
            assert isinstance(lane.asker, Asker), "what is not asked does not fail here"
            lane.asker.count_failure()

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
