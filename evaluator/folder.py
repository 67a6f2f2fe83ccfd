"""The folder that journals lie in: who may use it, and what a database elsewhere calls it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import uuid
from pathlib import Path


class RunsFolderError(Exception):
    """The folder of the runs cannot be used; the message says why and what to do."""


class RunsFolder:
    """The folder of one evaluator or, where its database is elsewhere, of several that share both.

    Args:
        path: made if need be.
        shared: whether others may use it at the same time, if they share it, too.

    Raises:
        RunsFolderError: it cannot be written, or is in use.
    """

    def __init__(self, path: Path, *, shared: bool) -> None:
        self._path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = (path / "lock").open("w")
        except OSError as error:
            raise RunsFolderError(f"{path} cannot be written: {error}") from error
        try:
            fcntl.flock(self._lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            if isinstance(error, BlockingIOError):
                told = f"{path} is in use by another evaluator: stop that one, or use another folder"
                raise RunsFolderError(told) from error
            raise RunsFolderError(f"{path} cannot be used: {error}") from error

    def close(self) -> None:
        """Let go of it."""
        self._lock.close()

    def home(self) -> str:
        """A name of the folder that stays with it wherever it is mounted, and that no other folder has.

        Raises:
            RunsFolderError: it cannot be read or written.
        """
        file = self._path / "home"
        try:
            if not file.exists():
                part = self._path / f"home.{uuid.uuid4().hex}"
                part.write_text(uuid.uuid4().hex)
                with contextlib.suppress(FileExistsError):  # another evaluator was first
                    os.link(part, file)
                part.unlink()
            return file.read_text().strip()
        except OSError as error:
            raise RunsFolderError(f"{self._path} cannot be used: {error}") from error
