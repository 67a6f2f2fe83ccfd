"""The run store: what was asked for, what was answered and how good it was, safe against any crash.

    runs_dir/
      lock                 held while a store is open: two evaluators never share a folder
      runs.sqlite          every run: its request, state, tasks, samples; index of predictions; scores
      <evaluation_id>/
        predictions.jsonl  the truth about predictions (see `evaluator.journal`)
        masks/             label TIFFs that its lines name
        report/            written when the run ends

The index is derived from the journal and the scores from both; either can be lost and is made again. Reads
open a connection of their own and may run on any thread. Writes go through one thread (see
`evaluator.writer`) and give back a future that is done once they are lasting.
"""

from __future__ import annotations

import fcntl
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evaluator import schema
from evaluator.journal import Entry, Located, read_predictions, shallow
from evaluator.records import Prediction, SampleRow, SampleScore
from evaluator.rows import RUN_COLUMNS, TASK_COLUMNS, read_run, read_score, read_task
from evaluator.runs import KnownSample, Place, PlacedScore, RunRecord, RunSpec, TaskPlan, TaskRecord
from evaluator.writer import Writer
from hooke.types import Evaluation, EvaluationState, SampleOutcome, TaskProgress


class RunsFolderError(Exception):
    """The folder of the runs cannot be used; the message says why and what to do."""


