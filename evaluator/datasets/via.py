"""VGG Image Annotator 2: regions in a JSON project beside the images."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from evaluator.datasets.cleaning import clean, decode
from evaluator.datasets.coco import polygon_pixels
from evaluator.datasets.dataset import Content, Item
from evaluator.datasets.folders import Folder
from evaluator.datasets.images_by_name import ImagesByName
from evaluator.datasets.listing import Chosen, listed
from evaluator.datasets.public_specs import ViaSpec
from evaluator.datasets.truths import stacked
from evaluator.records import TaskKind, Truth
from hooke.errors import InvalidRequestError

LAYOUT = "projects of the VGG Image Annotator, with the images that they name"
_CORNERS = 64
"""Of the polygon that a circle or an ellipse is read as."""


@dataclass(frozen=True, slots=True)
class _Image:
    """One image with its regions as flat polygons (x, y, x, y, ...)."""

    path: str
    regions: Sequence[Sequence[float]]


def list_items(spec: ViaSpec, folder: Folder, kind: TaskKind) -> Chosen:
    """List the images, in the order of the projects."""
    images = [image for path in spec.projects for image in _read_project(spec, folder, path)]
    if not images:
        raise folder.expected(LAYOUT)
    return listed(
        images, range(len(images)), lambda image: Item(image.path, partial(_read, folder, image, kind))
    )


def _read_project(spec: ViaSpec, folder: Folder, path: str) -> list[_Image]:
    if path not in folder.file_set:
        raise folder.expected(f"the project {path}")
    files = ImagesByName(folder)
    images = []
    try:
        found = json.loads(folder.read(path))
        for entry in found.get("_via_img_metadata", found).values():
            file = files.find(str(entry["filename"]), path)
            if file is None and not spec.skip_missing:
                raise InvalidRequestError(f"{path}: there is no image {entry['filename']}")
            if file is not None:
                regions = entry["regions"]
                regions = regions.values() if isinstance(regions, dict) else regions
                images.append(_Image(file, [_polygon(r["shape_attributes"]) for r in regions]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidRequestError(f"{folder.path / path} is not a VIA project: {error}") from error
    return images


def _polygon(shape: Mapping[str, Any]) -> list[float]:
    match shape["name"]:
        case "polygon" | "polyline":
            corners = zip(shape["all_points_x"], shape["all_points_y"], strict=True)
        case "rect":
            left, top = shape["x"], shape["y"]
            right, bottom = left + shape["width"], top + shape["height"]
            corners = zip((left, right, right, left), (top, top, bottom, bottom), strict=True)
        case "circle" | "ellipse":
            radii = (shape.get("rx", shape.get("r")), shape.get("ry", shape.get("r")))
            turns = [2 * math.pi * corner / _CORNERS for corner in range(_CORNERS)]
            lean = shape.get("theta", 0.0)
            across = [(radii[0] * math.cos(turn), radii[1] * math.sin(turn)) for turn in turns]
            corners = zip(
                (shape["cx"] + x * math.cos(lean) - y * math.sin(lean) for x, y in across),
                (shape["cy"] + x * math.sin(lean) + y * math.cos(lean) for x, y in across),
                strict=True,
            )
        case other:
            raise ValueError(f"a region is a {other}")
    return [float(value) for corner in corners for value in corner]


def _read(folder: Folder, image: _Image, kind: TaskKind) -> Content:
    data = folder.read(image.path)
    if kind is TaskKind.COUNTING:
        return Content(clean(data), Truth(count=len(image.regions)))
    height, width = decode(data).shape[:2]
    try:
        objects = [polygon_pixels([region], (height, width)) for region in image.regions]
    except ValueError as error:
        raise InvalidRequestError(f"{folder.path / image.path}: {error}") from error
    return Content(clean(data), Truth(labels=stacked(objects, (height, width))))
