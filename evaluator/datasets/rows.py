"""Tables that come with data: CSV with a header, JSON Lines, or objects in a JSON file."""

from __future__ import annotations

import csv
import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, overload

from evaluator.datasets.folders import Folder
from hooke.errors import InvalidRequestError

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_Record = list[str] | dict[str, Any]
_Reader = Callable[[BinaryIO], Iterator[tuple[int, _Record]]]


@dataclass(frozen=True, slots=True)
class Row:
    """One row: column -> text. `where` names its file and number, for errors."""

    where: str
    values: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        """The text of a column."""
        return self.values[column]


def read_table(folder: Folder, table: str, needed: Iterable[str], member: str | None = None) -> Sequence[Row]:
    """Open a table; its rows are read as they are asked for, in its order.

    Args:
        folder: where it lies.
        table: its path below; `.jsonl` is read as JSON Lines, `.json` as an array (which is kept in memory),
            everything else as CSV.
        needed: columns that every row must have; reading one that lacks any raises InvalidRequestError.
        member: of a `.json` that holds an object, the member with the rows: an array, or an object,
            whose names are then the column "key"; its values are objects or the column "value".

    Raises:
        InvalidRequestError: it is missing, or is no table.
    """
    if table not in folder.file_set:
        raise folder.expected(f"the table {table}")
    if table.endswith(".json"):
        return _read_json(folder, table, frozenset(needed), member)
    if member is not None:
        raise _no_table(folder, table, ValueError(f"only a .json can have a member {member!r}"))
    return Table(folder, table, frozenset(needed))


class Table(Sequence[Row]):
    """The rows of a CSV or JSON Lines file. What is kept is where they begin: eight bytes each."""

    def __init__(self, folder: Folder, path: str, needed: frozenset[str]) -> None:
        self._folder = folder
        self._path = path
        self._needed = needed
        self._records: _Reader = _json_lines if path.endswith(".jsonl") else _csv_records
        self._header: list[str] | None = None
        self._starts = array("Q")
        with self._open() as file:
            for start, record in self._records(file):
                if self._header is None and isinstance(record, list):
                    self._header = record
                else:
                    self._starts.append(start)

    def __len__(self) -> int:
        """Number of rows, without the header."""
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        """Read one row, or several."""
        if isinstance(index, slice):
            return [self[place] for place in range(len(self))[index]]
        with self._open(self._starts[index]) as file:
            for _, record in self._records(file):
                return self._row(range(len(self))[index], record)
        raise InvalidRequestError(f"{self._folder.path / self._path} is shorter than it was")

    def __iter__(self) -> Iterator[Row]:
        """Read one row after the other."""
        if not self._starts:
            return
        with self._open(self._starts[0]) as file:
            for index, (_, record) in enumerate(self._records(file)):
                yield self._row(index, record)

    def _row(self, index: int, record: _Record) -> Row:
        if isinstance(record, list):
            texts = record + [""] * (len(self._header or ()) - len(record))
            values = dict(zip(self._header or (), texts, strict=False))
        else:
            values = {key: _text(value) for key, value in record.items()}
        return _checked(f"{self._folder.path / self._path}, row {index + 1}", values, self._needed)

    @contextmanager
    def _open(self, start: int = 0) -> Iterator[BinaryIO]:
        with self._folder.open_file(self._path) as file:
            file.seek(start)
            try:
                yield file
            except (ValueError, csv.Error) as error:
                raise _no_table(self._folder, self._path, error) from error


def _csv_records(file: BinaryIO) -> Iterator[tuple[int, list[str]]]:
    """Where each record begins, and its fields; empty lines are none."""
    start = end = file.tell()

    def lines() -> Iterator[str]:
        nonlocal end
        for line in file:
            first = end == 0
            end += len(line)
            yield (line.removeprefix(_BYTE_ORDER_MARK) if first else line).decode()

    for fields in csv.reader(lines(), strict=True):
        if fields:
            yield start, fields
        start = end


def _json_lines(file: BinaryIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """Where each object begins, and the object."""
    start = file.tell()
    for line in file:
        text = line.removeprefix(_BYTE_ORDER_MARK) if start == 0 else line
        if text.strip():
            yield start, _object(json.loads(text))
        start += len(line)


def _read_json(folder: Folder, path: str, needed: frozenset[str], member: str | None) -> Sequence[Row]:
    try:
        found = json.loads(folder.read(path).removeprefix(_BYTE_ORDER_MARK))
        if member is not None:
            found = _object(found).get(member)
            if isinstance(found, dict):
                found = [{"key": key, **_row_of(value)} for key, value in found.items()]
        if not isinstance(found, list):
            raise ValueError("it must hold objects" if member is None else f"it has no rows as {member!r}")
        objects = [_object(value) for value in found]
    except ValueError as error:
        raise _no_table(folder, path, error) from error
    return [
        _checked(f"{folder.path / path}, row {number}", {key: _text(v) for key, v in values.items()}, needed)
        for number, values in enumerate(objects, start=1)
    ]


def _row_of(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {"value": value}


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("it must hold objects")
    return value


def _checked(where: str, values: Mapping[str, str], needed: frozenset[str]) -> Row:
    missing = sorted(needed - set(values))
    if missing:
        raise InvalidRequestError(f"{where}: no column {missing[0]!r}; there are {', '.join(sorted(values))}")
    return Row(where, values)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _no_table(folder: Folder, path: str, error: Exception) -> InvalidRequestError:
    return InvalidRequestError(f"{folder.path / path} is not a table: {error}")
