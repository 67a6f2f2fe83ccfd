"""BBBC005: simulated cells whose count and focus stand in the file names."""

from __future__ import annotations

import re
from functools import partial
from pathlib import PurePosixPath

import numpy as np

from evaluator.datasets.cleaning import clean
from evaluator.datasets.dataset import Content, Item
from evaluator.datasets.folders import Folder
from evaluator.datasets.public_specs import Bbbc005Spec
from evaluator.datasets.truths import connected, read_labels
from evaluator.records import TaskKind, Truth

NAME = re.compile(r"SIMCEPImages_([A-P]\d{2})_C(\d+)_F(\d+)_s(\d+)_(w[12])\.tif", re.IGNORECASE)
LAYOUT = "SIMCEPImages_A13_C53_F1_s09_w2.TIF and the like, masks of the same names in a folder *ground_truth*"


def list_items(spec: Bbbc005Spec, folder: Folder, kind: TaskKind) -> list[Item]:
    """List the images of one stain; of those with masks only, for segmentation.

    Copies in doubled folders are listed once.
    """
    images: dict[str, str] = {}
    masks: dict[str, str] = {}
    for path in folder.files:
        where = PurePosixPath(path)
        if NAME.fullmatch(where.name):
            truth = any("ground_truth" in part.lower() for part in where.parts)
            (masks if truth else images).setdefault(where.name.lower(), path)
    items = []
    for name, path in images.items():
        found = NAME.fullmatch(name)
        assert found is not None
        well, count, focus, _, stain = found.groups()
        if stain != spec.stain or (kind is TaskKind.SEGMENTATION and name not in masks):
            continue
        if kind is TaskKind.SEGMENTATION:
            read = partial(_read_mask, folder, path, masks[name])
        else:
            read = partial(_read_count, folder, path, int(count))
        items.append(Item(path, read, {"blur": focus}, cluster=well.upper()))
    if not items:
        raise folder.expected(LAYOUT)
    return items


def _read_count(folder: Folder, path: str, count: int) -> Content:
    return Content(clean(folder.read(path)), Truth(count=count))


def _read_mask(folder: Folder, path: str, mask: str) -> Content:
    labels = read_labels(folder, mask)
    # The native masks only tell foreground from background; label images have more than two values.
    if np.unique(labels).size <= 2:
        labels = connected(labels > 0)
    return Content(clean(folder.read(path)), Truth(labels=labels))
