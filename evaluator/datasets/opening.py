"""From what a suite says to a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evaluator.datasets import simulated
from evaluator.datasets.dataset import Dataset, Item
from evaluator.datasets.specs import DatasetSpec, SimulatedSpec
from evaluator.records import TaskKind
from hooke.errors import FieldViolation, InvalidRequestError


def open_dataset(
    spec: DatasetSpec, data_dir: Path | None, kind: TaskKind, limit: int | None = None
) -> Dataset:
    """List the samples of a dataset; nothing is decoded yet.

    Args:
        spec: what the suite says.
        data_dir: the data folder of the evaluation; simulated data needs none.
        kind: what is asked.
        limit: most samples, taken evenly over the dataset; None: all.

    Raises:
        InvalidRequestError: the folder is missing or holds something else; names both.
    """
    if isinstance(spec, SimulatedSpec):
        items = simulated.list_items(spec, kind)
        return Dataset("simulated", kind, _evenly(items, limit))
    if data_dir is None:
        raise InvalidRequestError(
            f"the loader {spec.loader} reads a folder: say which",
            violations=[FieldViolation("data_dir", "required by this suite")],
        )
    raise NotImplementedError


def _evenly(items: Sequence[Item], limit: int | None) -> Sequence[Item]:
    if limit is None or limit >= len(items):
        return items
    return [items[index * len(items) // limit] for index in range(limit)]
