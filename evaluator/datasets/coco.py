"""COCO: outlines of objects in JSON beside the images, as polygons or as run lengths."""

from __future__ import annotations

import json
from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from faster_coco_eval import mask as coco_masks
from numpy.typing import NDArray

from evaluator.datasets.cleaning import clean, decode
from evaluator.datasets.dataset import Content, Item
from evaluator.datasets.folders import Folder
from evaluator.datasets.images_by_name import ImagesByName
from evaluator.datasets.listing import Chosen, listed
from evaluator.datasets.patterns import PathPattern
from evaluator.datasets.public_specs import CocoSpec
from evaluator.datasets.truths import stacked
from evaluator.records import TaskKind, Truth
from hooke.errors import ImageUnreadableError, InvalidRequestError

LAYOUT = "the annotations of COCO, with the images that they name"


@dataclass(frozen=True, slots=True)
class _Outline:
    """One annotation: flat polygons (x, y, x, y, ...), or run lengths by column, compressed or not."""

    image_id: int
    category_id: int
    crowd: bool
    polygons: tuple[array[float], ...] = ()
    runs: array[int] | str | None = None


@dataclass(frozen=True, slots=True)
class _Image:
    """One image with its outlines."""

    path: str
    height: int
    width: int
    outlines: Sequence[_Outline]


def list_items(spec: CocoSpec, folder: Folder, kind: TaskKind) -> Chosen:
    """List the images, in the order of the files; those without an object, too."""
    images = [image for path in spec.annotations for image in _read_file(spec, folder, path)]
    pattern = None if spec.names is None else PathPattern.parse(spec.names)

    def names_of(image: _Image) -> dict[str, str]:
        if pattern is None:
            return {}
        names = pattern.match(PurePosixPath(image.path).name)
        if names is None:
            raise InvalidRequestError(f"{image.path} is not named as {spec.names} says")
        return names

    def make(image: _Image) -> Item:
        names = names_of(image)
        return Item(
            image.path,
            partial(_read, folder, image, kind),
            {axis: names[axis] for axis in spec.slices},
            cluster=names[spec.cluster] if spec.cluster else None,
        )

    if not images:
        raise folder.expected(LAYOUT)
    for image in images:
        names_of(image)
    return listed(images, range(len(images)), make)


def _read_file(spec: CocoSpec, folder: Folder, path: str) -> list[_Image]:
    if path not in folder.file_set:
        raise folder.expected(f"the annotations {path}")
    try:
        # Each outline is packed as soon as it is read: as lists of numbers they take ten times more memory.
        found = json.loads(folder.read(path), object_hook=_packed)
        categories = {entry["id"]: entry["name"] for entry in found["categories"]}
        entries = [(e["id"], str(e["file_name"]), int(e["height"]), int(e["width"])) for e in found["images"]]
        outlines = [entry for entry in found["annotations"] if isinstance(entry, _Outline)]
        if len(outlines) != len(found["annotations"]):
            raise ValueError("an annotation has no outline")
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise InvalidRequestError(f"{folder.path / path} is not a COCO file: {error}") from error
    unknown = sorted(set(spec.categories) - set(categories.values()))
    if unknown:
        there = ", ".join(sorted(categories.values()))
        raise InvalidRequestError(f"{folder.path / path}: no category {unknown[0]!r}; there are {there}")
    of_image: dict[int, list[_Outline]] = defaultdict(list)
    for outline in outlines:
        if not spec.categories or categories.get(outline.category_id) in spec.categories:
            of_image[outline.image_id].append(outline)
    return _images(spec, ImagesByName(folder), path, entries, of_image)


def _images(
    spec: CocoSpec,
    files: ImagesByName,
    path: str,
    entries: Sequence[tuple[int, str, int, int]],
    of_image: Mapping[int, Sequence[_Outline]],
) -> list[_Image]:
    images = []
    for image_id, name, height, width in entries:
        outlines = of_image.get(image_id, ())
        if any(outline.crowd for outline in outlines):
            continue
        file = files.find(name, path)
        if file is not None:
            images.append(_Image(file, height, width, outlines))
        elif not spec.skip_missing:
            raise InvalidRequestError(f"{path}: there is no image {name}")
    return images


