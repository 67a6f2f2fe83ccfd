"""Folders of data: what lies in them, and nothing outside them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from hooke.errors import FieldViolation, InvalidRequestError


@dataclass(frozen=True)
class Folder:
    """One folder of data; paths in it are relative, with slashes."""

    path: Path

    @classmethod
    def open(cls, data_dir: Path, relative: str) -> Folder:
        """Open a folder below the data folder.

        Raises:
            InvalidRequestError: there is none.
        """
        path = _below(data_dir, relative)
        if not path.is_dir():
            raise wrong_folder(path, "the folder does not exist")
        return cls(path)

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Every file at any depth, sorted."""
        found: list[str] = []
        for parent, _, names in os.walk(self.path):
            where = PurePosixPath(Path(parent).relative_to(self.path).as_posix())
            found.extend(str(where / name) for name in names)
        return tuple(sorted(found))

    @cached_property
    def file_set(self) -> frozenset[str]:
        """Every file at any depth."""
        return frozenset(self.files)

    def read(self, relative: str) -> bytes:
        """The bytes of one file.

        Raises:
            InvalidRequestError: it cannot be read.
        """
        with self.open_file(relative) as file:
            return file.read()

    @contextmanager
    def open_file(self, relative: str) -> Iterator[BinaryIO]:
        """Open one file for reading.

        Raises:
            InvalidRequestError: it cannot be read, now or before it is closed.
        """
        path = _below(self.path, relative)
        try:
            with path.open("rb") as file:
                yield file
        except OSError as error:
            raise InvalidRequestError(f"{path} cannot be read: {error.strerror}") from error

    def expected(self, what: str) -> InvalidRequestError:
        """The error of a folder that holds something else."""
        return wrong_folder(self.path, f"no data of this layout; expected {what}")


def wrong_folder(path: Path, problem: str) -> InvalidRequestError:
    """The error that names a folder and what is wrong with it."""
    return InvalidRequestError(f"{path}: {problem}", violations=[FieldViolation("data_dir", problem)])


def _below(root: Path, relative: str) -> Path:
    """Join without leaving the root: what a suite says must not reach other files."""
    path = Path(os.path.normpath(root / relative))
    if not path.is_relative_to(os.path.normpath(root)):
        raise InvalidRequestError(
            f"{relative!r} lies outside the data folder", violations=[FieldViolation("suite", relative)]
        )
    return path
