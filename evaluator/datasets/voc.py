"""Pascal VOC, as BCCD has it: boxes in XML beside the images. The boxes are counted."""

from __future__ import annotations

from functools import partial
from pathlib import PurePosixPath
from xml.etree import ElementTree as ET

from evaluator.datasets.cleaning import clean
from evaluator.datasets.dataset import Content, Item
from evaluator.datasets.folders import Folder
from evaluator.datasets.public_specs import VocSpec
from evaluator.records import Truth
from hooke.errors import InvalidRequestError

LAYOUT = "Annotations/*.xml, JPEGImages/*.jpg and, for a split, ImageSets/Main/<split>.txt"


def list_items(spec: VocSpec, folder: Folder) -> list[Item]:
    """List the images that have annotations."""
    images: dict[tuple[PurePosixPath, str], str] = {}
    annotations: dict[tuple[PurePosixPath, str], str] = {}
    chosen: set[str] = set()
    for path in folder.files:
        where = PurePosixPath(path)
        place = (where.parent.parent, where.stem)
        if where.parent.name == "JPEGImages":
            images[place] = path
        elif where.parent.name == "Annotations" and where.suffix == ".xml":
            annotations[place] = path
        elif where.parts[-3:-1] == ("ImageSets", "Main") and where.stem == spec.split:
            # A line is a name; class-wise lists add a number.
            chosen |= {line.split()[0] for line in folder.read(path).decode().splitlines() if line.strip()}
    items = [
        Item(path, partial(_read, folder, path, annotations[place], spec.classes))
        for place, path in images.items()
        if place in annotations and (spec.split is None or place[1] in chosen)
    ]
    if not items:
        raise folder.expected(LAYOUT)
    return items


def _read(folder: Folder, image: str, annotation: str, classes: tuple[str, ...]) -> Content:
    try:
        root = ET.fromstring(folder.read(annotation))  # noqa: S314  # expat bounds entities itself
    except ET.ParseError as error:
        raise InvalidRequestError(f"{folder.path / annotation}: {error}") from error
    # Boxes are only counted: one that its annotator left without an area still stands for an object.
    names = [found.findtext("name") for found in root.iter("object")]
    count = sum(not classes or name in classes for name in names)
    return Content(clean(folder.read(image)), Truth(count=count))
