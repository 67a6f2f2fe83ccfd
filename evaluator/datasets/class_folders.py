"""One folder for each class."""

from __future__ import annotations

from functools import partial

from evaluator.datasets.cleaning import clean
from evaluator.datasets.dataset import Content, Item
from evaluator.datasets.folders import Folder
from evaluator.datasets.patterns import PathPattern
from evaluator.datasets.specs import LABEL, ClassFoldersSpec
from evaluator.records import Truth

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")


def list_items(spec: ClassFoldersSpec, folder: Folder) -> list[Item]:
    """List the images of the classes in the label schema; other classes are left out."""
    patterns = [PathPattern.parse(text) for text in spec.patterns]
    items = []
    for path in folder.files:
        if not path.lower().endswith(IMAGE_SUFFIXES):
            continue
        names = next(filter(None, (pattern.match(path) for pattern in patterns)), None)
        if names is None or names[LABEL] not in spec.labels:
            continue
        label = spec.labels[names[LABEL]]
        items.append(
            Item(
                path,
                partial(read_labelled, folder, path, label),
                {axis: names[axis] for axis in spec.slices if axis in names},
                cluster=names.get(spec.cluster) if spec.cluster else None,
                label=label,
            )
        )
    if not items:
        raise folder.expected(f"images as {' or '.join(spec.patterns)} with {', '.join(spec.labels)}")
    return items


def read_labelled(folder: Folder, path: str, label: str) -> Content:
    """Read one image of a known class."""
    return Content(clean(folder.read(path)), Truth(label=label))
