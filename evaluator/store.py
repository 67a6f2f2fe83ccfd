"""The run store: what was asked for, what was answered and how good it was, safe against any crash.

    runs_dir/
      lock                 held while a store is open
      runs.sqlite          every run: its request, state, tasks, samples; index of predictions; scores
      home                 instead, where the database is elsewhere: what it calls this folder
      <evaluation_id>/
        predictions.jsonl  the truth about predictions (see `evaluator.journal`)
        masks/             label TIFFs that its lines name
        report/            written when the run ends

The index is derived from the journal and the scores from both; either can be lost and is made again. Reads
(see `evaluator.reading`) have connections of their own and may run on any thread. Writes go through one
thread (see `evaluator.writer`) and give back a future that is done once they are lasting.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Connection, Delete, Select, Update, and_, delete, exists, select, update
from sqlalchemy.exc import OperationalError

from evaluator import database
from evaluator.claims import RunTakenError
from evaluator.database import DatabaseError
from evaluator.folder import RunsFolder, RunsFolderError
from evaluator.journal import JOURNAL, Entry, read_lines, shallow
from evaluator.reading import RunReader
from evaluator.records import Prediction, SampleRow, SampleScore
from evaluator.rows import RUN_COLUMNS, read_run
from evaluator.runs import RunRecord, RunSpec, TaskPlan, TaskRecord
from evaluator.schema import PREDICTIONS, RUNS, SAMPLES, SCORES, TASKS
from evaluator.statements import (
    KEY,
    insert,
    predicted,
    prediction_row,
    recovering,
    replacing,
    sampled,
    scored,
)
from evaluator.writer import Writer
from hooke.types import EvaluationState

_ROWS_AT_ONCE = 1000
"""Lines of a journal that are indexed together."""
_READINGS = 3
"""How often an index is read before a database that breaks each time ends the run."""


class RunStore(RunReader):
    """Every run of an evaluator.

    Args:
        runs_dir: folder of the journals, made if need be; and of the database, unless that is elsewhere.
        database_url: of a PostgreSQL database; None: SQLite in the folder.

    Raises:
        RunsFolderError: the folder cannot be written, is in use by another evaluator, or was written by
            another version of Hooke.
        DatabaseError: the PostgreSQL database cannot be used.
    """

    def __init__(self, runs_dir: Path, database_url: SecretStr | None = None) -> None:
        self._runs_folder = RunsFolder(runs_dir, shared=database_url is not None)
        try:
            if database_url is None:
                engine, home = database.sqlite(runs_dir / "runs.sqlite"), ""
            else:
                engine, home = database.postgresql(database_url), self._runs_folder.home()
            outgrown = database.prepare(engine)
        except DatabaseError as error:
            self._runs_folder.close()
            if database_url is not None:
                raise
            raise RunsFolderError(f"{runs_dir} cannot be used: {error}") from error
        except RunsFolderError:
            self._runs_folder.close()
            raise
        super().__init__(engine, runs_dir, home)
        self._writer = Writer(engine, self.folder)
        self._opening = ThreadPoolExecutor(thread_name_prefix="hooke-open")
        if outgrown:
            self._index_all()

    def close(self) -> None:
        """Finish what is being written, and let go of the folder and of what was claimed."""
        self._opening.shutdown()
        self._writer.close()
        self.queries.engine.dispose()
        self._runs_folder.close()

    # Runs

    def create(self, evaluation_id: str, spec: RunSpec, suite_name: str) -> Future[RunRecord]:
        """Keep a new run as QUEUED; one that is there already stays as it is and is returned."""
        row = {
            "evaluation_id": evaluation_id,
            "home": self._home,
            "spec": json.dumps(shallow(spec)),
            "suite_name": suite_name,
            "models": json.dumps(spec.models),
            "state": EvaluationState.QUEUED.value,
            "create_time": datetime.now(UTC).isoformat(),
        }

        def statement(connection: Connection) -> RunRecord:
            new = insert(connection.dialect.name, RUNS)
            connection.execute(new.on_conflict_do_nothing(index_elements=["evaluation_id"]), row)
            query = select(*RUN_COLUMNS).where(RUNS.c.evaluation_id == evaluation_id)
            return read_run(connection.execute(query).one(), self._home)

        return self._writer.execute(None, statement)

    def set_spec(self, evaluation_id: str, spec: RunSpec, suite_name: str) -> Future[None]:
        """Ask for something else from here on, as for more models or tasks; see `open` on what is kept."""
        return self._change_run(evaluation_id, spec=json.dumps(shallow(spec)), suite_name=suite_name)

    def set_state(self, evaluation_id: str, state: EvaluationState, message: str = "") -> Future[None]:
        """Move a run to a state; an ended one gets its end time."""
        end_time = datetime.now(UTC).isoformat() if state.ended else None
        return self._change_run(evaluation_id, state=state.value, state_message=message, end_time=end_time)

    def note(self, evaluation_id: str, message: str) -> Future[None]:
        """Say something of a run while it is RUNNING."""
        running = and_(RUNS.c.evaluation_id == evaluation_id, RUNS.c.state == EvaluationState.RUNNING.value)
        return self._write(evaluation_id, update(RUNS).where(running).values(state_message=message))

    def set_provenance(self, evaluation_id: str, provenance: Mapping[str, Any]) -> Future[None]:
        """Keep what the report's head says."""
        return self._change_run(evaluation_id, provenance=json.dumps(provenance))

    def claim(self, evaluation_id: str) -> Future[bool]:
        """Be the one evaluator that writes to a run; False if another one is, or if its journal is not here.

        A claim ends with the process, however that ends. On SQLite nobody else can have one.
        """
        return self._writer.execute(None, lambda connection: self._take(connection, evaluation_id))

    def give_back(self, evaluation_id: str) -> Future[None]:
        """End a claim, if there is one."""
        drop = self._writer.claims.drop
        return self._writer.execute(None, lambda connection: drop(connection, evaluation_id))

    # Tasks and samples

    def open(
        self, evaluation_id: str, models: Sequence[str], plans: Sequence[TaskPlan]
    ) -> Future[list[TaskRecord]]:
        """Make a run ready to be written to: claim it, recover its journal, index what that has.

        What is kept of models and tasks that were there before still counts; they need not be the same as
        before. What is kept of other tasks, as of a suite that has changed since, no longer counts.

        Raises:
            RunTakenError: another evaluator has claimed it.
        """
        return self._opening.submit(self._open, evaluation_id, models, plans)

    def _open(self, evaluation_id: str, models: Sequence[str], plans: Sequence[TaskPlan]) -> list[TaskRecord]:
        def statement(connection: Connection) -> None:
            if not self._take(connection, evaluation_id):
                raise RunTakenError(evaluation_id)
            of_run = RUNS.c.evaluation_id == evaluation_id
            run = connection.execute(select(RUNS.c.run).where(of_run)).scalar_one()
            connection.execute(update(RUNS).where(of_run).values(models=json.dumps(list(models))))
            connection.execute(update(TASKS).where(TASKS.c.run == run).values(ordinal=None))
            rows = [
                {
                    "run": run,
                    "digest": plan.digest,
                    "name": plan.name,
                    "ordinal": ordinal,
                    "models": json.dumps({model: plan.repeats.get(model, 1) for model in plan.models}),
                }
                for ordinal, plan in enumerate(plans)
            ]
            new = insert(connection.dialect.name, TASKS)
            upsert = replacing(new, ("run", "digest"), ("name", "ordinal", "models"))
            if rows:
                connection.execute(upsert, rows)

        self._writer.execute(None, statement).result()
        for _ in range(_READINGS - 1):
            try:
                return self._indexed(evaluation_id)
            except OperationalError:  # if the server has gone, a write is done once it is back
                self._writer.execute(None, lambda _connection: None).result()
        return self._indexed(evaluation_id)

    def _indexed(self, evaluation_id: str) -> list[TaskRecord]:
        """Bring the index of a run up to date; may be broken off, and done again."""
        if not self._index(evaluation_id):
            self._index_anew(evaluation_id)
        return self.tasks(evaluation_id)

    def release(self, evaluation_id: str) -> Future[None]:
        """Close what `open` opened; the claim stays."""
        close = self._writer.close_journal
        return self._writer.execute(None, lambda _connection: close(evaluation_id))

    def set_sample_count(self, task: TaskRecord, sample_count: int) -> Future[None]:
        """Keep how many samples the dataset of a task has."""
        change = update(TASKS).where(TASKS.c.task == task.number).values(sample_count=sample_count)
        return self._write(task.evaluation_id, change)

    def add_sample(self, task: TaskRecord, row: SampleRow, truth_digest: str) -> Future[None]:
        """Keep what the report needs of a sample, and the hash of its truth."""
        return self._writer.change(task.evaluation_id, sampled(task.number, row, truth_digest))

    def forget_samples(self, evaluation_id: str) -> Future[None]:
        """Forget which samples the datasets of a run have, so that others may be chosen from them.

        Predictions and scores are kept: they are of what was asked, not of a place in a dataset.
        """
        tasks = select(TASKS.c.task).join(RUNS).where(RUNS.c.evaluation_id == evaluation_id)
        return self._write(evaluation_id, delete(SAMPLES).where(SAMPLES.c.task.in_(tasks)))

    # Predictions and scores

    def add_prediction(
        self, task: TaskRecord, prediction: Prediction, mask: bytes | None
    ) -> Future[Prediction]:
        """Put a prediction of an open run on disk; the future has it with its `mask_file`.

        It takes the place of an earlier one of the same model on the same sample, and of its score.
        """
        change = functools.partial(predicted, task.number)
        return self._writer.append(task.evaluation_id, Entry(task.digest, prediction, mask), change)

    def add_score(self, task: TaskRecord, score: SampleScore, code_tag: str) -> Future[None]:
        """Keep the score of the present prediction of the same model on the same sample.

        `code_tag` says which code computed it.
        """
        return self._writer.change(task.evaluation_id, scored(task.number, score, code_tag))

    # How

    def _write(self, evaluation_id: str, change: Update | Delete) -> Future[None]:
        def execute(connection: Connection) -> None:
            connection.execute(change)

        return self._writer.execute(evaluation_id, execute)

    def _change_run(self, evaluation_id: str, **values: str | None) -> Future[None]:
        change = update(RUNS).where(RUNS.c.evaluation_id == evaluation_id).values(values)
        return self._write(evaluation_id, change)

    def _take(self, connection: Connection, evaluation_id: str) -> bool:
        here = select(RUNS.c.home).where(RUNS.c.evaluation_id == evaluation_id)
        if connection.execute(here).scalar() != self._home:
            return False
        return self._writer.claims.take(connection, evaluation_id)

    def _index(self, evaluation_id: str) -> bool:
        """Add the lines of a journal that the index lacks; cut off what a crash has left behind the last one.

        Others write in between, since this may take a while.

        Returns:
            False if the index has what the journal has not.
        """
        numbers: dict[str, int] = dict(iter(self.queries.all(_tasks_ever(evaluation_id))))
        indexed = self.queries.stream(
            select(PREDICTIONS.c.offset, PREDICTIONS.c.length)
            .where(PREDICTIONS.c.task.in_(numbers.values()))
            .order_by(PREDICTIONS.c.offset)
        )
        write = functools.partial(self._writer.execute, evaluation_id)  # nothing, once another has claimed it
        write(lambda _connection: self._writer.journal(evaluation_id) and None).result()
        end, lacking, known = 0, [], next(indexed, None)
        for line in read_lines(self.folder(evaluation_id)):
            whole = line.offset + line.length
            if line.content is not None:
                end = whole
            if known is not None and known.offset < whole:
                if line.content is None or tuple(known) != (line.offset, line.length):
                    indexed.close()
                    return False
                known = next(indexed, None)
                continue
            located = line.located()
            if located is not None and located.task_digest in numbers:
                lacking.append(prediction_row(numbers[located.task_digest], located))
            if len(lacking) == _ROWS_AT_ONCE:
                write(functools.partial(_recover, lacking)).result()
                lacking = []
        if known is not None:
            indexed.close()
            return False
        write(functools.partial(_recover, lacking)).result()
        write(lambda _connection: self._writer.journal(evaluation_id).cut(end)).result()
        return True

    def _index_anew(self, evaluation_id: str) -> None:
        """Make the whole index of a run again."""
        tasks = _tasks_ever(evaluation_id).with_only_columns(TASKS.c.task)

        def forget(connection: Connection) -> None:
            connection.execute(delete(PREDICTIONS).where(PREDICTIONS.c.task.in_(tasks)))

        def tidy(connection: Connection) -> None:
            # A score of a prediction that was followed by another one says nothing of that.
            same = and_(*(PREDICTIONS.c[name] == SCORES.c[name] for name in (*KEY, "offset")))
            connection.execute(delete(SCORES).where(SCORES.c.task.in_(tasks), ~exists().where(same)))

        self._writer.execute(evaluation_id, forget).result()
        self._index(evaluation_id)
        self._writer.execute(evaluation_id, tidy).result()

    def _index_all(self) -> None:
        """Fill from the journals what the database could not say before it was brought up to date."""
        for (evaluation_id,) in self.queries.all(select(RUNS.c.evaluation_id)):
            if (self.folder(evaluation_id) / JOURNAL).is_file():
                self._index_anew(evaluation_id)
                self.release(evaluation_id).result()
        database.filled(self.queries.engine)


def _recover(rows: Sequence[Mapping[str, Any]], connection: Connection) -> None:
    """Put lines of a journal into the index."""
    for text in recovering(connection.dialect) if rows else ():
        connection.exec_driver_sql(text, rows)


def _tasks_ever(evaluation_id: str) -> Select[tuple[str, int]]:
    """Digest and number of all tasks that a run has had."""
    return select(TASKS.c.digest, TASKS.c.task).join(RUNS).where(RUNS.c.evaluation_id == evaluation_id)
