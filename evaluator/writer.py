"""The one thread that writes: journals first, then the database, many writes to a sync and a commit."""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from evaluator.journal import Entry, Journal, Located

T = TypeVar("T")

_MOST_AT_ONCE = 256
"""Writes that share a sync and a commit: bounds what waits for the slowest of them."""


@dataclass(slots=True)
class _Write:
    """One write: `entry` goes to the journal of `evaluation_id`, then `statement` to the database."""

    statement: Callable[[sqlite3.Connection, Located | None], Any]
    evaluation_id: str = ""
    entry: Entry | None = None
    located: Located | None = None
    result: Any = None
    error: Exception | None = None
    future: Future[Any] = field(default_factory=Future)


class Writer:
    """Writes that are handed in from any thread, done in their order on a thread of its own.

    A future that is given back is done once its write is lasting: the journal's lines against a power cut,
    the database against the death of the process (what it holds of answers can be made again from the
    journals). Whoever waits may be cancelled; the write is done all the same.

    Args:
        connect: opens the database; called on the thread.
        folder_of: the folder of a run.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], folder_of: Callable[[str], Path]) -> None:
        self._connect = connect
        self._folder_of = folder_of
        self._journals: dict[str, Journal] = {}
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="hooke-store", daemon=True)
        self._thread.start()

    def execute(self, statement: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Run a statement in a transaction; the future has what it returned or raised."""
        return self._submit(_Write(lambda connection, _located: statement(connection)))

    def append(
        self, evaluation_id: str, entry: Entry, index: Callable[[sqlite3.Connection, Located], T]
    ) -> Future[T]:
        """Append to the journal of an open run, then run the statement that indexes the line."""

        def statement(connection: sqlite3.Connection, located: Located | None) -> T:
            assert located is not None
            return index(connection, located)

        return self._submit(_Write(statement, evaluation_id, entry))

    def journal(self, evaluation_id: str) -> Journal:
        """The journal of a run, opened if need be; only for statements, which run on the thread."""
        if evaluation_id not in self._journals:
            self._journals[evaluation_id] = Journal(self._folder_of(evaluation_id))
        return self._journals[evaluation_id]

    def close_journal(self, evaluation_id: str) -> None:
        """Close the journal of a run; only for statements, which run on the thread."""
        journal = self._journals.pop(evaluation_id, None)
        if journal is not None:
            journal.close()

    def close(self) -> None:
        """Finish what was handed in, then end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _submit(self, write: _Write) -> Future[Any]:
        write.future.set_running_or_notify_cancel()  # from here on it cannot be cancelled
        self._queue.put(write)
        return write.future

    def _work(self) -> None:
        connection = self._connect()
        try:
            while batch := self._gather():
                self._append_all(batch)
                self._commit(connection, batch)
                for write in batch:
                    if write.error is not None:
                        write.future.set_exception(write.error)
                    else:
                        write.future.set_result(write.result)
        finally:
            for evaluation_id in list(self._journals):
                self.close_journal(evaluation_id)
            connection.close()

    def _gather(self) -> list[_Write]:
        """Wait for a write and take what came with it; empty at the end."""
        batch: list[_Write] = []
        while len(batch) < _MOST_AT_ONCE and (not batch or not self._queue.empty()):
            write = self._queue.get()
            if write is None:
                if batch:
                    self._queue.put(None)  # nothing comes after it, so it may go back to the end
                break
            batch.append(write)
        return batch

    def _append_all(self, batch: Sequence[_Write]) -> None:
        by_run: dict[str, list[_Write]] = defaultdict(list)
        for write in batch:
            if write.entry is not None:
                by_run[write.evaluation_id].append(write)
        for evaluation_id, writes in by_run.items():
            try:
                places = self.journal(evaluation_id).append([write.entry for write in writes if write.entry])
                for write, located in zip(writes, places, strict=True):
                    write.located = located
            except Exception as error:  # noqa: BLE001  (handed to whoever waits)
                for write in writes:
                    write.error = error

    def _commit(self, connection: sqlite3.Connection, batch: Sequence[_Write]) -> None:
        """Run every statement under a savepoint of its own, so that one that fails fails alone."""
        try:
            connection.execute("BEGIN IMMEDIATE")
            for write in batch:
                if write.error is not None:
                    continue
                connection.execute("SAVEPOINT write")
                try:
                    write.result = write.statement(connection, write.located)
                except Exception as error:  # noqa: BLE001  (handed to whoever waits for this write)
                    connection.execute("ROLLBACK TO write")
                    write.error = error
                connection.execute("RELEASE write")
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            for write in batch:
                write.error = write.error or error