def _packed(entry: dict[str, Any]) -> object:
    """An annotation in little memory; whatever else there is, as it is."""
    if "segmentation" not in entry or "image_id" not in entry:
        return entry
    form = entry["segmentation"]
    runs: array[int] | str | None = None
    polygons: tuple[array[float], ...] = ()
    if isinstance(form, dict):
        runs = form["counts"] if isinstance(form["counts"], str) else array("q", form["counts"])
    else:
        polygons = tuple(array("d", polygon) for polygon in form)
    crowd = bool(entry.get("iscrowd", 0))
    return _Outline(entry["image_id"], entry["category_id"], crowd, polygons, runs)


def _read(folder: Folder, image: _Image, kind: TaskKind) -> Content:
    data = folder.read(image.path)
    if kind is TaskKind.COUNTING:
        return Content(clean(data), Truth(count=len(image.outlines)))
    shape = (image.height, image.width)
    if decode(data).shape[:2] != shape:
        raise ImageUnreadableError(
            f"{folder.path / image.path} is not {image.width} x {image.height} px, as its annotations say"
        )
    try:
        objects = [_pixels(outline, shape) for outline in image.outlines]
    except ValueError as error:
        raise InvalidRequestError(f"{folder.path / image.path}: {error}") from error
    return Content(clean(data), Truth(labels=stacked(objects, shape)))


def _pixels(outline: _Outline, shape: tuple[int, int]) -> NDArray[np.intp]:
    """Indices of the pixels of an object in the flattened image."""
    if outline.runs is None:
        return polygon_pixels(outline.polygons, shape)
    return _run_pixels(_counts(outline.runs) if isinstance(outline.runs, str) else outline.runs, shape)


def polygon_pixels(polygons: Sequence[Sequence[float]], shape: tuple[int, int]) -> NDArray[np.intp]:
    """Indices, in the flattened image, of the pixels inside of any of some polygons (x, y, x, y, ...).

    They are those that COCO's own tools find.

    Raises:
        ValueError: a polygon has less than three corners, or one that is nowhere.
    """
    if not polygons:
        return np.zeros(0, np.intp)
    if any(len(flat) < 6 or len(flat) % 2 or not np.isfinite(flat).all() for flat in polygons):
        raise ValueError("an outline is no polygon of three corners or more")
    runs = coco_masks.merge(coco_masks.frPyObjects([list(flat) for flat in polygons], *shape))
    return _run_pixels(_counts(runs["counts"].decode()), shape)


def _run_pixels(runs: Sequence[int], shape: tuple[int, int]) -> NDArray[np.intp]:
    """Indices of the pixels of an object out of run lengths by column: outside, inside, outside, ..."""
    height, width = shape
    lengths = np.asarray(runs, np.int64)
    if lengths.min(initial=0) < 0 or lengths.sum() != height * width:
        raise ValueError("the run lengths of an outline do not fill the image")
    starts, inside = (np.cumsum(lengths) - lengths)[1::2], lengths[1::2]
    before = np.cumsum(inside) - inside
    columns, rows = np.divmod(np.arange(inside.sum()) + np.repeat(starts - before, inside), height)
    places: NDArray[np.intp] = rows * width + columns
    return places


def _counts(text: str) -> list[int]:
    """Run lengths out of COCO's compressed form.

    Five bits a character, the lowest first, a sixth for "there is more"; the fifth of the last is the sign.
    From the third on, a number is the difference to the one before the last.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text.encode():
        code = character - 48
        if not 0 <= code < 64:
            raise ValueError("the run lengths of an outline hold a strange character")
        value |= (code & 0x1F) << shift
        shift += 5
        if code & 0x20:
            continue
        if code & 0x10:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    return counts
