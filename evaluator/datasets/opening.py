"""From what a suite says to a dataset."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from evaluator.datasets import (
    bbbc005,
    class_folders,
    coco,
    ctc,
    dsb2018,
    judging,
    microvqa,
    pairs,
    questions,
    simulated,
    stacks,
    table,
    via,
    voc,
)
from evaluator.datasets.dataset import Dataset, Item, Items
from evaluator.datasets.few_shot import split
from evaluator.datasets.folders import Folder
from evaluator.datasets.listing import Chosen
from evaluator.datasets.public_specs import (
    Bbbc005Spec,
    CocoSpec,
    CtcSpec,
    Dsb2018Spec,
    MicroVqaSpec,
    ViaSpec,
    VocSpec,
)
from evaluator.datasets.specs import (
    AnswersSpec,
    ClassFoldersSpec,
    DatasetSpec,
    FolderDatasetSpec,
    ImageLabelPairsSpec,
    QuestionsSpec,
    SimulatedSpec,
    StackPairsSpec,
    TableSpec,
)
from evaluator.records import TaskKind
from hooke.errors import FieldViolation, InvalidRequestError
from hooke.images import PixelSize

GOLDEN_RATIO = (math.sqrt(5) - 1) / 2


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
        pixel_size = _pixel_size(spec.pixel_size_um)
        items = _evenly(simulated.list_items(spec, kind), limit)
        return Dataset("simulated", kind, items, pixel_size=pixel_size)
    if data_dir is None:
        raise InvalidRequestError(
            f"the loader {spec.loader} reads a folder: say which",
            violations=[FieldViolation("data_dir", "required by this suite")],
        )
    folder = Folder.open(data_dir, spec.folder)
    items = _list_items(spec, folder, kind)
    examples: Sequence[Item] = ()
    labels: Iterable[str] = ()
    if isinstance(spec, ClassFoldersSpec | TableSpec) and spec.labels:
        labels = spec.labels.values()
        if spec.examples:
            parts = split(items, spec.examples.per_class)
            items, examples = parts.tests, parts.examples
    return Dataset(
        folder.path.absolute().name,
        kind,
        _evenly(items, limit),
        example_items=examples,
        labels=tuple(dict.fromkeys(labels)),
        pixel_size=_pixel_size(spec.pixel_size_um),
    )


def _list_items(  # noqa: PLR0912  (a branch for each loader)
    spec: FolderDatasetSpec, folder: Folder, kind: TaskKind
) -> Items:
    items: Items
    match spec:
        case Bbbc005Spec():
            items = bbbc005.list_items(spec, folder, kind)
        case Dsb2018Spec():
            items = dsb2018.list_items(folder, kind)
        case VocSpec():
            items = voc.list_items(spec, folder)
        case CocoSpec():
            items = coco.list_items(spec, folder, kind)
        case ViaSpec():
            items = via.list_items(spec, folder, kind)
        case CtcSpec():
            items = ctc.list_items(spec, folder, kind)
        case MicroVqaSpec():
            items = microvqa.list_items(spec, folder)
        case ClassFoldersSpec():
            items = class_folders.list_items(spec, folder)
        case ImageLabelPairsSpec():
            items = pairs.list_items(spec, folder, kind)
        case StackPairsSpec():
            items = stacks.list_items(spec, folder, kind)
        case TableSpec():
            items = table.list_items(spec, folder, kind)
        case QuestionsSpec():
            items = questions.list_items(spec, folder)
        case AnswersSpec():
            items = judging.list_items(spec, folder)
    return items


def _pixel_size(size_um: float | None) -> PixelSize | None:
    return None if size_um is None else PixelSize(size_um, size_um)


def _evenly(items: Items, limit: int | None) -> Items:
    """So many items from all over a listing; those of a smaller limit are among those of a greater one.

    Each place is a golden section further round the listing than the one before, which divides it evenly
    however many there are. Were it every tenth, a listing that repeats itself (every combination of blur and
    overlap in turn) would give the same combination each time.
    """
    if limit is None or limit >= len(items):
        return items
    places: set[int] = set()
    for step in itertools.count():
        if len(places) == limit:
            break
        places.add(int(step * GOLDEN_RATIO % 1 * len(items)))
    return Chosen(items, sorted(places))
