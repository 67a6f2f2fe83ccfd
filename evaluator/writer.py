"""The one thread that writes: journals first, then the database, many writes to a sync and a commit."""

from __future__ import annotations

import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from evaluator.claims import Claims
from evaluator.journal import Entry, Journal, Located
from evaluator.records import Prediction
from evaluator.statements import Bundle, Change, statements

T = TypeVar("T")

_MOST_AT_ONCE = 256
"""Writes that share a sync and a commit: bounds what waits for the slowest of them."""
_RECONNECT_S = 1.0
"""Between two looks for a server that has gone."""
_STANDS = text("SELECT 1")


@dataclass(slots=True)
class _Write:
    """One write to a run: `entry` goes to its journal, then a change or a statement to the database."""

    evaluation_id: str | None
    statement: Callable[[Connection], Any] | None = None
    change: Callable[[Located | None], Change] | None = None
    entry: Entry | None = None
    located: Located | None = None
    result: Any = None
    error: Exception | None = None
    future: Future[Any] = field(default_factory=Future)


class Writer:
    """Writes that are handed in from any thread, done in their order on a thread of its own.

    A future that is given back is done once its write is lasting: the journal's lines against a power cut,
    the database against the death of the process (what it holds of answers can be made again from the
    journals). Whoever waits may be cancelled; the write is done all the same. Where the connection to the
    database breaks, writes wait for another one. They may be run twice then, and before that against the same
    rows, so each must come to the same whether it is run once or again.

    Args:
        engine: of the database.
        folder_of: the folder of a run.
        patience_s: seconds for which a database that has gone is waited for, before writes fail.
    """

    def __init__(self, engine: Engine, folder_of: Callable[[str], Path], patience_s: float = 60.0) -> None:
        self._engine = engine
        self._texts = statements(engine.dialect)
        self._folder_of = folder_of
        self._patience_s = patience_s
        self._connection: Connection | None = None
        self._journals: dict[str, Journal] = {}
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self.claims = Claims()
        """Of this process; only for statements, which run on the thread."""
        self._thread = threading.Thread(target=self._work, name="hooke-store", daemon=True)
        self._thread.start()

    def execute(self, evaluation_id: str | None, statement: Callable[[Connection], T]) -> Future[T]:
        """Run a statement in a transaction; the future has what it returned or raised.

        Args:
            evaluation_id: the run that must not be lost to another evaluator; None: there is none.
            statement: what to run.
        """
        return self._submit(_Write(evaluation_id, statement))

    def change(self, evaluation_id: str, change: Change) -> Future[None]:
        """Change something of a run."""
        return self._submit(_Write(evaluation_id, change=lambda _located: change))

    def append(
        self, evaluation_id: str, entry: Entry, change: Callable[[Located], Change]
    ) -> Future[Prediction]:
        """Append to the journal of an open run, then change what follows from the line; the future has it."""

        def of_line(located: Located | None) -> Change:
            assert located is not None
            return change(located)

        return self._submit(_Write(evaluation_id, change=of_line, entry=entry))

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
        try:
            while batch := self._gather():
                self._carry_out(batch)
                for write in batch:
                    if write.error is not None:
                        write.future.set_exception(write.error)
                    else:
                        write.future.set_result(write.result)
        finally:
            for evaluation_id in list(self._journals):
                self.close_journal(evaluation_id)
            self._disconnect()

    def _carry_out(self, batch: Sequence[_Write]) -> None:
        """Do it, on another connection if one breaks."""
        give_up = time.monotonic() + self._patience_s
        while True:
            try:
                connection = self._connect()
                self._append_all(batch)
                self._commit(connection, [write for write in batch if write.error is None])
                return
            except Exception as error:  # noqa: BLE001  (handed to whoever waits)
                stands = self._connection is not None and not self._connection.invalidated
                if not stands:
                    self._disconnect()
                if stands or time.monotonic() > give_up:
                    for write in batch:
                        write.error = write.error or error
                    return
                time.sleep(_RECONNECT_S)

    def _connect(self) -> Connection:
        """The connection, which still stands: what was claimed on it is still ours."""
        connection = self._connection
        if connection is None:
            connection = self._engine.connect().execution_options(writes=True)
            self._connection = connection
            with connection.begin():
                self.claims.renew(connection)
        elif connection.dialect.name == "postgresql":
            with connection.begin():
                connection.execute(_STANDS)
        return connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

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
            if write.entry is not None and write.located is None and write.error is None:
                assert write.evaluation_id is not None
                by_run[write.evaluation_id].append(write)
        for evaluation_id, writes in by_run.items():
            try:
                self.claims.check(evaluation_id)
                places = self.journal(evaluation_id).append([write.entry for write in writes if write.entry])
                for write, located in zip(writes, places, strict=True):
                    write.located = located
            except Exception as error:  # noqa: BLE001  (handed to whoever waits)
                for write in writes:
                    write.error = error

    def _commit(self, connection: Connection, writes: Sequence[_Write]) -> None:
        """Run them all together or, if one fails, each by itself, so that it fails alone."""
        try:
            with connection.begin():
                self._run(connection, writes)
        except Exception as error:
            if _broken(error):
                raise
        else:
            return
        with connection.begin():
            for write in writes:
                try:
                    with connection.begin_nested():
                        self._run(connection, [write])
                except Exception as error:
                    if _broken(error):
                        raise
                    write.error = error

    def _run(self, connection: Connection, writes: Sequence[_Write]) -> None:
        bundle = Bundle(connection, self._texts)
        for write in writes:
            if write.evaluation_id is not None:
                self.claims.check(write.evaluation_id)
            if write.change is not None:
                bundle.add(write.change(write.located))
            if write.located is not None:
                write.result = write.located.prediction
            if write.statement is not None:
                bundle.flush()
                write.result = write.statement(connection)
        bundle.flush()


def _broken(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and error.connection_invalidated
