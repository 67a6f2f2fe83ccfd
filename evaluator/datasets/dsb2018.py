"""DSB 2018: one folder for each image, one mask file for each object."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluator.datasets.cleaning import clean, decode
from evaluator.datasets.dataset import Content, Item
from evaluator.datasets.folders import Folder
from evaluator.datasets.truths import read_plane, stacked
from evaluator.metrics.overlap import LabelImage
from evaluator.records import TaskKind, Truth
from hooke.errors import ImageUnreadableError

LAYOUT = "<id>/images/<id>.png and <id>/masks/*.png"
STAINED_SPREAD = 6
"""Mean difference between the strongest and the weakest of R, G and B, from which on an image is coloured."""


def list_items(folder: Folder, kind: TaskKind) -> list[Item]:
    """List the images that have masks."""
    images: dict[str, str] = {}
    masks: dict[str, list[str]] = defaultdict(list)
    for path in folder.files:
        where = PurePosixPath(path)
        if where.suffix.lower() == ".png" and len(where.parts) > 2:
            if where.parts[-2] == "images":
                images[str(where.parent.parent)] = path
            elif where.parts[-2] == "masks":
                masks[str(where.parent.parent)].append(path)
    items = [
        Item(path, partial(_read, folder, path, masks[place], kind))
        for place, path in images.items()
        if masks[place]
    ]
    if not items:
        raise folder.expected(LAYOUT)
    return items


def _read(folder: Folder, path: str, masks: Sequence[str], kind: TaskKind) -> Content:
    data = folder.read(path)
    pixels = decode(data)[..., :3]
    if kind is TaskKind.COUNTING:
        truth = Truth(count=len(masks))
    else:
        truth = Truth(labels=_merge(folder, masks, pixels.shape[:2]))
    return Content(clean(data), truth, {"modality": _modality(pixels)})


def _merge(folder: Folder, masks: Sequence[str], shape: tuple[int, ...]) -> LabelImage:
    """One label image out of one mask for each object; a few of them overlap by some pixels."""
    objects = []
    for path in masks:
        mask = read_plane(folder, path) > 0
        if mask.shape != shape:
            raise ImageUnreadableError(
                f"{folder.path / path} is {mask.shape[1]} x {mask.shape[0]} px, "
                f"its image {shape[1]} x {shape[0]} px"
            )
        objects.append(np.flatnonzero(mask))
    return stacked(objects, shape)


def _modality(pixels: NDArray[Any]) -> str:
    """dark: on dark ground, as in fluorescence; bright: on bright ground; stained: coloured."""
    if pixels.ndim == 3 and np.ptp(pixels.astype(np.int16), axis=-1).mean() >= STAINED_SPREAD:
        return "stained"
    middle = (int(pixels.min()) + int(pixels.max())) / 2
    return "dark" if np.median(pixels) < middle else "bright"
