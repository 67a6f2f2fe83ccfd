"""Samples that a model's parameters were tuned on: a figure that counts them says how well they were learnt.

They are asked about like all others, so that they can be looked at, and count in no figure of that model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from evaluator.datasets import Dataset
from evaluator.datasets.basis import FolderSpec
from evaluator.datasets.folders import Folder
from evaluator.datasets.rows import read_table
from evaluator.preparing import OpenTask, suite_of
from evaluator.runs import RunSpec
from evaluator.store import RunStore
from evaluator.suites import TaskSpec
from evaluator.task_parts import TunedSpec
from hooke.errors import FieldViolation, InvalidRequestError


def with_tuned(
    opened: OpenTask, models: Sequence[str], spec: RunSpec, data_dir: Path | None, store: RunStore
) -> OpenTask:
    """Find out which samples of a task its models were tuned on; reads every sample, if there may be any.

    What shares a cluster with such a sample, as its patient, is taken to be one: it is not independent of it.

    Args:
        opened: the task.
        models: those that take part in it.
        spec: of the run.
        data_dir: the folder that the run reads.
        store: has the evaluations that models were tuned by.

    Raises:
        InvalidRequestError: an evaluation or a table is missing, or a model has no other sample left.
    """
    task = opened.spec
    named: dict[str, set[str]] = {}
    for place, tuned in enumerate(task.tuned_on):
        names = _names(tuned, f"tuned_on[{place}]", task, spec, data_dir, store)
        for model in tuned.models or models:
            if model in models:
                named.setdefault(model, set()).update(names)
    if not named:
        return opened
    found = _found(opened.dataset, named)
    for model, sample_ids in found.left_out.items():
        if sample_ids == found.all_ids:
            problem = f"{model!r} was tuned on every sample of the task {task.name!r}, or on its cluster"
            raise InvalidRequestError(
                f"{problem}: nothing is left that its figures could be of",
                violations=[FieldViolation("suite.tasks", problem)],
            )
    return replace(opened, tuned=found.left_out)


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


@dataclass(frozen=True, slots=True)
class _Found:
    """Model -> the samples that are left out of its figures, and all samples that there are."""

    left_out: Mapping[str, frozenset[str]]
    all_ids: frozenset[str]


def _found(dataset: Dataset, named: Mapping[str, set[str]]) -> _Found:
    cluster_of: dict[str, str] = {}
    tuned: dict[str, set[str]] = {model: set() for model in named}
    for index in range(len(dataset)):
        sample = dataset.sample(index)
        cluster = f"sample {sample.sample_id}" if sample.cluster is None else f"cluster {sample.cluster}"
        cluster_of[sample.sample_id] = cluster
        called = {sample.sample_id, sample.source, PurePosixPath(sample.source).name}
        for model, names in named.items():
            if not called.isdisjoint(names):
                tuned[model].add(cluster)
    left_out = {
        model: frozenset(sample_id for sample_id, cluster in cluster_of.items() if cluster in clusters)
        for model, clusters in tuned.items()
    }
    return _Found(left_out, frozenset(cluster_of))
