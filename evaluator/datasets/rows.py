"""Tables that come with data: CSV with a header, or JSON Lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evaluator.datasets.folders import Folder
from hooke.errors import InvalidRequestError


@dataclass(frozen=True, slots=True)
class Row:
    """One row: column -> text. `where` names its file and number, for errors."""

    where: str
    values: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        """The text of a column."""
        return self.values[column]


def read_table(folder: Folder, table: str, needed: Iterable[str]) -> list[Row]:
    """Read every row of a table, in its order.

    Args:
        folder: where it lies.
        table: its path below; `.jsonl` is read as JSON Lines, everything else as CSV.
        needed: columns that every row must have.

    Raises:
        InvalidRequestError: it is missing, is no table, or lacks a column.
    """
    if table not in folder.file_set:
        raise folder.expected(f"the table {table}")
    rows = []
    for number, values in enumerate(_values(folder, table), start=1):
        where = f"{folder.path / table}, row {number}"
        missing = sorted(set(needed) - set(values))
        if missing:
            raise InvalidRequestError(
                f"{where}: no column {missing[0]!r}; there are {', '.join(sorted(values))}"
            )
        rows.append(Row(where, values))
    return rows


def _values(folder: Folder, table: str) -> list[dict[str, str]]:
    try:
        text = folder.read(table).decode("utf-8-sig")
        if table.endswith(".jsonl"):
            objects = [json.loads(line) for line in text.splitlines() if line.strip()]
            return [{str(key): _text(value) for key, value in row.items()} for row in objects]
        rows = csv.DictReader(io.StringIO(text), strict=True)
        return [{key: value or "" for key, value in row.items() if key is not None} for row in rows]
    except (ValueError, AttributeError, csv.Error) as error:
        raise InvalidRequestError(f"{folder.path / table} is not a table: {error}") from error


def _text(value: object) -> str:
    return "" if value is None else str(value)
