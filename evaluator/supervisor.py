"""All runs of an evaluator: which are carried out, which wait, who watches them."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from dataclasses import replace

import structlog
from sqlalchemy.exc import SQLAlchemyError

from evaluator.control import Control
from evaluator.growth import check_growth
from evaluator.runner import Runner
from evaluator.runs import RunRecord, RunSpec
from evaluator.store import RunStore
from evaluator.threads import on
from hooke.errors import DrainingError, InternalError, InvalidRequestError, UnknownEvaluationError
from hooke.types import Evaluation, EvaluationState

log = structlog.get_logger("hooke.evaluator.supervisor")

WATCH_INTERVAL_S = 0.25
"""Least time between two messages of a watch: a few a second are enough for a person."""
_LOOK_INTERVAL_S = 15.0
"""Between two looks for runs that another evaluator of the same database has left behind."""
_AFAR_INTERVAL_S = 1.0
"""Between two looks at a run that is not carried out here."""

_TAKEN_UP_AGAIN = (
    EvaluationState.PARTIALLY_SUCCEEDED,
    EvaluationState.FAILED,
    EvaluationState.CANCELLED,
)


def evaluation_id_of(request_id: str) -> str:
    """Id of the evaluation that a request creates: the same for the same request, and fit for a folder."""
    return "eval-" + hashlib.sha256(f"hooke evaluation {request_id}".encode()).hexdigest()[:24]


class _Live:
    """A run that is carried out or waits for its turn."""

    def __init__(self) -> None:
        self.control = Control(self.change)
        self.started = False
        self.task: asyncio.Task[None] | None = None
        self.version = 0
        self._changed = asyncio.Event()

    def change(self) -> None:
        """Wake whoever watches; never waits for them."""
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_beyond(self, version: int) -> None:
        """Wait until there is something newer than a version."""
        while self.version == version:
            await self._changed.wait()


class Supervisor:
    """Starts, takes up, stops and shows runs.

    Args:
        store: where they are kept.
        runner: carries one out.
        threads: for reading from the store.
        most_runs: runs that are carried out at the same time; the others wait, first come first served.
    """

    def __init__(self, store: RunStore, runner: Runner, threads: Executor, most_runs: int) -> None:
        self._store = store
        self._runner = runner
        self._threads = threads
        self._places = asyncio.Semaphore(most_runs)
        self._creating = asyncio.Lock()
        self._live: dict[str, _Live] = {}
        self._looking: asyncio.Task[None] | None = None
        self._closing = False

    async def start(self) -> None:
        """Take up again what an earlier process, or another evaluator of the database, left unfinished."""
        await self._take_up_left()
        if self._store.shared:
            self._looking = asyncio.create_task(self._keep_looking())

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_INTERVAL_S)
            try:
                await self._take_up_left()
            except SQLAlchemyError as error:  # it will be back
                log.warning("the database cannot be read", error=type(error).__name__)

    async def _take_up_left(self) -> None:
        for evaluation_id in await on(self._threads, self._store.unfinished):
            async with self._creating:
                if evaluation_id in self._live:
                    continue
                if not await asyncio.wrap_future(self._store.claim(evaluation_id)):
                    continue
                run = await self._run(evaluation_id)
                live = self._take_up(evaluation_id)
                if run.state is EvaluationState.CANCELLING:
                    live.control.cancel()

    async def _is_afar(self, evaluation_id: str) -> bool:
        """Whether another evaluator carries a run out, or has it waiting."""
        if not self._store.shared or evaluation_id in self._live:
            return False
        claimed = await on(self._threads, self._store.claimed, evaluation_id)
        return claimed and evaluation_id not in self._live

    async def stop(self, grace_s: float) -> None:
        """Interrupt every run; what is in flight after `grace_s` is abandoned. They stay unfinished."""
        self._closing = True
        if self._looking is not None:
            self._looking.cancel()
        lives = list(self._live.values())
        for live in lives:
            live.control.interrupt()
            live.change()
        tasks = [live.task for live in lives if live.task is not None]
        if tasks:
            _done, late = await asyncio.wait(tasks, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def create(self, spec: RunSpec, suite_name: str) -> Evaluation:
        """Start a run, take the unfinished one of the same request up again, or let it grow.

        Args:
            spec: what was asked for, valid.
            suite_name: name of its suite.

        Raises:
            InvalidRequestError: there is a run of this request id that is of something else, see `growth`, or
                that another evaluator of the database would have to take up.
            DrainingError: the evaluator is shutting down.
        """
        evaluation_id = evaluation_id_of(spec.request_id)
        async with self._creating:
            self._check_open()
            run = await asyncio.wrap_future(self._store.create(evaluation_id, spec, suite_name))
            if replace(run.spec, asks_models=True) != spec:
                await on(self._threads, check_growth, run, spec)
                await self._begin_again(run, spec, suite_name)
                return await self.get(evaluation_id)
            await self._end_of(evaluation_id, run)
            if run.state in _TAKEN_UP_AGAIN:
                await self._begin_again(run, spec, suite_name)
            elif not run.state.ended and evaluation_id not in self._live:
                self._take_up(evaluation_id)
        return await self.get(evaluation_id)

    async def rescore(self, evaluation_id: str) -> Evaluation:
        """Compute every metric of a run that has ended again, from its answers.

        Raises:
            UnknownEvaluationError: there is none of this id.
            InvalidRequestError: it has not ended.
            DrainingError: the evaluator is shutting down.
        """
        async with self._creating:
            self._check_open()
            run = await self._run(evaluation_id)
            await self._end_of(evaluation_id, run)
            if run.state.ended:
                await self._begin_again(run, replace(run.spec, asks_models=False), run.suite_name)
            elif run.spec.asks_models:
                text = f"is an evaluation that is {run.state.replace('_', ' ')}; rescore it when it has ended"
                raise InvalidRequestError.of_field("evaluation_id", text)
        return await self.get(evaluation_id)

    async def _begin_again(self, run: RunRecord, spec: RunSpec, suite_name: str) -> None:
        """Carry out a run as it is asked for now; one that is under way finishes what is in flight first."""
        live = self._live.get(run.evaluation_id)
        if live is not None and live.task is not None:
            live.control.interrupt()
            live.change()
            await asyncio.wait([live.task])
        if not await asyncio.wrap_future(self._store.claim(run.evaluation_id)):
            text = "is of an evaluation that is with another evaluator, or in its folder: ask that one"
            raise InvalidRequestError.of_field("request_id", text)
        if spec != run.spec:
            await asyncio.wrap_future(self._store.set_spec(run.evaluation_id, spec, suite_name))
        if spec.sample_limit != run.spec.sample_limit:
            await asyncio.wrap_future(self._store.forget_samples(run.evaluation_id))
        await self._move(run.evaluation_id, EvaluationState.QUEUED)
        self._take_up(run.evaluation_id)

    def _check_open(self) -> None:
        if self._closing:
            raise DrainingError("the evaluator is shutting down; try again", retry_after_s=1.0)

    async def get(self, evaluation_id: str) -> Evaluation:
        """One evaluation. Raises UnknownEvaluationError."""
        return await on(self._threads, self._store.evaluation, await self._run(evaluation_id))

    async def cancel(self, evaluation_id: str) -> Evaluation:
        """Ask a run to stop.

        Raises:
            UnknownEvaluationError: there is none of this id.
            InvalidRequestError: another evaluator of the database carries it out.
        """
        if await self._is_afar(evaluation_id):
            raise InvalidRequestError.of_field("evaluation_id", "is with another evaluator: cancel it there")
        live = self._live.get(evaluation_id)
        await asyncio.sleep(0)  # a task that is cancelled before its first step does not even clean up
        if live is not None and live.control.cancel():
            if live.started:
                await self._move(evaluation_id, EvaluationState.CANCELLING)
            elif live.task is not None:
                live.task.cancel()  # it waits for its turn
                await asyncio.gather(live.task, return_exceptions=True)
        return await self.get(evaluation_id)

    async def watch(self, evaluation_id: str) -> AsyncIterator[Evaluation]:
        """Yield an evaluation as it is, and every change of it, at most a few a second, until it has ended.

        Raises:
            UnknownEvaluationError: there is none of this id.
            DrainingError: the evaluator is shutting down; the run goes on when it is back.
        """
        shown: Evaluation | None = None
        while True:
            live = self._live.get(evaluation_id)
            version = 0 if live is None else live.version
            evaluation = await self.get(evaluation_id)
            if evaluation != shown:
                shown = evaluation
                yield evaluation
            if evaluation.state.ended:
                return
            if self._closing:
                raise DrainingError("the evaluator is shutting down; watch again", retry_after_s=1.0)
            if live is None and self._store.shared:  # another evaluator has it, or somebody will soon
                await asyncio.sleep(_AFAR_INTERVAL_S)
                continue
            if live is None:
                raise InternalError("the evaluation has stopped; create it again to take it up")
            await live.wait_beyond(version)
            await asyncio.sleep(WATCH_INTERVAL_S)

    def _take_up(self, evaluation_id: str) -> _Live:
        live = self._live[evaluation_id] = _Live()
        # In a context of its own: the run outlives the call that started it, with its request id and trace.
        work = self._carry_out(evaluation_id, live)
        live.task = asyncio.create_task(work, context=contextvars.Context())
        return live

    async def _carry_out(self, evaluation_id: str, live: _Live) -> None:
        try:
            if not await asyncio.wrap_future(self._store.claim(evaluation_id)):
                log.info("with another evaluator", evaluation_id=evaluation_id)
                return
            async with self._places:
                live.started = True
                if live.control.interrupted:
                    return
                if not live.control.cancelled:
                    await self._move(evaluation_id, EvaluationState.RUNNING)
                ending = await self._runner.run(await self._run(evaluation_id), live.control)
            if ending is not None:
                live.control.end()  # a cancellation that comes now must not write over the end
                await self._move(evaluation_id, ending.state, ending.message)
        except asyncio.CancelledError:
            if live.control.cancelled and not live.started:
                await self._move(evaluation_id, EvaluationState.CANCELLED, "Cancelled before it began.")
            raise
        except Exception:
            log.exception("run lost", evaluation_id=evaluation_id)
            raise
        finally:
            try:
                await asyncio.wrap_future(self._store.give_back(evaluation_id))
            finally:
                del self._live[evaluation_id]
                live.change()

    async def _move(self, evaluation_id: str, state: EvaluationState, message: str = "") -> None:
        await asyncio.wrap_future(self._store.set_state(evaluation_id, state, message))
        log.info("evaluation", evaluation_id=evaluation_id, state=state, message=message)
        live = self._live.get(evaluation_id)
        if live is not None:
            live.change()

    async def _end_of(self, evaluation_id: str, run: RunRecord) -> None:
        """Wait for a run that has ended to let go of its files."""
        live = self._live.get(evaluation_id)
        if run.state.ended and live is not None and live.task is not None:
            await asyncio.wait([live.task])

    async def _run(self, evaluation_id: str) -> RunRecord:
        run = await on(self._threads, self._store.get, evaluation_id)
        if run is None:
            raise UnknownEvaluationError(
                f"there is no evaluation {evaluation_id!r}", metadata={"evaluationId": evaluation_id}
            )
        return run