class RunStore:
    """Every run of an evaluator.

    Args:
        runs_dir: made if need be.

    Raises:
        RunsFolderError: the folder cannot be written, is in use by another evaluator, or was written by
            another version of Hooke.
    """

    def __init__(self, runs_dir: Path) -> None:
        self._runs_dir = runs_dir
        self._database = runs_dir / "runs.sqlite"
        try:
            runs_dir.mkdir(parents=True, exist_ok=True)
            self._lock = (runs_dir / "lock").open("w")
        except OSError as error:
            raise RunsFolderError(f"{runs_dir} cannot be written: {error}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            schema.prepare(self._database)
        except BlockingIOError as error:
            self._lock.close()
            raise RunsFolderError(
                f"{runs_dir} is in use by another evaluator: stop that one, or use another folder"
            ) from error
        except (OSError, sqlite3.Error, schema.SchemaError) as error:
            self._lock.close()
            raise RunsFolderError(f"{runs_dir} cannot be used: {error}") from error
        self._writer = Writer(lambda: schema.connect(self._database), self.folder)

    def close(self) -> None:
        """Finish what is being written and let go of the folder."""
        self._writer.close()
        self._lock.close()

    def folder(self, evaluation_id: str) -> Path:
        """The folder of a run."""
        return self._runs_dir / evaluation_id

    # Runs

    def create(self, evaluation_id: str, spec: RunSpec, suite_name: str) -> Future[RunRecord]:
        """Keep a new run as QUEUED; one that is there already stays as it is and is returned."""
        row = (
            evaluation_id,
            json.dumps(shallow(spec)),
            suite_name,
            json.dumps(spec.models),
            EvaluationState.QUEUED,
            datetime.now(UTC).isoformat(),
        )

        def statement(connection: sqlite3.Connection) -> RunRecord:
            connection.execute(
                "INSERT OR IGNORE INTO runs (evaluation_id, spec, suite_name, models, state, create_time)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                row,
            )
            query = f"SELECT {RUN_COLUMNS} FROM runs WHERE evaluation_id = ?"  # noqa: S608
            return read_run(connection.execute(query, (evaluation_id,)).fetchone())

        return self._writer.execute(statement)

    def get(self, evaluation_id: str) -> RunRecord | None:
        """A run, if it is there."""
        rows = self._read(f"SELECT {RUN_COLUMNS} FROM runs WHERE evaluation_id = ?", evaluation_id)  # noqa: S608
        return read_run(rows[0]) if rows else None

    def newest(self, limit: int, before: int | None = None) -> list[RunRecord]:
        """Runs, the newest first; only those with a smaller number than `before`."""
        query = f"SELECT {RUN_COLUMNS} FROM runs WHERE ? IS NULL OR run < ? ORDER BY run DESC LIMIT ?"  # noqa: S608
        return [read_run(row) for row in self._read(query, before, before, limit)]

    def unfinished(self) -> list[str]:
        """Ids of the runs that have not ended, the oldest first."""
        ended = [state for state in EvaluationState if state.ended]
        marks = ", ".join("?" * len(ended))
        query = f"SELECT evaluation_id FROM runs WHERE state NOT IN ({marks}) ORDER BY run"  # noqa: S608
        return [row[0] for row in self._read(query, *ended)]

    def set_state(self, evaluation_id: str, state: EvaluationState, message: str = "") -> Future[None]:
        """Move a run to a state; an ended one gets its end time."""
        end_time = datetime.now(UTC).isoformat() if state.ended else None
        return self._write(
            "UPDATE runs SET state = ?, state_message = ?, end_time = ? WHERE evaluation_id = ?",
            (state, message, end_time, evaluation_id),
        )

    def note(self, evaluation_id: str, message: str) -> Future[None]:
        """Say something of a run while it is RUNNING."""
        return self._write(
            "UPDATE runs SET state_message = ? WHERE evaluation_id = ? AND state = ?",
            (message, evaluation_id, EvaluationState.RUNNING),
        )

    def set_provenance(self, evaluation_id: str, provenance: Mapping[str, Any]) -> Future[None]:
        """Keep what the report's head says."""
        return self._write(
            "UPDATE runs SET provenance = ? WHERE evaluation_id = ?", (json.dumps(provenance), evaluation_id)
        )

    # Tasks and samples

    def open(
        self, evaluation_id: str, models: Sequence[str], plans: Sequence[TaskPlan]
    ) -> Future[list[TaskRecord]]:
        """Make a run ready to be written to: recover its journal and index what it holds of these tasks.

        What is kept of other tasks, as of a suite that has changed since, no longer counts.
        """

        def statement(connection: sqlite3.Connection) -> list[TaskRecord]:
            (run,) = connection.execute(
                "SELECT run FROM runs WHERE evaluation_id = ?", (evaluation_id,)
            ).fetchone()
            connection.execute("UPDATE runs SET models = ? WHERE run = ?", (json.dumps(list(models)), run))
            connection.execute("UPDATE tasks SET ordinal = NULL WHERE run = ?", (run,))
            connection.executemany(
                "INSERT INTO tasks (run, digest, name, ordinal, models) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (run, digest) DO UPDATE"
                " SET name = excluded.name, ordinal = excluded.ordinal, models = excluded.models",
                [(run, p.digest, p.name, ordinal, json.dumps(p.models)) for ordinal, p in enumerate(plans)],
            )
            tasks = _tasks(connection, evaluation_id)
            numbers = {task.digest: task.number for task in tasks}
            of_run = "task IN (SELECT task FROM tasks WHERE run = ?)"
            connection.execute(f"DELETE FROM predictions WHERE {of_run}", (run,))  # noqa: S608
            for located in self._writer.journal(evaluation_id).recover():
                if located.task_digest in numbers:
                    _index(connection, numbers[located.task_digest], located)
            # A score of a prediction that was followed by another one says nothing of that.
            connection.execute(
                f"DELETE FROM scores WHERE {of_run} AND NOT EXISTS (SELECT 1 FROM predictions AS p"  # noqa: S608
                " WHERE p.task = scores.task AND p.sample_id = scores.sample_id"
                " AND p.model = scores.model AND p.offset = scores.offset)",
                (run,),
            )
            return tasks

        return self._writer.execute(statement)

    def release(self, evaluation_id: str) -> Future[None]:
        """Close what `open` opened."""
        return self._writer.execute(lambda _connection: self._writer.close_journal(evaluation_id))

    def tasks(self, evaluation_id: str) -> list[TaskRecord]:
        """The tasks of a run in the order of its suite; empty before it was first opened."""
        with closing(schema.connect(self._database)) as connection:
            return _tasks(connection, evaluation_id)

    def set_sample_count(self, task: TaskRecord, sample_count: int) -> Future[None]:
        """Keep how many samples the dataset of a task has."""
        return self._write("UPDATE tasks SET sample_count = ? WHERE task = ?", (sample_count, task.number))

    def add_sample(self, task: TaskRecord, row: SampleRow, truth_digest: str) -> Future[None]:
        """Keep what the report needs of a sample, and the hash of its truth."""
        return self._write(
            "INSERT INTO samples (task, position, sample_id, truth_digest, source, slices, cluster)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                task.number,
                row.index,
                row.sample_id,
                truth_digest,
                row.source,
                json.dumps(dict(row.slices)),
                row.cluster,
            ),
        )

    def known_samples(self, task: TaskRecord) -> list[KnownSample]:
        """What tells the samples seen so far apart, in the order of the dataset."""
        query = "SELECT position, sample_id, truth_digest FROM samples WHERE task = ? ORDER BY position"
        return [KnownSample(*row) for row in self._read(query, task.number)]

    def samples(self, task: TaskRecord) -> list[SampleRow]:
        """The samples seen so far, in the order of the dataset."""
        columns = "sample_id, position, source, slices, cluster"
        query = f"SELECT {columns} FROM samples WHERE task = ? ORDER BY position"  # noqa: S608
        return [
            SampleRow(sample_id, position, source, json.loads(slices), cluster)
            for sample_id, position, source, slices, cluster in self._read(query, task.number)
        ]

    # Predictions and scores

    def add_prediction(
        self, task: TaskRecord, prediction: Prediction, mask: bytes | None
    ) -> Future[Prediction]:
        """Put a prediction of an open run on disk; the future has it with its `mask_file`.

        It takes the place of an earlier one of the same model on the same sample, and of its score.
        """

        def statement(connection: sqlite3.Connection, located: Located) -> Prediction:
            _index(connection, task.number, located)
            connection.execute(
                "DELETE FROM scores WHERE task = ? AND sample_id = ? AND model = ?",
                (task.number, prediction.sample_id, prediction.model),
            )
            return located.prediction

        return self._writer.append(task.evaluation_id, Entry(task.digest, prediction, mask), statement)

    def outcomes(self, task: TaskRecord, model: str) -> dict[str, SampleOutcome]:
        """Sample id -> outcome of every prediction of a model."""
        query = "SELECT sample_id, outcome FROM predictions WHERE task = ? AND model = ?"
        return {key: SampleOutcome(value) for key, value in self._read(query, task.number, model)}

    def latencies(self, task: TaskRecord, model: str) -> list[float]:
        """Seconds from sending to answer, of the samples with an answer."""
        query = "SELECT latency_s FROM predictions WHERE task = ? AND model = ? AND outcome != ?"
        return [row[0] for row in self._read(query, task.number, model, SampleOutcome.FAILED)]

    def predictions(self, task: TaskRecord, sample_id: str) -> dict[str, Prediction]:
        """Model -> prediction of one sample."""
        query = "SELECT offset, length FROM predictions WHERE task = ? AND sample_id = ?"
        places = self._read(query, task.number, sample_id)
        read = read_predictions(self.folder(task.evaluation_id), places)
        return {prediction.model: prediction for prediction in read}

    def any_answer(self, evaluation_id: str, model: str, task: TaskRecord | None = None) -> Prediction | None:
        """The oldest answer of a model in a run, or in one of its tasks, whatever it was."""
        places = self._read(
            "SELECT offset, length FROM predictions WHERE model = ? AND outcome != ? AND task IN"
            " (SELECT task FROM tasks JOIN runs USING (run) WHERE evaluation_id = ? AND ordinal IS NOT NULL)"
            " AND ? IN (-1, task) ORDER BY offset LIMIT 1",
            model,
            SampleOutcome.FAILED,
            evaluation_id,
            -1 if task is None else task.number,
        )
        predictions = read_predictions(self.folder(evaluation_id), places)
        return predictions[0] if predictions else None

    def add_score(self, task: TaskRecord, score: SampleScore, code_tag: str) -> Future[None]:
        """Keep the score of the present prediction of the same model on the same sample.

        `code_tag` says which code computed it.
        """
        return self._write(
            "INSERT OR REPLACE INTO scores (task, sample_id, model, outcome, offset, code_tag, score)"
            " SELECT task, sample_id, model, ?, offset, ?, ? FROM predictions"
            " WHERE task = ? AND sample_id = ? AND model = ?",
            (
                score.outcome,
                code_tag,
                json.dumps(shallow(score), default=dict),
                task.number,
                score.sample_id,
                score.model,
            ),
        )

    def scores(self, task: TaskRecord, model: str) -> list[SampleScore]:
        """Every score of a model in a task, in no order."""
        query = "SELECT score FROM scores WHERE task = ? AND model = ?"
        return [read_score(row[0]) for row in self._read(query, task.number, model)]

    def scored(self, task: TaskRecord, model: str, code_tag: str) -> frozenset[str]:
        """Ids of the samples whose present prediction was scored by this code."""
        query = "SELECT sample_id FROM scores WHERE task = ? AND model = ? AND code_tag = ?"
        return frozenset(row[0] for row in self._read(query, task.number, model, code_tag))

    def failure_reasons(self, task: TaskRecord) -> Counter[str]:
        """How often the samples of a task failed for which reason."""
        query = (
            "SELECT json_extract(score, '$.error_reason'), count(*) FROM scores"
            " WHERE task = ? AND outcome = ? GROUP BY 1"
        )
        return Counter(dict(self._read(query, task.number, SampleOutcome.FAILED)))

    def placed_scores(
        self, task: TaskRecord, model: str, after: Place | None, limit: int
    ) -> Iterator[PlacedScore]:
        """Scores of a task in the order of the dataset, then of the models' names.

        Args:
            task: the task.
            model: only this one; empty: all of them.
            after: only scores that come later than this.
            limit: most scores.
        """
        position, last_model = -1, ""
        if after is not None:
            if after.ordinal > task.ordinal:
                return
            if after.ordinal == task.ordinal:
                position, last_model = after.position, after.model
        rows = self._read(
            "SELECT position, model, score FROM samples JOIN scores USING (task, sample_id)"
            " WHERE task = ? AND position >= ? AND (position, model) > (?, ?) AND ? IN ('', model)"
            " ORDER BY position, model LIMIT ?",
            task.number,
            position,
            position,
            last_model,
            model,
            limit,
        )
        for row_position, row_model, score in rows:
            yield PlacedScore(Place(task.ordinal, row_position, row_model), read_score(score))

    # The whole

    def evaluation(self, run: RunRecord) -> Evaluation:
        """A run with its progress, as callers see it."""
        progress = []
        for task in self.tasks(run.evaluation_id):
            query = "SELECT model, outcome, count(*) FROM scores WHERE task = ? GROUP BY model, outcome"
            counts = {(model, outcome): count for model, outcome, count in self._read(query, task.number)}
            for model in task.models:
                by_outcome = [counts.get((model, outcome), 0) for outcome in SampleOutcome]
                progress.append(TaskProgress(task.name, model, task.sample_count, *by_outcome))
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

    def _read(self, query: str, *values: Any) -> list[Any]:
        with closing(schema.connect(self._database)) as connection:
            return connection.execute(query, values).fetchall()

    def _write(self, statement: str, values: tuple[Any, ...]) -> Future[None]:
        def execute(connection: sqlite3.Connection) -> None:
            connection.execute(statement, values)

        return self._writer.execute(execute)


def _tasks(connection: sqlite3.Connection, evaluation_id: str) -> list[TaskRecord]:
    query = (
        f"SELECT {TASK_COLUMNS} FROM tasks JOIN runs USING (run)"  # noqa: S608
        " WHERE evaluation_id = ? AND ordinal IS NOT NULL ORDER BY ordinal"
    )
    return [read_task(row) for row in connection.execute(query, (evaluation_id,))]


def _index(connection: sqlite3.Connection, task: int, located: Located) -> None:
    prediction = located.prediction
    connection.execute(
        "INSERT OR REPLACE INTO predictions (task, sample_id, model, outcome, latency_s, offset, length)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            task,
            prediction.sample_id,
            prediction.model,
            prediction.outcome,
            prediction.latency_s,
            located.offset,
            located.length,
        ),
    )
