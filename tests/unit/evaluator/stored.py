"""A run in a run store, and what is put into it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Table, select

from evaluator.records import Prediction, SampleScore
from evaluator.rows import read_score
from evaluator.runs import RunSpec, TaskPlan, TaskRecord
from evaluator.schema import PREDICTIONS, SCORES
from evaluator.store import RunStore
from hooke.types import SampleOutcome

RUN = "run-1"
WAIT_S = 10
TAG = "code"
PLAN = TaskPlan("nuclei", "d" * 64, ("classical",))


def opened(store: RunStore, *plans: TaskPlan, run: str = RUN) -> TaskRecord:
    store.create(run, RunSpec("r"), "demo").result(WAIT_S)
    return store.open(run, ["classical"], plans or [PLAN]).result(WAIT_S)[0]


def answer(sample_id: str, count: int | None = 1, **changes: Any) -> Prediction:
    fields = {"task": "nuclei", "model": "classical", "outcome": SampleOutcome.SCORED, **changes}
    return Prediction(sample_id=sample_id, count=count, **fields)


def failure(sample_id: str, reason: str) -> Prediction:
    return answer(sample_id, count=None, outcome=SampleOutcome.FAILED, error_reason=reason)


def score(
    sample_id: str,
    outcome: SampleOutcome = SampleOutcome.SCORED,
    model: str = "classical",
    **changes: Any,
) -> SampleScore:
    fields = {"metrics": {"error": 2.0}, "answer": "3", "truth": "1", **changes}
    return SampleScore("nuclei", model, sample_id, outcome, **fields)


def outcomes_of(
    store: RunStore, task: TaskRecord, model: str = "classical", repeat: int = 0
) -> dict[str, SampleOutcome]:
    """Sample id -> outcome of the predictions that the database has."""
    rows = _rows(store, PREDICTIONS, task, model, repeat)
    return {row.sample_id: SampleOutcome(row.outcome) for row in rows}


def scored_by(store: RunStore, task: TaskRecord, model: str, code_tag: str, repeat: int = 0) -> set[str]:
    """Ids of the samples whose prediction was scored by this code."""
    return {row.sample_id for row in _rows(store, SCORES, task, model, repeat) if row.code_tag == code_tag}


def scores_of(store: RunStore, task: TaskRecord, model: str = "classical") -> list[SampleScore]:
    """The scores of the first answers, in no order."""
    return [read_score(row.score) for row in _rows(store, SCORES, task, model, 0)]


def _rows(store: RunStore, table: Table, task: TaskRecord, model: str, repeat: int) -> list[Any]:
    of_model = (table.c.task == task.number, table.c.model == model, table.c.repeat == repeat)
    return store.queries.all(select(table).where(*of_model))


def journal_of(store: RunStore) -> Path:
    return store.folder(RUN) / "predictions.jsonl"
