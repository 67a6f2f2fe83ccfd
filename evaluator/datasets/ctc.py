"""Cell Tracking Challenge: sequences of frames, with outlines of some and marks of all cells."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

from evaluator.datasets.cleaning import clean
from evaluator.datasets.dataset import Content, Item
from evaluator.datasets.folders import Folder
from evaluator.datasets.listing import Chosen, listed
from evaluator.datasets.public_specs import CtcSpec
from evaluator.datasets.truths import count_labels, read_labels
from evaluator.records import TaskKind, Truth
from hooke.errors import InvalidRequestError

FRAME = re.compile(r"(?P<sequence>(?:.*/)?(?P<number>\d{2}))/t(?P<time>\d{3,4})\.tif")
LAYOUT = "01/t000.tif and the like, with 01_GT/TRA/man_track000.tif"
LAYOUT_OUTLINES = "01/t000.tif and the like, with 01_{}/SEG/man_seg000.tif that outlines every cell"


@dataclass(frozen=True, slots=True)
class _Frame:
    """One frame with the file of its truth."""

    path: str
    truth: str
    sequence: str
    number: str


def list_items(spec: CtcSpec, folder: Folder, kind: TaskKind) -> Chosen:
    """List the frames that have the truth which the task needs.

    Whether every cell is outlined is seen by comparing the outlines with the marks, so these are read here.
    """
    outlined = kind is TaskKind.SEGMENTATION
    source = "ST" if spec.outlines == "silver" else "GT"
    frames = []
    for path in folder.files:
        found = FRAME.fullmatch(path)
        if found is None:
            continue
        sequence, time = found["sequence"], found["time"]
        marks = f"{sequence}_GT/TRA/man_track{time}.tif"
        outlines = f"{sequence}_{source}/SEG/man_seg{time}.tif"
        truth = outlines if outlined else marks
        if truth not in folder.file_set:
            continue
        # Programs outline every cell that they see; people outlined some of them.
        if outlined and source == "GT" and not spec.partial and not _complete(folder, outlines, marks):
            continue
        frames.append(_Frame(path, truth, sequence, found["number"]))
    if not frames:
        raise folder.expected(LAYOUT_OUTLINES.format(source) if outlined else LAYOUT)
    return listed(frames, range(len(frames)), partial(_item, folder, kind))


def _complete(folder: Folder, outlines: str, marks: str) -> bool:
    """True if as many cells are outlined as there are; without marks, nobody says that there are more."""
    if marks not in folder.file_set:
        return True
    try:
        return count_labels(read_labels(folder, outlines)) == count_labels(read_labels(folder, marks))
    except InvalidRequestError:
        return True  # a broken file is found when the frame is read, and fails that frame alone


def _item(folder: Folder, kind: TaskKind, frame: _Frame) -> Item:
    read = partial(_read, folder, frame, kind)
    return Item(frame.path, read, {"sequence": frame.number}, cluster=frame.sequence)


def _read(folder: Folder, frame: _Frame, kind: TaskKind) -> Content:
    image, labels = clean(folder.read(frame.path)), read_labels(folder, frame.truth)
    if kind is TaskKind.COUNTING:
        return Content(image, Truth(count=count_labels(labels)))
    return Content(image, Truth(labels=labels))
