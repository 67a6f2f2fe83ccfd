"""A table of images and answers."""

from __future__ import annotations

import csv
import io
import json
from functools import partial

from evaluator.datasets.class_folders import read_labelled
from evaluator.datasets.cleaning import clean
from evaluator.datasets.dataset import Content, Item
from evaluator.datasets.folders import Folder
from evaluator.datasets.patterns import fill, names_in
from evaluator.datasets.specs import TableSpec, given
from evaluator.records import TaskKind, Truth
from hooke.errors import InvalidRequestError


def list_items(spec: TableSpec, folder: Folder, kind: TaskKind) -> list[Item]:
    """List the rows, in the order of the table; rows of classes outside the label schema are left out."""
    if spec.table not in folder.file_set:
        raise folder.expected(f"the table {spec.table}")
    items = []
    for number, row in enumerate(_rows(spec, folder), start=1):
        where = f"{folder.path / spec.table}, row {number}"
        in_paths = {name for image in spec.image for name in names_in(image)}
        missing = sorted({spec.truth, *in_paths, *spec.slices, *given(spec.cluster)} - set(row))
        if missing:
            raise InvalidRequestError(
                f"{where}: no column {missing[0]!r}; there are {', '.join(sorted(row))}"
            )
        paths = [fill(image, row) for image in spec.image]
        path = next((path for path in paths if path in folder.file_set), None)
        if path is None:
            if spec.skip_missing:
                continue
            raise InvalidRequestError(f"{where}: there is no image {' or '.join(paths)}")
        item = _item(spec, folder, kind, path, row, where)
        if item is not None:
            items.append(item)
    if not items:
        raise folder.expected(f"images as {' or '.join(spec.image)} for the rows of {spec.table}")
    return items


def _item(
    spec: TableSpec, folder: Folder, kind: TaskKind, path: str, row: dict[str, str], where: str
) -> Item | None:
    slices = {axis: row[axis] for axis in spec.slices}
    cluster = row[spec.cluster] if spec.cluster else None
    answer = row[spec.truth]
    if kind is TaskKind.CLASSIFICATION:
        label = (spec.labels or {}).get(answer)
        if label is None:
            return None
        return Item(path, partial(read_labelled, folder, path, label), slices, cluster, label)
    try:
        count = int(answer)
    except ValueError:
        count = -1
    if count < 0:
        raise InvalidRequestError(f"{where}: {answer!r} is not a number of objects")
    return Item(path, partial(_read_count, folder, path, count), slices, cluster)


def _rows(spec: TableSpec, folder: Folder) -> list[dict[str, str]]:
    try:
        text = folder.read(spec.table).decode("utf-8-sig")
        if spec.table.endswith(".jsonl"):
            objects = [json.loads(line) for line in text.splitlines() if line.strip()]
            return [{str(key): str(value) for key, value in row.items()} for row in objects]
        rows = csv.DictReader(io.StringIO(text), strict=True)
        return [{key: value or "" for key, value in row.items() if key is not None} for row in rows]
    except (ValueError, AttributeError, csv.Error) as error:
        raise InvalidRequestError(f"{folder.path / spec.table} is not a table: {error}") from error


def _read_count(folder: Folder, path: str, count: int) -> Content:
    return Content(clean(folder.read(path)), Truth(count=count))
