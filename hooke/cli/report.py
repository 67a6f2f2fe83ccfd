"""The report of an evaluation, as the command line unpacks and shows it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from hooke.errors import InternalError

_FORMAT_VERSION = 1
"""Of `report.json`; others are not shown as tables."""
_MAX_BYTES = 8 * 1024**3
"""Unpacked size of a report that nobody has."""
_UNDEFINED = "undefined"


def unpack(archive: bytes, folder: Path) -> Path:
    """Unpack a report into a folder, and return the path of its index.html.

    Raises:
        InternalError: the archive is none, or a name in it leads out of the folder; nothing was written.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as file:
            entries = file.infolist()
            root = folder.resolve()
            for entry in entries:
                if "\\" in entry.filename or not (root / entry.filename).resolve().is_relative_to(root):
                    raise InternalError(f"the report names a file outside of its folder: {entry.filename!r}")
            if sum(entry.file_size for entry in entries) > _MAX_BYTES:
                raise InternalError("the report is larger than any report can be")
            if "index.html" not in file.namelist():
                raise InternalError("the report has no index.html")
            file.extractall(folder)
    except zipfile.BadZipFile as error:
        raise InternalError(f"the report is no zip archive: {error}") from error
    return folder / "index.html"


def read(folder: Path) -> Mapping[str, Any] | None:
    """Return the numbers of an unpacked report, or None where this version cannot read them."""
    try:
        content = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    readable = isinstance(content, dict) and content.get("format_version") == _FORMAT_VERSION
    return content if readable else None


def tables(report: Mapping[str, Any]) -> Iterator[Table]:
    """Yield a leaderboard for each task: the headline metric with its interval, and the coverage."""
    for task in report["tasks"]:
        headline = task["headline"]
        table = Table(title=Text(f"{task['task']}: {task['sample_count']} samples"), title_justify="left")
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
