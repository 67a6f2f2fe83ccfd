"""Pairs of an image and a file that says where its objects are."""

from __future__ import annotations

from functools import partial

from evaluator.datasets.cleaning import clean
from evaluator.datasets.dataset import Content, Item
from evaluator.datasets.folders import Folder
from evaluator.datasets.listing import Chosen, listed
from evaluator.datasets.patterns import PathPattern, fill
from evaluator.datasets.specs import ImageLabelPairsSpec
from evaluator.datasets.truths import count_dots, count_labels, read_labels, read_regions
from evaluator.records import TaskKind, Truth


def list_items(spec: ImageLabelPairsSpec, folder: Folder, kind: TaskKind) -> Chosen:
    """List the images; each needs its truth."""
    pattern = PathPattern.parse(spec.image)

    def paired(path: str) -> bool:
        names = pattern.match(path)
        if names is None:
            return False
        truth = fill(spec.truth, names)
        if truth not in folder.file_set:
            raise folder.expected(f"{truth} as the truth of {path}")
        return True

    def make(path: str) -> Item:
        names = pattern.match(path) or {}
        truth = fill(spec.truth, names)
        return Item(
            path,
            partial(_read, folder, path, truth, spec.truth_format, kind),
            {axis: names[axis] for axis in spec.slices},
            cluster=names[spec.cluster] if spec.cluster else None,
        )

    items = listed(folder.files, (place for place, path in enumerate(folder.files) if paired(path)), make)
    if not items:
        raise folder.expected(f"images as {spec.image} with truth as {spec.truth}")
    return items


def _read(folder: Folder, path: str, truth: str, truth_format: str, kind: TaskKind) -> Content:
    image = clean(folder.read(path))
    if truth_format == "dots":
        return Content(image, Truth(count=count_dots(folder, truth)))
    labels = read_labels(folder, truth) if truth_format == "labels" else read_regions(folder, truth)
    if kind is TaskKind.COUNTING:
        return Content(image, Truth(count=count_labels(labels)))
    return Content(image, Truth(labels=labels))
