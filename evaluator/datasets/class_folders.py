"""One folder for each class."""

from __future__ import annotations

from functools import partial

from evaluator.datasets.cleaning import clean, cut
from evaluator.datasets.dataset import Content, Item
from evaluator.datasets.folders import Folder
from evaluator.datasets.listing import Chosen, listed
from evaluator.datasets.patterns import PathPattern
from evaluator.datasets.specs import LABEL, ClassFoldersSpec
from evaluator.records import Truth

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")


def list_items(spec: ClassFoldersSpec, folder: Folder) -> Chosen:
    """List the images of the classes in the label schema; other classes are left out."""
    patterns = [PathPattern.parse(text) for text in spec.patterns]

    def named(path: str) -> dict[str, str] | None:
        return next(filter(None, (pattern.match(path) for pattern in patterns)), None)

    def wanted(path: str) -> bool:
        if not path.lower().endswith(IMAGE_SUFFIXES):
            return False
        names = named(path)
        return names is not None and names[LABEL] in spec.labels

    def make(path: str) -> Item:
        names = named(path) or {}
        label = spec.labels[names[LABEL]]
        return Item(
            path,
            partial(_read, folder, path, label, spec.keep_top_px),
            {axis: names[axis] for axis in spec.slices if axis in names},
            cluster=names.get(spec.cluster) if spec.cluster else None,
            label=label,
        )

    items = listed(folder.files, (place for place, path in enumerate(folder.files) if wanted(path)), make)
    if not items:
        raise folder.expected(f"images as {' or '.join(spec.patterns)} with {', '.join(spec.labels)}")
    return items


def _read(folder: Folder, path: str, label: str, keep_top_px: int | None) -> Content:
    data = folder.read(path)
    return Content(clean(data) if keep_top_px is None else cut(data, keep_top_px), Truth(label=label))
