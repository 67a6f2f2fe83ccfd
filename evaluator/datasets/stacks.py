"""Stacks of images with stacks of label images, as multi-page TIFF."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import partial
from typing import Any

import tifffile
from numpy.typing import NDArray

from evaluator.datasets.cleaning import BROKEN, encode
from evaluator.datasets.dataset import Content, Item
from evaluator.datasets.folders import Folder
from evaluator.datasets.listing import Chosen, listed
from evaluator.datasets.patterns import PathPattern, fill
from evaluator.datasets.specs import StackPairsSpec
from evaluator.datasets.truths import as_labels, count_labels
from evaluator.records import TaskKind, Truth
from hooke.errors import ImageUnreadableError


@dataclass(frozen=True, slots=True)
class _Plane:
    """One plane of a stack."""

    path: str
    truth: str
    number: int


def list_items(spec: StackPairsSpec, folder: Folder, kind: TaskKind) -> Chosen:
    """List the planes; the headers of the stacks are read to count them."""
    pattern = PathPattern.parse(spec.image)
    planes: list[_Plane] = []
    for path in folder.files:
        names = pattern.match(path)
        if names is None:
            continue
        truth = fill(spec.truth, names)
        if truth not in folder.file_set:
            raise folder.expected(f"{truth} as the truth of {path}")
        numbers = (_plane_count(folder, path), _plane_count(folder, truth))
        if numbers[0] != numbers[1]:
            raise folder.expected(f"as many planes in {truth} ({numbers[1]}) as in {path} ({numbers[0]})")
        planes.extend(_Plane(path, truth, number) for number in range(numbers[0]))

    def make(plane: _Plane) -> Item:
        names = pattern.match(plane.path) or {}
        return Item(
            f"{plane.path}, plane {plane.number}",
            partial(_read, folder, plane, kind),
            {axis: names[axis] for axis in spec.slices},
            cluster=names[spec.cluster] if spec.cluster else plane.path,
        )

    if not planes:
        raise folder.expected(f"stacks as {spec.image} with truth as {spec.truth}")
    return listed(planes, range(len(planes)), make)


def _plane_count(folder: Folder, path: str) -> int:
    with folder.open_file(path) as file:
        try:
            with tifffile.TiffFile(file) as stack:
                return len(stack.pages)
        except BROKEN as error:
            raise ImageUnreadableError(f"{folder.path / path} cannot be decoded: {error}") from error


def _read(folder: Folder, plane: _Plane, kind: TaskKind) -> Content:
    image = encode(_plane(folder, plane.path, plane.number))
    labels = as_labels(_plane(folder, plane.truth, plane.number), folder.path / plane.truth)
    if kind is TaskKind.COUNTING:
        return Content(image, Truth(count=count_labels(labels)))
    return Content(image, Truth(labels=labels))


def _plane(folder: Folder, path: str, number: int) -> NDArray[Any]:
    try:
        pixels: NDArray[Any] = tifffile.imread(io.BytesIO(folder.read(path)), key=number)
    except BROKEN as error:
        raise ImageUnreadableError(f"{folder.path / path} cannot be decoded: {error}") from error
    return pixels
