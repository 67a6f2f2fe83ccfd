"""A run in a run store, and what is put into it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evaluator.records import Prediction, SampleScore
from evaluator.runs import RunSpec, TaskPlan, TaskRecord
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


def journal_of(store: RunStore) -> Path:
    return store.folder(RUN) / "predictions.jsonl"
