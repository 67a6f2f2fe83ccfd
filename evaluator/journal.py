"""`predictions.jsonl` of one run and the masks beside it: the truth about what models answered.

A line is only ever appended, and on disk before anybody hears of it; a mask is on disk before the line
that names it. What a crash leaves behind is at worst a torn last line, which `cut` drops.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import structlog
import tifffile
from numpy.typing import NDArray

from evaluator.records import Prediction
from hooke.types import SampleOutcome

log = structlog.get_logger("hooke.evaluator.journal")

JOURNAL = "predictions.jsonl"
"""Its name in the folder of its run."""
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """A prediction under the digest of its task; `mask` holds the bytes of its label TIFF, if it has one."""

    task_digest: str
    prediction: Prediction
    mask: bytes | None = None


@dataclass(frozen=True, slots=True)
class Located:
    """An entry that is on disk, with the place of its line in bytes."""

    task_digest: str
    prediction: Prediction
    offset: int
    length: int


class Journal:
    """The predictions of one run, for the one thread that appends.

    Args:
        folder: of the run; made if need be.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        _sync_folder(folder.parent)
        self._folder = folder
        self._file = os.open(folder / JOURNAL, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        _sync_folder(folder)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def cut(self, end: int) -> None:
        """Cut off what a crash has left behind the last whole line, which ends there."""
        if os.fstat(self._file).st_size > end:
            os.ftruncate(self._file, end)
            os.fsync(self._file)

    def append(self, entries: Sequence[Entry]) -> list[Located]:
        """Write the entries and return once they are on disk; all of them or, after an OSError, none."""
        size = os.fstat(self._file).st_size
        named = self._write_masks(entries)
        located, lines = [], bytearray()
        for entry in named:
            line = _encode(entry)
            located.append(Located(entry.task_digest, entry.prediction, size + len(lines), len(line)))
            lines += line
        try:
            _write_all(self._file, lines)
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, size)  # half a line would swallow the next one
            raise
        return located

    def _write_masks(self, entries: Sequence[Entry]) -> list[Entry]:
        """Write every mask, sync them together, and only then give them their names."""
        named, files, folders = [], [], set()
        try:
            for entry in entries:
                if entry.mask is None:
                    named.append(entry)
                    continue
                name = mask_file(entry.task_digest, entry.prediction)
                path = self._folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                folders.add(path.parent)
                part = path.with_suffix(".part")
                file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
                files.append((file, part, path))
                _write_all(file, entry.mask)
                named.append(replace(entry, prediction=replace(entry.prediction, mask_file=name)))
            for file, part, path in files:
                os.fsync(file)
                part.replace(path)
        finally:
            for file, _part, _path in files:
                os.close(file)
        for folder in folders:
            for parent in (folder, folder.parent, folder.parent.parent):
                _sync_folder(parent)
        return named


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a journal; `content` is None where it cannot be read."""

    offset: int
    length: int
    content: Mapping[str, Any] | None

    def located(self) -> Located | None:
        """What it says; None where it cannot be read."""
        if self.content is None:
            return None
        try:
            task_digest, prediction = _prediction(self.content)
        except (ValueError, TypeError, KeyError) as error:
            log.warning("unreadable prediction", offset=self.offset, error=str(error))
            return None
        return Located(task_digest, prediction, self.offset, self.length)


def read_lines(folder: Path) -> Iterator[Line]:
    """Every line of a run's journal, oldest first, the torn one at its end as well.

    A line that cannot be read is told with a warning: its sample counts as not asked.
    """
    offset = 0
    with (folder / JOURNAL).open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            content = None
            try:
                content = _content(line)
            except ValueError as error:
                log.warning("unreadable prediction", folder=str(folder), line=number, error=str(error))
            yield Line(offset, len(line), content)
            offset += len(line)


def read_predictions(folder: Path, places: Sequence[tuple[int, int]]) -> list[Prediction]:
    """The predictions of a run's lines, each given by offset and length in bytes."""
    if not places:
        return []
    with (folder / JOURNAL).open("rb") as lines:
        return [_decode(os.pread(lines.fileno(), length, offset))[1] for offset, length in places]


def read_mask(folder: Path, prediction: Prediction) -> NDArray[np.integer[Any]] | None:
    """The label image of a prediction, H x W integers with 0 background; None if it has none."""
    if prediction.mask_file is None:
        return None
    labels: NDArray[np.integer[Any]] = tifffile.imread(folder / prediction.mask_file)
    return labels


def mask_file(task_digest: str, prediction: Prediction) -> str:
    """Where the mask of a prediction lies in its run's folder."""
    # ".." is a sound name of a model, not of a folder
    folder = quote(prediction.model, safe="").replace(".", "%2E")
    repeat = f".{prediction.repeat}" if prediction.repeat else ""
    return f"masks/{task_digest[:16]}/{folder}/{prediction.sample_id}{repeat}.tif"


def _encode(entry: Entry) -> bytes:
    content = {"task_digest": entry.task_digest, **shallow(entry.prediction)}
    return _JSON.encode(content).encode() + b"\n"


def _decode(line: bytes) -> tuple[str, Prediction]:
    return _prediction(_content(line))


def _content(line: bytes) -> dict[str, Any]:
    if not line.endswith(b"\n"):
        raise ValueError("the line is torn")
    content = json.loads(line)
    if not isinstance(content, dict):
        raise ValueError("the line is no object")
    return content


def _prediction(known: Mapping[str, Any]) -> tuple[str, Prediction]:
    content = dict(known)
    task_digest = content.pop("task_digest")
    content["outcome"] = SampleOutcome(content["outcome"])
    if content["scores"] is not None:
        content["scores"] = tuple(content["scores"])
    return task_digest, Prediction(**content)


def shallow(record: Any) -> dict[str, Any]:
    """The fields of a dataclass by name, their values as they are."""
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def _write_all(file: int, content: bytes | bytearray) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(file, left) :]


def _sync_folder(folder: Path) -> None:
    """Make names in a folder as lasting as the files behind them."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
