"""Samples that a model's parameters were tuned on: a figure that counts them says how well they were learnt.

They are asked about like all others, so that they can be looked at, and count in no figure of that model.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from evaluator.control import Control
from evaluator.datasets import Dataset
from evaluator.datasets.basis import FolderSpec
from evaluator.datasets.folders import Folder
from evaluator.datasets.rows import read_table
from evaluator.pacing import StoppedError
from evaluator.preparing import OpenTask, open_task, suite_of
from evaluator.records import Sample, SampleRow
from evaluator.runs import RunRecord, RunSpec
from evaluator.store import RunStore
from evaluator.suites import TaskSpec
from evaluator.task_parts import TunedSpec
from hooke.errors import FieldViolation, InvalidRequestError

_ID_LENGTH = 64
"""Of the id of a sample: hexadecimal digits of SHA-256."""
_ALONE = -1


def with_tuned(
    opened: OpenTask,
    models: Sequence[str],
    run: RunRecord,
    data_dir: Path | None,
    store: RunStore,
    control: Control,
) -> OpenTask:
    """Find out which samples of a task its models were tuned on.

    Reads every sample that the run does not know yet, if one may be named. What shares a cluster with such a
    sample, as its patient, is taken to be one: it is not independent of it.

    Args:
        opened: the task.
        models: those that take part in it.
        run: which has the task.
        data_dir: the folder that the run reads.
        store: has what the run knows, and the evaluations that models were tuned by.
        control: of the run; it may be stopped meanwhile.

    Raises:
        InvalidRequestError: an evaluation or a table is missing, a table names no sample of the dataset, or a
            model has no other sample left.
        StoppedError: the run is to stop.
    """
    task = opened.spec
    named = []
    for place, tuned in enumerate(task.tuned_on):
        where = f"tuned_on[{place}]"
        names = _names(tuned, where, task, run.spec, data_dir, store)
        whose = [model for model in models if model in (tuned.models or models)]
        if whose:
            named.append(_Named(tuned, where, names, whose))
    if not named:
        return opened
    known = (record for record in store.tasks(run.evaluation_id) if record.digest == task.digest)
    rows = itertools.chain.from_iterable(map(store.iter_samples, known))
    listed = _listed(opened.dataset, rows, [each.names for each in named], control)
    for each, hits in zip(named, listed.hits, strict=True):
        if each.tuned.table and each.names and not hits.any():
            _check_table(each, opened, run.spec.sample_limit, data_dir, control)
    left_out = {}
    for model in dict.fromkeys(model for each in named for model in each.models):
        found = [hits for each, hits in zip(named, listed.hits, strict=True) if model in each.models]
        left_out[model] = listed.left_out(np.logical_or.reduce(found))
        if len(left_out[model]) == len(np.unique(listed.ids)):
            problem = f"{model!r} was tuned on every sample of the task {task.name!r}, or on its cluster"
            raise InvalidRequestError(
                f"{problem}: nothing is left that its figures could be of",
                violations=[FieldViolation("suite.tasks", problem)],
            )
    return replace(opened, tuned=left_out)


@dataclass(frozen=True, slots=True)
class _Named:
    """What a part of `tuned_on`, `where`, calls the samples that these models were tuned on."""

    tuned: TunedSpec
    where: str
    names: set[str]
    models: Sequence[str]


def _names(
    tuned: TunedSpec, where: str, task: TaskSpec, spec: RunSpec, data_dir: Path | None, store: RunStore
) -> set[str]:
    """What the samples are called: ids, paths of images, or file names."""
    if tuned.evaluation:
        return _names_of_run(tuned.evaluation, where, task, spec, store)
    if data_dir is None:
        raise InvalidRequestError.of_field("data_dir", f"{where} of {task.name!r} names a table: say where")
    folder = Folder.open(data_dir, task.dataset.folder if isinstance(task.dataset, FolderSpec) else ".")
    return {row[tuned.sample] for row in read_table(folder, tuned.table, {tuned.sample})}


def _names_of_run(evaluation_id: str, where: str, task: TaskSpec, spec: RunSpec, store: RunStore) -> set[str]:
    """The ids of an evaluation's samples and, where it read the same folder, the paths of their images.

    An id is of an image with a question; parameters that were tuned to outline an image are not to be tested
    by counting on it.
    """
    run = store.get(evaluation_id)
    if run is None:
        problem = f"{where} of {task.name!r}: there is no evaluation {evaluation_id!r}"
        raise InvalidRequestError(problem, violations=[FieldViolation("suite.tasks", problem)])
    specs = {other.digest: other for other in suite_of(run.spec).tasks}
    names: set[str] = set()
    for record in store.tasks(evaluation_id):
        other = specs[record.digest].dataset
        same = (
            isinstance(other, FolderSpec)
            and isinstance(task.dataset, FolderSpec)
            and (run.spec.data_dir, other.folder) == (spec.data_dir, task.dataset.folder)
        )
        for row in store.iter_samples(record):
            names |= {row.sample_id, row.source} if same else {row.sample_id}
    return names


@dataclass(frozen=True, slots=True, eq=False)
class _Listed:
    """The samples of a dataset in its order.

    Attributes:
        ids: their names.
        clusters: a number for each cluster; -1: the sample has none.
        hits: for each set of names, which samples are in it.
    """

    ids: NDArray[np.bytes_]
    clusters: NDArray[np.int64]
    hits: Sequence[NDArray[np.bool_]]

    def left_out(self, tuned: NDArray[np.bool_]) -> frozenset[str]:
        """The ids of these samples, and of those that share a cluster with one."""
        clusters = np.setdiff1d(self.clusters[tuned], [_ALONE])
        return frozenset(np.unique(self.ids[tuned | np.isin(self.clusters, clusters)]).astype(str).tolist())


def _listed(
    dataset: Dataset, known: Iterator[SampleRow], named: Sequence[set[str]], control: Control
) -> _Listed:
    count = len(dataset)
    ids = np.empty(count, f"S{_ID_LENGTH}")
    clusters = np.full(count, _ALONE)
    hits = [np.zeros(count, np.bool_) for _ in named]
    numbers: dict[str, int] = {}
    for place, sample in enumerate(_samples(dataset, known, control)):
        ids[place] = sample.sample_id
        if sample.cluster is not None:
            clusters[place] = numbers.setdefault(sample.cluster, len(numbers))
        called = {sample.sample_id, *_paths(sample.source)}
        for hit, names in zip(hits, named, strict=True):
            hit[place] = not called.isdisjoint(names)
    return _Listed(ids, clusters, hits)


def _samples(dataset: Dataset, known: Iterator[SampleRow], control: Control) -> Iterator[Sample | SampleRow]:
    """Every sample in the order of the dataset; those that are not known are read."""
    row = next(known, None)
    for place in range(len(dataset)):
        if control.stopping:
            raise StoppedError
        if row is not None and row.index == place:
            yield row
            row = next(known, None)
        else:
            yield dataset.sample(place)


def _paths(source: str) -> tuple[str, str]:
    return source, PurePosixPath(source).name


def _check_table(
    named: _Named, opened: OpenTask, limit: int | None, data_dir: Path | None, control: Control
) -> None:
    """Check that a table that names none of the samples of a task names others of the same dataset."""
    task, dataset = opened.spec, opened.dataset
    if limit is not None:
        dataset = open_task(task, data_dir, None).dataset
        if _is_named(dataset, named.names, control):
            return
    told, there = (
        ", ".join(f"{name!r:.80}" for name in names)
        for names in (
            sorted(named.names)[:2],
            [dataset.items[place].source for place in range(min(2, len(dataset)))],
        )
    )
    problem = (
        f"{named.where} of {task.name!r}: the column {named.tuned.sample!r} of {named.tuned.table} names no "
        f"sample: it has {told}, the dataset {there}"
    )
    raise InvalidRequestError(problem, violations=[FieldViolation("suite.tasks", problem)])


def _is_named(dataset: Dataset, names: set[str], control: Control) -> bool:
    """True if a sample has one of these names; samples are read only where one could be an id."""
    sources = (dataset.items[place].source for place in range(len(dataset)))
    if any(not names.isdisjoint(_paths(source)) for source in sources):
        return True
    if all(len(name) != _ID_LENGTH for name in names):
        return False
    return any(sample.sample_id in names for sample in _samples(dataset, iter(()), control))
