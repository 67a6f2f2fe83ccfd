"""Rows of the run store's database, read as values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from evaluator.records import SampleRow, SampleScore
from evaluator.runs import RunRecord, RunSpec, TaskRecord
from evaluator.schema import RUNS, SAMPLES, TASKS
from hooke.types import EvaluationState, SampleOutcome

AnyRow = Row[*tuple[Any, ...]]

RUN_COLUMNS = tuple(RUNS.columns)
"""As `read_run` takes them."""
TASK_COLUMNS = (
    RUNS.c.evaluation_id,
    TASKS.c.task,
    TASKS.c.name,
    TASKS.c.digest,
    TASKS.c.ordinal,
    TASKS.c.models,
    TASKS.c.sample_count,
)
"""As `read_task` takes them."""
SAMPLE_COLUMNS = (
    SAMPLES.c.sample_id,
    SAMPLES.c.position,
    SAMPLES.c.source,
    SAMPLES.c.slices,
    SAMPLES.c.cluster,
)
"""As `read_sample` takes them."""


def read_run(row: AnyRow, home: str) -> RunRecord:
    """A run, for a store whose folder is `home`."""
    content = json.loads(row.spec)
    return RunRecord(
        number=row.run,
        evaluation_id=row.evaluation_id,
        spec=RunSpec(**{**content, "models": tuple(content["models"])}),
        suite_name=row.suite_name,
        models=tuple(json.loads(row.models)),
        state=EvaluationState(row.state),
        state_message=row.state_message,
        create_time=datetime.fromisoformat(row.create_time),
        end_time=None if row.end_time is None else datetime.fromisoformat(row.end_time),
        provenance=json.loads(row.provenance),
        here=row.home == home,
    )


def read_task(row: AnyRow) -> TaskRecord:
    """A task of a run."""
    evaluation_id, number, name, digest, ordinal, models, sample_count = row
    asked = json.loads(models)
    # Rows of before name the models only.
    repeats = {model: count for model, count in asked.items() if count > 1} if isinstance(asked, dict) else {}
    return TaskRecord(evaluation_id, number, name, digest, ordinal, tuple(asked), sample_count, repeats)


def read_sample(row: Sequence[Any]) -> SampleRow:
    """What a run remembers of a sample."""
    sample_id, position, source, slices, cluster = row
    return SampleRow(sample_id, position, source, json.loads(slices), cluster)


def read_score(text: str) -> SampleScore:
    """A score, from the JSON that it is kept as."""
    content = json.loads(text)
    return SampleScore(**{**content, "outcome": SampleOutcome(content["outcome"])})
