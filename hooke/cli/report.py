"""The report of an evaluation, as the command line unpacks and shows it."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from hooke.errors import InternalError, InvalidRequestError

_INDEX = "index.html"
_NUMBERS = "report.json"
_FORMAT_VERSION = 1
"""Of `report.json`; others are not shown as tables."""
_MAX_BYTES = 8 * 1024**3
"""Unpacked size of a report that nobody has."""
_UNDEFINED = "undefined"


def unpack(archive: bytes, folder: Path) -> Path:
    """Unpack a report into a folder, and return the path of its index.html.

    An earlier report there is replaced as a whole, since its pages of samples may be others.

    Raises:
        InternalError: the archive is none, or a name in it leads out of the folder; nothing was written.
        InvalidRequestError: the folder holds something else than a report; nothing was written.
    """
    root = folder.resolve()
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as file:
            _check(file, root)
            _check_free(root, {top for name in file.namelist() for top in Path(name).parts[:1]})
            root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=root, prefix=".part-") as part:
                new, old = Path(part, "new"), Path(part, "old")
                file.extractall(new)
                old.mkdir()
                for path in [path for path in root.iterdir() if path != Path(part)]:
                    path.rename(old / path.name)
                for path in list(new.iterdir()):
                    path.rename(root / path.name)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InternalError(f"the report is no zip archive: {error}") from error
    except (RuntimeError, NotImplementedError) as error:  # as zipfile says of a password and of a method
        raise InternalError(f"the report cannot be unpacked: {error}") from error
    return folder / _INDEX


def _check(file: zipfile.ZipFile, root: Path) -> None:
    entries = file.infolist()
    for entry in entries:
        if "\\" in entry.filename or not (root / entry.filename).resolve().is_relative_to(root):
            raise InternalError(f"the report names a file outside of its folder: {entry.filename!r}")
    if sum(entry.file_size for entry in entries) > _MAX_BYTES:
        raise InternalError("the report is larger than any report can be")
    if _INDEX not in file.namelist():
        raise InternalError("the report has no index.html")
    broken = file.testzip()
    if broken is not None:
        raise InternalError(f"the report is damaged at {broken!r}")


def _check_free(root: Path, names: set[str]) -> None:
    """Refuse to replace what is no report, or a report that somebody keeps other files with."""
    if not root.exists():
        return
    if not root.is_dir():
        raise InvalidRequestError.of_field("out", f"{root} is no folder")
    there = {path.name for path in root.iterdir()}
    if there and not ({_INDEX, _NUMBERS} <= there <= names):
        text = f"{root} holds other files than a report; name an empty or a new folder"
        raise InvalidRequestError.of_field("out", text)


def read(folder: Path) -> Mapping[str, Any] | None:
    """Return the numbers of an unpacked report, or None where this version cannot read them."""
    try:
        content = json.loads((folder / _NUMBERS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    readable = isinstance(content, dict) and content.get("format_version") == _FORMAT_VERSION
    return content if readable else None


def tables(report: Mapping[str, Any]) -> Iterator[Table]:
    """Yield a leaderboard for each task: the headline metric with its interval, and the coverage."""
    for task in report["tasks"]:
        headline = task["headline"]
        tuned = [
            f"{model['model']}: {model['tuned_count']} answers left out, tuned on"
            for model in task["models"]
            if model.get("tuned_count") is not None  # 0 too: it was looked for, and none was found
        ]
        table = Table(
            title=Text(f"{task['task']}: {task['sample_count']} samples"),
            title_justify="left",
            caption=Text("\n".join(tuned)) if tuned else None,
            caption_justify="left",
        )
        table.add_column("Model")
        for title in (f"{headline}, strict", "answered only", "Coverage", "Failed", "p50"):
            table.add_column(title, justify="right")
        for model in task["models"]:
            scored = model["outcome_counts"].get("scored", 0)
            table.add_row(
                Text(model["model"]),
                _estimate(model["strict"], headline),
                _estimate(model["answered"], headline),
                f"{scored / model['sample_count']:.0%}" if model["sample_count"] else _UNDEFINED,
                str(model["outcome_counts"].get("failed", 0)),
                "-" if model["latency_p50_s"] is None else f"{model['latency_p50_s']:.2f} s",
            )
        yield table


def _estimate(estimates: list[dict[str, Any]], name: str) -> str:
    found = next((estimate for estimate in estimates if estimate["name"] == name), None)
    if found is None or found["value"] is None:
        return _UNDEFINED
    if found["low"] is None or found["high"] is None:
        return f"{found['value']:.3g}"
    return f"{found['value']:.3g} ({found['low']:.3g} to {found['high']:.3g})"
