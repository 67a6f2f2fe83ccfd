"""Answers of an earlier evaluation, from its `samples.parquet`, as questions to a judge."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("task", "model", "sample_id", "repeat", "source", "cluster", "truth", "written", "tuned_on")


def list_items(spec: AnswersSpec, folder: Folder) -> Chosen:
    """List what the models wrote in the order of the file; answers to one sample share a cluster."""
    answers = _read(spec, folder)
    places = range(len(answers))
    return listed(places, places, partial(_item, spec, folder, answers))


def _read(spec: AnswersSpec, folder: Folder) -> pa.Table:
    """What is to be graded; the answers of other tasks are in memory a batch at a time."""
    # Imported where it is needed: it takes more memory than the rest of the evaluator.
    from pyarrow import ArrowException, Table, compute, parquet  # noqa: PLC0415

    if spec.table not in folder.file_set:
        raise folder.expected(f"the file {spec.table}")
    tuned_on = compute.field("tuned_on")
    of_task = (compute.field("task") == spec.task) & compute.field("written").is_valid()
    wanted = of_task & (tuned_on.is_null() | ~tuned_on)
    try:
        with folder.open_file(spec.table) as file, parquet.ParquetFile(file) as answers:
            missing = sorted(set(COLUMNS) - set(answers.schema_arrow.names))
            if missing:
                raise InvalidRequestError(f"{folder.path / spec.table}: no column {missing[0]!r}")
            chosen = [batch.filter(wanted) for batch in answers.iter_batches(columns=list(COLUMNS))]
    except (ArrowException, OSError) as error:
        raise InvalidRequestError(f"{folder.path / spec.table} is no table of answers: {error}") from error
    if not any(batch.num_rows for batch in chosen):
        raise folder.expected(f"written answers of a task {spec.task!r} in {spec.table}")
    return Table.from_batches(chosen).combine_chunks()


def _item(spec: AnswersSpec, folder: Folder, answers: pa.Table, place: int) -> Item:
    (row,) = answers.slice(place, 1).to_pylist()
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
