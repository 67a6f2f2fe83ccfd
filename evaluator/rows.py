"""Rows of the run store's database, read as values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from evaluator.records import SampleScore
from evaluator.runs import RunRecord, RunSpec, TaskRecord
from hooke.types import EvaluationState, SampleOutcome

RUN_COLUMNS = (
    "run, evaluation_id, spec, suite_name, models, state, state_message, create_time, end_time, provenance"
)
"""Of the table `runs`, as `read_run` takes them."""
TASK_COLUMNS = "evaluation_id, task, name, digest, ordinal, tasks.models, sample_count"
"""Of the tables `tasks` and `runs`, as `read_task` takes them."""


def read_run(row: Sequence[Any]) -> RunRecord:
    """A run."""
    number, evaluation_id, spec, suite_name, models, state, message, created, ended, provenance = row
    content = json.loads(spec)
    return RunRecord(
        number=number,
        evaluation_id=evaluation_id,
        spec=RunSpec(**{**content, "models": tuple(content["models"])}),
        suite_name=suite_name,
        models=tuple(json.loads(models)),
        state=EvaluationState(state),
        state_message=message,
        create_time=datetime.fromisoformat(created),
        end_time=None if ended is None else datetime.fromisoformat(ended),
        provenance=json.loads(provenance),
    )


def read_task(row: Sequence[Any]) -> TaskRecord:
    """A task of a run."""
    evaluation_id, number, name, digest, ordinal, models, sample_count = row
    return TaskRecord(evaluation_id, number, name, digest, ordinal, tuple(json.loads(models)), sample_count)


def read_score(text: str) -> SampleScore:
    """A score, from the JSON that it is kept as."""
    content = json.loads(text)
    return SampleScore(**{**content, "outcome": SampleOutcome(content["outcome"])})
