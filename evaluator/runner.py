"""One run, from what was asked for to the report."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from evaluator import provenance
from evaluator.answering import Answering, Identity, ModelChangedError, Question, Silence, identity_of
from evaluator.asking import Asker
from evaluator.catalogue import Catalogue, DatasetChangedError
from evaluator.control import Control
from evaluator.imports import ImportedAsker
from evaluator.lanes import Lane, LaneWorker
from evaluator.metrics.grading import NO_GRADE
from evaluator.pacing import GivenUpError, Pace, Pacer, StoppedError
from evaluator.preparing import OpenTask, data_dir_of, models_of, notes_of, open_task, suite_of
from evaluator.reporting import remove_report, summary_of, write_run_report
from evaluator.reuse import EarlierAnswers
from evaluator.runs import RunRecord, RunSpec, TaskPlan, TaskRecord
from evaluator.sharing import Line, Lines, ModelLimit
from evaluator.spending import Purse
from evaluator.store import RunStore
from evaluator.suites import Suite
from evaluator.telemetry import EvaluatorMetrics, Stage
from evaluator.threads import on
from evaluator.tuning import with_tuned
from hooke.aio import AsyncClient
from hooke.errors import DeadlineExceededError, HookeError, ResourceExhaustedError, UnavailableError
from hooke.types import EvaluationState, ModelInfo

log = structlog.get_logger("hooke.evaluator.runner")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may take.

    Attributes:
        pace: of each model.
        call_timeout_s: deadline of one call.
        samples_in_memory: of the whole run; every lane has at least two.
    """

    pace: Pace
    call_timeout_s: float
    samples_in_memory: int


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended, and why, for a person."""

    state: EvaluationState
    message: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A run that is ready to send samples; `opened` and `tasks` are in the order of the suite.

    Figures by other code than that of `code_tag` are computed again. `infos` has the models of the gateway;
    it is empty where none is asked.
    """

    run: RunRecord
    suite: Suite
    opened: Sequence[OpenTask]
    tasks: Sequence[TaskRecord]
    infos: Mapping[str, ModelInfo]
    code_tag: str


