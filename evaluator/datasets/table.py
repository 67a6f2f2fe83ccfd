"""A table of images and answers."""

from __future__ import annotations

from functools import partial

from evaluator.datasets.basis import given
from evaluator.datasets.cleaning import clean
from evaluator.datasets.dataset import Content, Item
from evaluator.datasets.folders import Folder
from evaluator.datasets.listing import Chosen, listed
from evaluator.datasets.patterns import fill, names_in
from evaluator.datasets.rows import Row, read_table
from evaluator.datasets.specs import QuestionsSpec, TableSpec
from evaluator.records import TaskKind, Truth
from hooke.errors import InvalidRequestError


def list_items(spec: TableSpec, folder: Folder, kind: TaskKind) -> Chosen:
    """List the rows, in the order of the table; rows of classes outside the label schema are left out."""
    in_paths = {name for image in spec.image for name in names_in(image)}
    needed = {spec.truth, *in_paths, *spec.slices, *given(spec.cluster), *given(spec.row)}
    rows = read_table(folder, spec.table, needed)
    places = (place for place, row in enumerate(rows) if _item(spec, folder, kind, row) is not None)

    def make(row: Row) -> Item:
        item = _item(spec, folder, kind, row)
        if item is None:
            raise InvalidRequestError(f"{row.where} has changed since the table was listed")
        return item

    items = listed(rows, places, make)
    if not items:
        raise folder.expected(f"images as {' or '.join(spec.image)}, and classes of the label schema")
    return items


def _item(spec: TableSpec, folder: Folder, kind: TaskKind, row: Row) -> Item | None:
    """What a row says; None for a class outside the label schema, or an image that may be missing and is."""
    source = row_image(spec, folder, row) if spec.row is None else row[spec.row]
    truth = None if source is None else _truth(spec, kind, row)
    if source is None or truth is None:
        return None
    read = partial(_read, folder, source, truth) if spec.has_images else partial(Content, b"", truth)
    slices = {axis: row[axis] for axis in spec.slices}
    cluster = row[spec.cluster] if spec.cluster else None
    return Item(source, read, slices, cluster, truth.label)


def row_image(spec: TableSpec | QuestionsSpec, folder: Folder, row: Row) -> str | None:
    """Path of a row's image; None where it is missing and may be."""
    paths = [fill(image, row.values) for image in spec.image]
    path = next((path for path in paths if path in folder.file_set), None)
    if path is None and not spec.skip_missing:
        raise InvalidRequestError(f"{row.where}: there is no image {' or '.join(paths)}")
    return path


def _truth(spec: TableSpec, kind: TaskKind, row: Row) -> Truth | None:
    """The answer that a row gives; None for a class outside the label schema."""
    answer = row[spec.truth]
    if kind is TaskKind.CLASSIFICATION:
        label = (spec.labels or {}).get(answer)
        return None if label is None else Truth(label=label)
    try:
        count = int(answer)
    except ValueError:
        count = -1
    if count < 0:
        raise InvalidRequestError(f"{row.where}: {answer!r} is not a number of objects")
    return Truth(count=count)


def _read(folder: Folder, path: str, truth: Truth) -> Content:
    return Content(clean(folder.read(path)), truth)
