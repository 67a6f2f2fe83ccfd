"""What there is in the run store, for any thread.

The forms that begin with `iter_` fetch row by row, so that a million samples take no more memory than a
thousand; each holds a connection until it is exhausted or closed.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sqlalchemy import ColumnElement, Engine, Table, and_, bindparam, func, select, tuple_

from evaluator.claims import CLAIMED
from evaluator.history import History
from evaluator.journal import read_predictions
from evaluator.kept import Kept
from evaluator.queries import AnySelect, Queries, same
from evaluator.records import Prediction, SampleRow, SampleScore
from evaluator.rows import (
    RUN_COLUMNS,
    SAMPLE_COLUMNS,
    TASK_COLUMNS,
    read_run,
    read_sample,
    read_score,
    read_task,
)
from evaluator.runs import (
    KnownOutcome,
    KnownSample,
    Place,
    PlacedScore,
    Results,
    RunRecord,
    TaskRecord,
)
from evaluator.schema import PREDICTIONS, RUNS, SAMPLES, SCORES, TASKS
from hooke.types import Evaluation, EvaluationState, SampleOutcome, TaskProgress

_SAMPLES_AT_ONCE = 256
"""Read together with all that is known of them."""
P, S = PREDICTIONS.c, SCORES.c

# What is read for each sample is put together once.
_PREDICTIONS = select(P.offset, P.length).where(
    P.task == bindparam("task"), P.sample_id == bindparam("sample_id"), P.repeat == bindparam("repeat")
)


def tasks_of(evaluation_id: str) -> AnySelect:
    """The tasks of a run in the order of its suite, as `read_task` takes them."""
    return (
        select(*TASK_COLUMNS)
        .join(RUNS)
        .where(RUNS.c.evaluation_id == evaluation_id, TASKS.c.ordinal.is_not(None))
        .order_by(TASKS.c.ordinal)
    )


class RunReader:
    """Reads from the runs of an evaluator.

    Args:
        engine: of the database.
        runs_dir: the folder of the journals.
        home: what the database calls that folder.
    """

    def __init__(self, engine: Engine, runs_dir: Path, home: str) -> None:
        self.queries = Queries(engine)
        self.history = History(engine, runs_dir, home)
        """What all runs have had of models."""
        self._runs_dir = runs_dir
        self._home = home

    def folder(self, evaluation_id: str) -> Path:
        """The folder of a run."""
        return self._runs_dir / evaluation_id

    # Runs

    def get(self, evaluation_id: str) -> RunRecord | None:
        """A run, if it is there."""
        rows = self.queries.all(select(*RUN_COLUMNS).where(RUNS.c.evaluation_id == evaluation_id))
        return read_run(rows[0], self._home) if rows else None

    def newest(self, limit: int, before: int | None = None) -> list[RunRecord]:
        """Runs, the newest first; only those with a smaller number than `before`."""
        query = select(*RUN_COLUMNS).order_by(RUNS.c.run.desc()).limit(limit)
        if before is not None:
            query = query.where(RUNS.c.run < before)
        return [read_run(row, self._home) for row in self.queries.all(query)]

    def unfinished(self) -> list[str]:
        """Ids of the runs that have not ended and whose journals lie here, the oldest first."""
        ended = [state for state in EvaluationState if state.ended]
        query = select(RUNS.c.evaluation_id).where(RUNS.c.state.not_in(ended), RUNS.c.home == self._home)
        return [row[0] for row in self.queries.all(query.order_by(RUNS.c.run))]

    @property
    def shared(self) -> bool:
        """True if there may be other evaluators of the same database."""
        return self.queries.engine.dialect.name == "postgresql"

    def claimed(self, evaluation_id: str) -> bool:
        """Whether an evaluator that shares the database, or this one, has claimed a run."""
        if not self.shared:
            return False
        with self.queries.engine.connect() as connection:
            return bool(connection.execute(CLAIMED, {"evaluation_id": evaluation_id}).scalar_one())

    # Tasks and samples

    def tasks(self, evaluation_id: str) -> list[TaskRecord]:
        """The tasks of a run in the order of its suite; empty before it was first opened."""
        return [read_task(row) for row in self.queries.all(tasks_of(evaluation_id))]

    def iter_known_samples(self, task: TaskRecord) -> Iterator[KnownSample]:
        """What tells the samples seen so far apart, in the order of the dataset."""
        columns = (SAMPLES.c.position, SAMPLES.c.sample_id, SAMPLES.c.truth_digest)
        query = select(*columns).where(SAMPLES.c.task == task.number).order_by(SAMPLES.c.position)
        return (KnownSample(*row) for row in self.queries.stream(query))

    def count_samples(self, task: TaskRecord) -> int:
        """How many samples were seen so far."""
        query = select(func.count()).select_from(SAMPLES).where(SAMPLES.c.task == task.number)
        ((count,),) = self.queries.all(query)
        return int(count)

    def iter_samples(self, task: TaskRecord) -> Iterator[SampleRow]:
        """The samples seen so far, in the order of the dataset."""
        query = select(*SAMPLE_COLUMNS).where(SAMPLES.c.task == task.number).order_by(SAMPLES.c.position)
        return (read_sample(row) for row in self.queries.stream(query))

    # Predictions

    def count_outcomes(self, task: TaskRecord, model: str, repeat: int = 0) -> Counter[SampleOutcome]:
        """How many predictions of a model ended in which way."""
        query = (
            select(P.outcome, func.count()).where(*_of(PREDICTIONS, task, model, repeat)).group_by(P.outcome)
        )
        return Counter({SampleOutcome(outcome): count for outcome, count in self.queries.all(query)})

    def iter_outcomes(self, task: TaskRecord, model: str, repeat: int = 0) -> Iterator[KnownOutcome]:
        """What became of the samples that a model has predicted, in the order of the dataset, row by row."""
        query = (
            select(SAMPLES.c.position, P.sample_id, P.outcome, S.code_tag)
            .join_from(SAMPLES, PREDICTIONS, same(SAMPLES, PREDICTIONS, "task", "sample_id"))
            .outerjoin(SCORES, same(PREDICTIONS, SCORES, "task", "sample_id", "model", "repeat"))
            .where(_from(task, 0), *_of(PREDICTIONS, task, model, repeat))
            .order_by(SAMPLES.c.position)
        )
        for position, sample_id, outcome, code_tag in self.queries.stream(query):
            yield KnownOutcome(position, sample_id, SampleOutcome(outcome), code_tag)

    def kept(self, task: TaskRecord, model: str, repeat: int, count: int, code_tag: str | None) -> Kept:
        """What became of the samples of a task, which lists so many; see `Kept`."""
        outcomes = self.iter_outcomes(task, model, repeat)
        find = functools.partial(self._outcome, task, model, repeat)
        return Kept(count, outcomes, code_tag, find, self.count_outcomes(task, model, repeat).total())

    def _outcome(
        self, task: TaskRecord, model: str, repeat: int, position: int, sample_id: str
    ) -> KnownOutcome | None:
        query = (
            select(P.outcome, S.code_tag)
            .select_from(PREDICTIONS)
            .outerjoin(SCORES, same(PREDICTIONS, SCORES, "task", "sample_id", "model", "repeat"))
            .where(*_of(PREDICTIONS, task, model, repeat), P.sample_id == sample_id)
        )
        for outcome, code_tag in self.queries.all(query):
            return KnownOutcome(position, sample_id, SampleOutcome(outcome), code_tag)
        return None

    def iter_latencies(self, task: TaskRecord, model: str) -> Iterator[float]:
        """Seconds from sending to answer, of the samples with an answer; each repeat is one."""
        query = select(P.latency_s).where(
            P.task == task.number, P.model == model, P.outcome != SampleOutcome.FAILED
        )
        return (row[0] for row in self.queries.stream(query))

    def predictions(self, task: TaskRecord, sample_id: str, repeat: int = 0) -> dict[str, Prediction]:
        """Model -> prediction of one sample."""
        places = self.queries.all(_PREDICTIONS, task=task.number, sample_id=sample_id, repeat=repeat)
        read = read_predictions(self.folder(task.evaluation_id), [(row[0], row[1]) for row in places])
        return {prediction.model: prediction for prediction in read}

    def any_answer(self, evaluation_id: str, model: str, task: TaskRecord | None = None) -> Prediction | None:
        """The oldest answer of a model in a run, or in one of its tasks, whatever it was."""
        query = (
            select(P.offset, P.length)
            .join_from(PREDICTIONS, TASKS, P.task == TASKS.c.task)
            .join(RUNS)
            .where(
                RUNS.c.evaluation_id == evaluation_id,
                TASKS.c.ordinal.is_not(None),
                P.model == model,
                P.outcome != SampleOutcome.FAILED,
            )
            .order_by(P.offset)
            .limit(1)
        )
        if task is not None:
            query = query.where(P.task == task.number)
        places = [(row[0], row[1]) for row in self.queries.all(query)]
        predictions = read_predictions(self.folder(evaluation_id), places)
        return predictions[0] if predictions else None

    def dearest(self, evaluation_id: str) -> dict[str, int]:
        """Model -> millionths of a US dollar that its dearest answer in a run has cost, where any has."""
        query = (
            select(P.model, func.max(P.cost_micro_usd))
            .join_from(TASKS, PREDICTIONS, P.task == TASKS.c.task)
            .join(RUNS, RUNS.c.run == TASKS.c.run)
            .where(RUNS.c.evaluation_id == evaluation_id, P.cost_micro_usd.is_not(None))
            .group_by(P.model)
        )
        return {model: int(cost) for model, cost in self.queries.all(query)}

    def spent(self, evaluation_id: str) -> int:
        """Millionths of a US dollar that the answers of a run have cost, as far as prices are known."""
        query = (
            select(func.sum(P.cost_micro_usd))
            .join_from(TASKS, PREDICTIONS, P.task == TASKS.c.task)
            .join(RUNS, RUNS.c.run == TASKS.c.run)
            .where(RUNS.c.evaluation_id == evaluation_id, TASKS.c.ordinal.is_not(None))
        )
        ((spent,),) = self.queries.all(query)
        return int(spent or 0)

    def failure_reasons(self, task: TaskRecord) -> Counter[str]:
        """How many answers of a task failed for which reason."""
        query = (
            select(P.error_reason, func.count())
            .where(P.task == task.number, P.outcome == SampleOutcome.FAILED)
            .group_by(P.error_reason)
        )
        return Counter(dict(iter(self.queries.all(query))))

    # Scores

    def iter_answers(
        self, task: TaskRecord, model: str, repeats: int = 1
    ) -> Iterator[tuple[SampleRow, SampleScore]]:
        """Samples of a task with the scores of a model, in the order of the dataset, row by row.

        Args:
            task: the task.
            model: the model.
            repeats: how many of the answers to each sample; they follow each other.
        """
        query = (
            select(*SAMPLE_COLUMNS, S.score)
            .join_from(SAMPLES, SCORES, same(SAMPLES, SCORES, "task", "sample_id"))
            .where(_from(task, 0), *_of(SCORES, task, model, None), S.repeat < repeats)
            .order_by(SAMPLES.c.position, S.repeat)
        )
        for *sample, score in self.queries.stream(query):
            yield read_sample(sample), read_score(score)

    def iter_results(self, task: TaskRecord) -> Iterator[Results]:
        """Every sample with its answers, in the order of the dataset.

        It reads some samples at a time, since whoever writes pages of them is slow: a query that lasts for
        hours would keep the database from tidying up.
        """
        after = -1
        while True:
            samples = self.queries.all(
                select(*SAMPLE_COLUMNS)
                .where(SAMPLES.c.task == task.number, SAMPLES.c.position > after)
                .order_by(SAMPLES.c.position)
                .limit(_SAMPLES_AT_ONCE)
            )
            if not samples:
                return
            rows = [read_sample(sample) for sample in samples]
            answers = self._answers(task, [row.sample_id for row in rows])
            for row in rows:
                yield Results(row, answers.get(row.sample_id, {}))
            after = rows[-1].index

    def _answers(
        self, task: TaskRecord, sample_ids: Sequence[str]
    ) -> Mapping[str, Mapping[str, Sequence[tuple[SampleScore, Prediction]]]]:
        """Sample id -> model -> scores and predictions, of some samples.

        They are named one by one and put in order here: for places from one to another, or for an order of
        repeats, SQLite goes through all scores of a task.
        """
        found = self.queries.all(
            select(S.score, P.offset, P.length)
            .join_from(SCORES, PREDICTIONS, same(SCORES, PREDICTIONS, "task", "sample_id", "model", "repeat"))
            .where(S.task == task.number, S.sample_id.in_(sample_ids))
        )
        scores = [read_score(text) for text, _, _ in found]
        places = [(offset, length) for _, offset, length in found]
        predictions = read_predictions(self.folder(task.evaluation_id), places)
        answers: dict[str, dict[str, list[tuple[SampleScore, Prediction]]]] = {}
        for answer in sorted(zip(scores, predictions, strict=True), key=lambda answer: answer[0].repeat):
            score, _ = answer
            if score.repeat < task.answers_of(score.model):
                answers.setdefault(score.sample_id, {}).setdefault(score.model, []).append(answer)
        return answers

    def placed_scores(
        self, task: TaskRecord, model: str, after: Place | None, limit: int
    ) -> Iterator[PlacedScore]:
        """Scores of a task in the order of the dataset, then of the models' names, then of repeats.

        Args:
            task: the task.
            model: only this one; empty: all of them.
            after: only scores that come later than this.
            limit: most scores.
        """
        if after is not None and after.ordinal > task.ordinal:
            return
        most = max((task.answers_of(asked) for asked in task.models), default=1)
        query = (
            select(SAMPLES.c.position, S.model, S.repeat, S.score)
            .join_from(SAMPLES, SCORES, same(SAMPLES, SCORES, "task", "sample_id"))
            .where(S.task == task.number, S.repeat < most)
            .order_by(SAMPLES.c.position, S.model, S.repeat)
            .limit(limit)
        )
        if after is None or after.ordinal != task.ordinal:
            query = query.where(_from(task, 0))
        else:
            place = tuple_(SAMPLES.c.position, S.model, S.repeat)
            later = place > (after.position, after.model, after.repeat)
            query = query.where(_from(task, after.position), later)
        if model:
            query = query.where(S.model == model)
        for position, row_model, repeat, score in self.queries.all(query):
            yield PlacedScore(Place(task.ordinal, position, row_model, repeat), read_score(score))

    # The whole

    def evaluation(self, run: RunRecord) -> Evaluation:
        """A run with its progress, as callers see it; where samples are asked about again, of all answers."""
        progress = []
        for task in self.tasks(run.evaluation_id):
            query = (
                select(S.model, S.repeat, S.outcome, func.count())
                .where(S.task == task.number)
                .group_by(S.model, S.repeat, S.outcome)
            )
            counts: Counter[tuple[str, str]] = Counter()
            for model, repeat, outcome, count in self.queries.all(query):
                if repeat < task.answers_of(model):
                    counts[model, outcome] += count
            for model in task.models:
                asked = None if task.sample_count is None else task.sample_count * task.answers_of(model)
                by_outcome = [counts[model, outcome] for outcome in SampleOutcome]
                progress.append(TaskProgress(task.name, model, asked, *by_outcome))
        return Evaluation(
            evaluation_id=run.evaluation_id,
            request_id=run.spec.request_id,
            suite_name=run.suite_name,
            models=run.models,
            state=run.state,
            task_progress=tuple(progress),
            create_time=run.create_time,
            end_time=run.end_time,
            state_message=run.state_message,
        )


def _from(task: TaskRecord, position: int) -> ColumnElement[bool]:
    """Samples of a task from a place on.

    Said even where it is the first place, or follows from what else is asked: it makes SQLite go along the
    samples in their order instead of putting all scores of the task in order first.
    """
    return and_(SAMPLES.c.task == task.number, SAMPLES.c.position >= position)


def _of(table: Table, task: TaskRecord, model: str, repeat: int | None) -> list[ColumnElement[bool]]:
    """Rows of a model in a task, of one repeat or of all."""
    conditions = [table.c.task == task.number, table.c.model == model]
    return conditions if repeat is None else [*conditions, table.c.repeat == repeat]
