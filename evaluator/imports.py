"""Predictions that were made elsewhere: by other programs, or by people who count as a model.

They are scored and compared like any other: the same samples, outcomes, metrics, intervals and tests. A table
has a row for each sample and a column with the answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from evaluator.answering import Answer, Identity, ModelChangedError, Question
from evaluator.datasets.basis import FolderSpec
from evaluator.datasets.folders import Folder
from evaluator.datasets.rows import Row, read_table
from evaluator.datasets.truths import read_labels
from evaluator.records import Prediction, Sample, TaskKind
from evaluator.suites import TaskSpec
from evaluator.task_parts import ImportSpec
from evaluator.threads import on
from hooke.errors import FieldViolation, HookeError, InvalidRequestError
from hooke.types import SampleOutcome

ABSTENTIONS = frozenset({"nan", "n/a", "na", "none", "abstained"})
"""Answers, in lower case, that say that there is none."""


_PART_BYTES = 1 << 20


class NamedAnswers:
    """The answers of a table by the names of the samples: a dozen bytes for each, beside those of the table.

    Args:
        rows: of the table.
        spec: which columns have name and answer.

    Raises:
        InvalidRequestError: a sample is named twice, with different answers.
    """

    def __init__(self, rows: Sequence[Row], spec: ImportSpec) -> None:
        self._rows = rows
        self._spec = spec
        hashes = np.fromiter((_hash(row[spec.sample]) for row in rows), np.uint64)
        self._order = np.argsort(hashes, kind="stable").astype(np.uint32)
        self._hashes = hashes[self._order]
        for place in np.flatnonzero(self._hashes[1:] == self._hashes[:-1]):
            row = rows[int(self._order[place + 1])]
            if self.find(row[spec.sample]) != row[spec.answer].strip():
                name = row[spec.sample]
                raise InvalidRequestError(f"{row.where}: {name!r} has another answer in an earlier row")

    def find(self, name: str) -> str | None:
        """The answer to a sample, as it stands there; None if the table does not name it."""
        sought = np.uint64(_hash(name))
        for place in range(int(np.searchsorted(self._hashes, sought)), len(self._hashes)):
            if self._hashes[place] != sought:
                break
            row = self._rows[int(self._order[place])]
            if row[self._spec.sample] == name:
                return row[self._spec.answer].strip()
        return None


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """The predictions of one model, as its table has them.

    Attributes:
        spec: where they come from.
        answers: of the samples that it names.
        folder: that paths of label images are relative to.
        digest: SHA-256 of the table.
    """

    spec: ImportSpec
    answers: NamedAnswers
    folder: Folder
    digest: str

    def answer_of(self, sample: Sample) -> str | None:
        """The answer to a sample; None where the table has none.

        A row names a sample by its id, by the path of its image, or by that image's file name.
        """
        names = (sample.sample_id, sample.source, PurePosixPath(sample.source).name)
        found = (self.answers.find(name) for name in names)
        return next((answer for answer in found if answer is not None), None)


def read_imported(task: TaskSpec, data_dir: Path | None) -> tuple[Imported, ...]:
    """Read the tables of a task's imported models.

    Raises:
        InvalidRequestError: a table is missing, is none, or names a sample twice with different answers.
    """
    if not task.imported:
        return ()
    if data_dir is None:
        raise InvalidRequestError(
            "imported predictions are read from a folder: say which",
            violations=[FieldViolation("data_dir", "required by this suite")],
        )
    relative = task.dataset.folder if isinstance(task.dataset, FolderSpec) else "."
    folder = Folder.open(data_dir, relative)
    return tuple(_read(spec, folder) for spec in task.imported)


def _read(spec: ImportSpec, folder: Folder) -> Imported:
    answers = NamedAnswers(read_table(folder, spec.table, {spec.sample, spec.answer}), spec)
    with folder.open_file(spec.table) as file:
        digest = hashlib.sha256()
        while part := file.read(_PART_BYTES):
            digest.update(part)
    return Imported(spec, answers, folder, digest.hexdigest())


class ImportedAsker:
    """Answers for a model whose predictions were imported; takes the place of an `Asker`.

    Args:
        imported: the predictions.
        identity: what the table must be; None: whatever it is.
        threads: for reading.

    Raises:
        ModelChangedError: the table is not the one that the run began with.
    """

    def __init__(self, imported: Imported, identity: Identity | None, threads: Executor) -> None:
        now = Identity(f"table {imported.digest[:16]}", None)
        if identity is not None and identity != now:
            raise ModelChangedError(imported.spec.model, identity, now)
        self._imported = imported
        self._identity = now
        self._threads = threads

    @property
    def stopped(self) -> bool:
        """False: it costs nothing to look answers up."""
        return False

    async def ask(self, question: Question, sample: Sample, attempt: int) -> Answer:
        """Look the answer up."""
        return await on(self._threads, self._look_up, question, sample, attempt)

    def _look_up(self, question: Question, sample: Sample, attempt: int) -> Answer:
        answer = self._imported.answer_of(sample)
        blank = Prediction(
            task=question.spec.name,
            model=question.model,
            sample_id=sample.sample_id,
            outcome=SampleOutcome.UNPARSED,
            written=answer,
            provenance={
                "model": question.model,
                "model_version": self._identity.version,
                "weights_digest": None,
                "table": self._imported.spec.table,
                "column": self._imported.spec.answer,
            },
            attempt=attempt,
        )
        if answer is None:
            return Answer(
                replace(
                    blank,
                    outcome=SampleOutcome.FAILED,
                    error_reason="NOT_IMPORTED",
                    error_message=f"{self._imported.spec.table} has no row for this sample",
                )
            )
        if not answer:
            return Answer(replace(blank, error_message="the table has an empty cell"))
        if question.spec.kind is TaskKind.VQA:  # read when it is scored, as what a model wrote
            written = f"{answer} {self._imported.spec.unit}".rstrip()
            return Answer(replace(blank, outcome=SampleOutcome.SCORED, written=written))
        if answer.lower() in ABSTENTIONS:
            return Answer(replace(blank, outcome=SampleOutcome.ABSTAINED))
        return self._parsed(question.spec, blank, answer)

    def _parsed(self, task: TaskSpec, blank: Prediction, answer: str) -> Answer:
        answered = replace(blank, outcome=SampleOutcome.SCORED)
        if task.kind is TaskKind.CLASSIFICATION:
            return Answer(replace(answered, label=task.label_schema.get(answer, answer)))
        if task.kind is TaskKind.COUNTING:
            try:
                count = int(answer)
            except ValueError:
                return Answer(replace(blank, error_message=f"{answer!r} is no whole number"))
            return Answer(replace(answered, count=count))
        try:
            return Answer(answered, read_labels(self._imported.folder, answer))
        except HookeError as error:
            return Answer(replace(blank, error_message=error.message))
