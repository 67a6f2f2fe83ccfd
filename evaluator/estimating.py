"""What a run would take, and whether its models exist, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

from evaluator.growth import check_growth
from evaluator.preparing import OpenTask, check_known, data_dir_of, models_of, open_task, suite_of
from evaluator.reuse import EarlierAnswers
from evaluator.runs import RunRecord, RunSpec, TaskRecord
from evaluator.store import RunStore
from evaluator.suites import Suite
from evaluator.threads import on
from hooke.aio import AsyncClient
from hooke.errors import HookeError
from hooke.types import ModelInfo, SampleOutcome, TaskEstimate

_CHECK_S = 2.0
"""Whoever creates an evaluation waits no longer for the names of the models."""


class Estimator:
    """Estimates runs.

    Args:
        store: what earlier runs took.
        client: reaches the models.
        data_root: where datasets lie; None: nowhere.
        most_in_flight: calls to one model at a time.
        threads: for what takes processor time or reads files.
    """

    def __init__(
        self,
        store: RunStore,
        client: AsyncClient,
        data_root: Path | None,
        most_in_flight: int,
        threads: Executor,
    ) -> None:
        self._store = store
        self._client = client
        self._data_root = data_root
        self._most_in_flight = most_in_flight
        self._threads = threads

    async def check_models(self, evaluation_id: str, spec: RunSpec, suite: Suite) -> None:
        """Refuse models that are asked for by name and do not exist, where that is quickly known.

        Those that the run has already stay, and without an answer of the gateway the run itself finds out.

        Args:
            evaluation_id: what the run is called; it may be there already.
            spec: what is asked for, valid.
            suite: its suite.

        Raises:
            InvalidRequestError: there is no such model; names those that there are.
        """
        run = await on(self._threads, self._store.get, evaluation_id)
        wanted = [name for name in spec.models if run is None or name not in run.spec.models]
        if not wanted:
            return
        try:
            infos = await self._client.models(timeout_s=_CHECK_S)
        except HookeError:
            return
        check_known(suite, wanted, {info.name: info for info in infos})

    async def estimate(self, evaluation_id: str, spec: RunSpec) -> list[TaskEstimate]:
        """What every task would take with every model that is asked, in the order of the suite.

        Args:
            evaluation_id: what the run would be called; it may be there already.
            spec: what is asked for, valid.

        Raises:
            InvalidRequestError: the run that is there is of something else, or data or models are missing.
            HookeError: the gateway does not say which models there are.
        """
        infos = {info.name: info for info in await self._client.models()}
        return await on(self._threads, self._estimate, evaluation_id, spec, infos)

    def _estimate(
        self, evaluation_id: str, spec: RunSpec, infos: Mapping[str, ModelInfo]
    ) -> list[TaskEstimate]:
        run = self._store.get(evaluation_id)
        if run is not None and run.spec != spec:
            check_growth(run, spec)
        suite = suite_of(spec)
        data_dir = data_dir_of(spec, suite, self._data_root)
        chosen = models_of(suite, spec.models, infos)
        kept = self._tasks(run)
        return [
            self._of(evaluation_id, spec, task, infos[model], kept.get(task.spec.digest))
            for task in (open_task(task, data_dir, spec.sample_limit) for task in suite.tasks)
            for model in chosen[task.spec.name]
            if model in infos
        ]

    def _tasks(self, run: RunRecord | None) -> dict[str, TaskRecord]:
        """Digest -> task of a run."""
        if run is None:
            return {}
        return {task.digest: task for task in self._store.tasks(run.evaluation_id)}

    def _of(
        self, evaluation_id: str, spec: RunSpec, task: OpenTask, info: ModelInfo, kept: TaskRecord | None
    ) -> TaskEstimate:
        listed = len(task.dataset)
        have = [0] * task.spec.repeats
        if kept is not None:
            for repeat in range(task.spec.repeats):
                outcomes = self._store.count_outcomes(kept, info.name, repeat)
                have[repeat] = outcomes.total() - outcomes[SampleOutcome.FAILED]
        reused = 0
        if spec.reuse_answers:
            earlier = EarlierAnswers(self._store.history, info, self._threads)
            reused = min(earlier.count(task.spec, evaluation_id), listed - have[0])
        calls = task.answer_count - sum(have) - reused
        history = self._store.history
        known = history.experience(info.name, task.spec.digest) or history.experience(info.name)
        estimate = TaskEstimate(task.spec.name, info.name, listed, sum(have), reused, calls)
        if known is None:
            return estimate
        most = spec.max_in_flight.get(info.name, self._most_in_flight)
        at_once = max(1, min(calls, most, self._most_in_flight))
        per_minute = spec.requests_per_minute.get(info.name)
        spread_s = 60 * calls / per_minute if per_minute else 0.0
        return replace(
            estimate,
            known_answer_count=known.answer_count,
            input_token_count=_times(calls, known.input_token_count),
            output_token_count=_times(calls, known.output_token_count),
            cost_micro_usd=_times(calls, known.cost_micro_usd),
            shortest_s=max(calls * known.latency_s / at_once, spread_s),
            longest_s=max(calls * known.latency_s, spread_s),
        )


def _times(calls: int, mean: float | None) -> int | None:
    return None if mean is None else round(calls * mean)
