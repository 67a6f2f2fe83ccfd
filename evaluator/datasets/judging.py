"""Answers of an earlier evaluation, from its `samples.parquet`, as questions to a judge."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from evaluator.datasets.cleaning import clean
from evaluator.datasets.dataset import Content, Item
from evaluator.datasets.folders import Folder
from evaluator.datasets.listing import Chosen, listed
from evaluator.datasets.patterns import fill
from evaluator.datasets.specs import AnswersSpec
from evaluator.metrics.answers import AnswerKind
from evaluator.metrics.grading import put_to_judge
from evaluator.records import ExpectedAnswer, Inquiry, Truth
from hooke.errors import InvalidRequestError

COLUMNS = ("task", "model", "sample_id", "repeat", "source", "cluster", "truth", "written", "tuned_on")


def list_items(spec: AnswersSpec, folder: Folder) -> Chosen:
    """List what the models wrote in the order of the file; answers to one sample share a cluster."""
    rows = _read(spec, folder)
    items = listed(rows, range(len(rows)), partial(_item, spec, folder))
    if not rows:
        raise folder.expected(f"written answers of a task {spec.task!r} in {spec.table}")
    return items


def _read(spec: AnswersSpec, folder: Folder) -> list[dict[str, Any]]:
    # Imported where it is needed: it takes more memory than the rest of the evaluator.
    from pyarrow import ArrowException, parquet  # noqa: PLC0415

    if spec.table not in folder.file_set:
        raise folder.expected(f"the file {spec.table}")
    try:
        with folder.open_file(spec.table) as file:
            table = parquet.read_table(file, columns=list(COLUMNS))
    except (ArrowException, OSError) as error:
        raise InvalidRequestError(f"{folder.path / spec.table} is no table of answers: {error}") from error
    missing = sorted(set(COLUMNS) - set(table.column_names))
    if missing:
        raise InvalidRequestError(f"{folder.path / spec.table}: no column {missing[0]!r}")
    rows: list[dict[str, Any]] = table.to_pylist()
    return [
        row for row in rows if row["task"] == spec.task and row["written"] is not None and not row["tuned_on"]
    ]


def _item(spec: AnswersSpec, folder: Folder, row: Mapping[str, Any]) -> Item:
    path = fill(spec.image, {"source": row["source"]})
    asked = put_to_judge(spec.rubric, spec.ask, row["truth"], row["written"])
    whose = f"{row['model']}, {row['sample_id']}, {row['repeat']}"
    inquiry = Inquiry(asked, about=whose)
    truth = Truth(answer=ExpectedAnswer(AnswerKind.GRADE, (row["truth"],)))
    return Item(
        f"{row['source']}, {row['model']}",
        lambda: Content(clean(folder.read(path)), truth, inquiry=inquiry),
        {"model": row["model"]},
        row["cluster"] or row["sample_id"],
    )