class Runner:
    """Carries out runs.

    Args:
        store: where they are kept.
        client: reaches the models; without retries of its own, since pacing is done here.
        data_root: where datasets lie; None: nowhere.
        limits: of each run.
        threads: for what takes processor time or reads files.
        metrics: what Prometheus hears of it; None: nothing.
    """

    def __init__(
        self,
        store: RunStore,
        client: AsyncClient,
        data_root: Path | None,
        limits: Limits,
        threads: Executor,
        metrics: EvaluatorMetrics | None = None,
    ) -> None:
        self._store = store
        self._client = client
        self._data_root = data_root
        self._limits = limits
        self._threads = threads
        self._lines = Lines(limits.pace)
        self._metrics = metrics or EvaluatorMetrics()
        self._metrics.watch_calls(self._lines.in_flight)

    async def run(self, run: RunRecord, control: Control) -> Ending | None:
        """Do what is left of a run.

        Returns:
            How it ended; None if it was interrupted.
        """
        try:
            with self._metrics.at(Stage.PREPARING):
                prepared = await self._prepare(run, control)
            with self._metrics.at(Stage.ASKING):
                await self._send(prepared, control)
            with self._metrics.at(Stage.REPORTING):
                return await self._conclude(prepared, control)
        except Exception as error:  # noqa: BLE001  (the boundary: a run that cannot go on says why)
            cause = innermost(error)
            if not isinstance(cause, StoppedError):
                return Ending(EvaluationState.FAILED, _explain(run, cause))
            return None if control.interrupted else Ending(EvaluationState.CANCELLED, "Cancelled.")
        finally:
            control.leave()
            await asyncio.wrap_future(self._store.release(run.evaluation_id))

    async def _prepare(self, run: RunRecord, control: Control) -> Prepared:
        await on(self._threads, remove_report, self._store, run)
        suite = await on(self._threads, suite_of, run.spec)
        data_dir = await on(self._threads, data_dir_of, run.spec, suite, self._data_root)
        await asyncio.wrap_future(self._store.note(run.evaluation_id, notes_of(data_dir)))
        control.changed()
        infos, chosen = await self._choose(run, suite, control)
        self._metrics.know(infos)
        models = list(dict.fromkeys(name for names in chosen.values() for name in names))
        opened = [
            await on(self._threads, open_task, task, data_dir, run.spec.sample_limit) for task in suite.tasks
        ]
        opened = [
            await on(
                self._threads, with_tuned, task, chosen[task.spec.name], run, data_dir, self._store, control
            )
            for task in opened
        ]
        plans = [
            TaskPlan(
                task.name,
                task.digest,
                chosen[task.name],
                {model: task.answers_of(model) for model in chosen[task.name]},
            )
            for task in suite.tasks
        ]
        tasks = await asyncio.wrap_future(self._store.open(run.evaluation_id, models, plans))
        present = [infos[name] for name in models if name in infos]
        now = await on(
            self._threads, provenance.of_run, run, suite, data_dir, opened, present, self._client.address
        )
        for task, opened_task in zip(tasks, opened, strict=True):
            await asyncio.wrap_future(self._store.set_sample_count(task, len(opened_task.dataset)))
        await asyncio.wrap_future(self._store.set_provenance(run.evaluation_id, now))
        await asyncio.wrap_future(self._store.note(run.evaluation_id, notes_of(data_dir, present)))
        tag = provenance.code_tag(now["code"], opened)
        return Prepared(replace(run, provenance=now), suite, opened, tasks, infos, tag)

    async def _choose(
        self, run: RunRecord, suite: Suite, control: Control
    ) -> tuple[Mapping[str, ModelInfo], Mapping[str, tuple[str, ...]]]:
        """The models of the gateway, and those of each task."""
        if not run.spec.asks_models:
            tasks = await on(self._threads, self._store.tasks, run.evaluation_id)
            models = {task.name: task.models for task in tasks}
            return {}, {task.name: models.get(task.name, ()) for task in suite.tasks}
        asked = any(task.dataset.has_images for task in suite.tasks)
        infos = await self._list_models(control) if asked else {}
        return infos, models_of(suite, run.spec.models, infos)

    async def _list_models(self, control: Control) -> Mapping[str, ModelInfo]:
        """Ask the gateway, which may still be starting, for its models."""
        now = asyncio.get_running_loop().time
        share = control.share(Line("the gateway", Pacer(self._limits.pace, now), now))
        while True:
            try:
                turn = await share.turn()
            except GivenUpError as error:
                raise error.cause from error
            try:
                infos = await self._client.models(timeout_s=self._limits.call_timeout_s)
            except (UnavailableError, ResourceExhaustedError, DeadlineExceededError) as error:
                share.pacer.failed(turn, error)
            else:
                return {info.name: info for info in infos}
            finally:
                share.done()

    async def _send(self, prepared: Prepared, control: Control) -> None:
        """Take every lane as far as it goes, all at the same time."""
        control.changed()
        lanes = await self._lanes(prepared, control)
        with control.for_at_most(prepared.run.spec.max_sending_s):
            await self._go_through(lanes, prepared, control)

    async def _go_through(self, lanes: Sequence[Lane], prepared: Prepared, control: Control) -> None:
        """Take these lanes as far as they go; where another engine does the work, it begins here."""
        window = max(2, self._limits.samples_in_memory // max(1, len(lanes)))
        worker = LaneWorker(self._store, self._threads, window, prepared.code_tag, self._metrics)
        async with asyncio.TaskGroup() as group:
            for lane in lanes:
                group.create_task(worker.go_through(lane, control))

    async def _lanes(self, prepared: Prepared, control: Control) -> list[Lane]:
        askers = await self._askers(prepared, control)
        lanes = []
        tag = prepared.code_tag if prepared.run.spec.asks_models else None  # else everything is scored anew
        for task, opened in zip(prepared.tasks, prepared.opened, strict=True):
            known = self._store.iter_known_samples(task)
            catalogue = await on(
                self._threads, Catalogue, opened.dataset, task, self._store, self._threads, known
            )
            tables = {table.spec.model: table for table in opened.imported}
            for model in task.models:
                asker: Answering = askers.get(model, Silence())
                if model in tables and prepared.run.spec.asks_models:
                    earlier = await self._identity(task, model, of_task=True)
                    asker = ImportedAsker(tables[model], earlier, self._threads)
                lanes += [
                    Lane(
                        task,
                        Question(
                            opened.spec,
                            model,
                            opened.examples,
                            repeat,
                            opened.tuned.get(model, frozenset()),
                        ),
                        catalogue,
                        asker,
                        kept=await on(
                            self._threads, self._store.kept, task, model, repeat, len(opened.dataset), tag
                        ),
                    )
                    for repeat in range(opened.spec.answers_of(model))
                ]
        return lanes

    async def _askers(self, prepared: Prepared, control: Control) -> Mapping[str, Asker]:
        """What asks each model that is to be asked."""
        spec, askers = prepared.run.spec, {}
        purse = None
        if spec.max_cost_micro_usd is not None:
            purse = await on(self._threads, self._purse, prepared, spec.max_cost_micro_usd)
        for model, info in prepared.infos.items():
            places = [place for place, task in enumerate(prepared.tasks) if model in task.models]
            if not places:
                continue
            share = control.share(
                self._lines.line(model),
                ModelLimit(spec.max_in_flight.get(model), spec.requests_per_minute.get(model)),
                purse if info.remote else None,
            )
            earlier = None
            if spec.reuse_answers:
                earlier = await on(self._threads, EarlierAnswers, self._store.history, info, self._threads)
            askers[model] = Asker(
                self._client,
                share,
                self._limits.call_timeout_s,
                await self._identity(prepared.tasks[places[0]], model, of_task=False),
                _most_failed(spec, sum(prepared.opened[place].answer_count for place in places)),
                earlier,
            )
        return askers

    def _purse(self, prepared: Prepared, limit_micro_usd: int) -> Purse:
        """What is left of the cost limit of a run."""
        evaluation_id = prepared.run.evaluation_id
        spent = self._store.spent(evaluation_id)
        return Purse(limit_micro_usd, spent, self._store.dearest(evaluation_id))

    async def _identity(self, task: TaskRecord, model: str, *, of_task: bool) -> Identity | None:
        """Who gave the answers that there are: in the whole run, or in a task; None: there are none."""
        only = task if of_task else None
        earlier = await on(self._threads, self._store.any_answer, task.evaluation_id, model, only)
        return None if earlier is None else identity_of(earlier)

    async def _conclude(self, prepared: Prepared, control: Control) -> Ending | None:
        """Say how the run ended, and write its report."""
        if control.interrupted:
            return None
        control.end()
        return await on(self._threads, self._write_report, prepared, control)

    def _write_report(self, prepared: Prepared, control: Control) -> Ending:
        run = prepared.run
        whole = provenance.of_datasets(self._store, prepared.tasks, run.provenance)
        self._store.set_provenance(run.evaluation_id, whole).result()
        ending = _ending(self._store, prepared, control)
        run = replace(run, provenance=whole)
        summary = summary_of(self._store, run, prepared.suite, ending.state)
        write_run_report(self._store, run, summary, prepared.opened, control)
        return ending


def _most_failed(spec: RunSpec, sample_count: int) -> int | None:
    """Samples of a model that may fail before it is asked no more; None: all of them."""
    bounds = [] if spec.max_failed_count is None else [spec.max_failed_count]
    if spec.max_failed_fraction is not None:
        bounds.append(math.floor(spec.max_failed_fraction * sample_count))
    return min(bounds, default=None)


def _ending(store: RunStore, prepared: Prepared, control: Control) -> Ending:
    """What the outcomes of the samples make of a run."""
    tasks = prepared.tasks
    progress = store.evaluation(prepared.run).task_progress
    total = sum(task.sample_count or 0 for task in progress)
    failed = sum(task.failed_count for task in progress)
    done = sum(task.done_count for task in progress)
    reasons: Counter[str] = Counter()
    for task in tasks:
        reasons += store.failure_reasons(task)
    left = reasons.total() + total - done
    # What was answered fails only by what a judge says, and that was paid for: it is not asked again.
    reasons[NO_GRADE] += max(0, failed - reasons.total())
    told = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common() if count)
    counted = "answers" if any(task.repeats for task in tasks) else "samples"
    messages = [f"{failed} of {total} {counted} failed ({told})."] if failed else []
    again = "Create the evaluation again with the same request_id to ask for what is missing:"
    further = [f"{again} {left} of {total} {counted}."] if left else []
    if control.cancelled:
        messages = [f"Cancelled after {done} of {total} {counted}.", *further]
        return Ending(EvaluationState.CANCELLED, " ".join(messages))
    if done < total:
        messages += [f"{total - done} of {total} {counted} were not asked.", *control.why_stopped()]
    if not messages:
        return Ending(EvaluationState.SUCCEEDED)
    nothing = done == failed
    state = EvaluationState.FAILED if nothing else EvaluationState.PARTIALLY_SUCCEEDED
    return Ending(state, " ".join([*messages, *further]))


def innermost(error: BaseException) -> BaseException:
    """The first error in a group of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _explain(run: RunRecord, error: BaseException) -> str:
    if isinstance(error, HookeError):
        return error.message
    if isinstance(error, ModelChangedError | DatasetChangedError):
        return str(error)
    log.error("run failed", evaluation_id=run.evaluation_id, exc_info=error)
    if isinstance(error, OSError):
        return f"A file of the evaluation could not be read or written: {error.strerror or error}."
    return f"Internal error; the evaluator's log has the details under {run.evaluation_id}."
