"""What the runs of an evaluator have had of models: answers to use again, and what answers took."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, bindparam, func, select

from evaluator.journal import read_predictions
from evaluator.queries import Queries
from evaluator.records import Prediction
from evaluator.runs import Cached, Experience
from evaluator.schema import PREDICTIONS, RUNS, TASKS
from hooke.types import SampleOutcome

P = PREDICTIONS.c

# What is read for each sample is put together once.
_CACHED = (
    select(RUNS.c.evaluation_id, P.offset, P.length)
    .join_from(TASKS, PREDICTIONS, P.task == TASKS.c.task)
    .join(RUNS, RUNS.c.run == TASKS.c.run)
    .where(
        TASKS.c.digest == bindparam("digest"),
        RUNS.c.home == bindparam("home"),
        P.model == bindparam("model"),
        P.sample_id == bindparam("sample_id"),
        P.repeat == bindparam("repeat"),
        P.outcome != SampleOutcome.FAILED,
        P.model_version.is_not_distinct_from(bindparam("model_version")),
        P.weights_digest.is_not_distinct_from(bindparam("weights_digest")),
    )
    .order_by(TASKS.c.task.desc())
    .limit(1)
)


class History:
    """Reads from all runs of an evaluator.

    Args:
        engine: of the database.
        runs_dir: the folder of the journals.
        home: what the database calls that folder.
    """

    def __init__(self, engine: Engine, runs_dir: Path, home: str) -> None:
        self._queries = Queries(engine)
        self._runs_dir = runs_dir
        self._home = home

    def cached(
        self,
        task_digest: str,
        model: str,
        sample_id: str,
        version: str,
        weights_digest: str | None,
        repeat: int = 0,
    ) -> Cached | None:
        """The newest answer, in any run whose journal lies here, of the same model to the same question.

        Args:
            task_digest: of the task that the question belongs to.
            model: its name.
            sample_id: what was asked.
            version: of the model, as its service says it.
            weights_digest: of the model; None where its service says none.
            repeat: which of the answers to the same question.
        """
        rows = self._queries.all(
            _CACHED,
            digest=task_digest,
            home=self._home,
            model=model,
            sample_id=sample_id,
            model_version=version,
            weights_digest=weights_digest,
            repeat=repeat,
        )
        for evaluation_id, offset, length in rows:
            folder = self._runs_dir / evaluation_id
            try:
                return Cached(read_predictions(folder, [(offset, length)])[0], folder)
            except FileNotFoundError:
                pass  # somebody has made room
        return None

    def last_answer(self, model: str) -> Prediction | None:
        """The newest answer of a model in the newest run whose journal lies here and that has one."""
        query = (
            select(RUNS.c.evaluation_id, P.offset, P.length)
            .join_from(TASKS, PREDICTIONS, P.task == TASKS.c.task)
            .join(RUNS, RUNS.c.run == TASKS.c.run)
            .where(RUNS.c.home == self._home, P.model == model, P.outcome != SampleOutcome.FAILED)
            .order_by(RUNS.c.run.desc(), P.offset.desc())
            .limit(1)
        )
        for evaluation_id, offset, length in self._queries.all(query):
            return read_predictions(self._runs_dir / evaluation_id, [(offset, length)])[0]
        return None

    def answered_elsewhere(
        self, evaluation_id: str, task_digest: str, model: str, version: str, weights_digest: str | None
    ) -> int:
        """Samples of a task that a run has no answer to, and others whose journals lie here have."""
        of_question = (
            select(P.sample_id)
            .join_from(TASKS, PREDICTIONS, P.task == TASKS.c.task)
            .join(RUNS, RUNS.c.run == TASKS.c.run)
            .where(TASKS.c.digest == task_digest, P.model == model, P.repeat == 0)
            .where(P.outcome != SampleOutcome.FAILED)
        )
        own = of_question.where(RUNS.c.evaluation_id == evaluation_id)
        others = of_question.where(
            RUNS.c.home == self._home,
            RUNS.c.evaluation_id != evaluation_id,
            P.model_version == version,
            P.weights_digest.is_not_distinct_from(weights_digest),
            P.sample_id.not_in(own),
        )
        query = select(func.count()).select_from(others.distinct().subquery())
        return int(self._queries.all(query)[0][0])

    def experience(self, model: str, task_digest: str | None = None) -> Experience | None:
        """What answers of a model took in all runs, or to the question of one task; None: there are none."""
        query = (
            select(
                func.count(),
                func.avg(P.input_token_count),
                func.avg(P.output_token_count),
                func.avg(P.cost_micro_usd),
                func.avg(P.latency_s),
                func.count().filter(P.price_missing),
            )
            .join_from(PREDICTIONS, TASKS, P.task == TASKS.c.task)
            .where(P.model == model, P.outcome != SampleOutcome.FAILED)
        )
        if task_digest is not None:
            query = query.where(TASKS.c.digest == task_digest)
        (row,) = self._queries.all(query)
        count, *means, unpriced = row
        if not count:
            return None
        read, written, cost, latency_s = (None if mean is None else float(mean) for mean in means)
        assert latency_s is not None
        if cost is None and not unpriced:
            cost = 0.0
        return Experience(count, read, written, cost, latency_s)
