"""Which runs belong to this evaluator while it writes to them, and to no other one.

On SQLite all of them do: the folder is locked. On PostgreSQL several evaluators may share a database, and a
run belongs to the one whose connection holds its advisory lock. The same connection writes, so nobody loses
a run without noticing; and when a process dies, however it does, the server lets go of its locks at once.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

_KEY = "hashtextextended('hooke run ' || CAST(:evaluation_id AS text), 0)"
_LOCK = text(f"SELECT pg_try_advisory_lock({_KEY})")
_UNLOCK = text(f"SELECT pg_advisory_unlock({_KEY})")
CLAIMED = text(
    "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted"  # noqa: S608
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    f" AND ((CAST(classid AS bigint) << 32) | CAST(objid AS bigint)) = {_KEY})"
)
"""Whether any evaluator of a PostgreSQL database has claimed `evaluation_id`."""


class RunTakenError(Exception):
    """A run belongs to another evaluator."""

    def __init__(self, evaluation_id: str) -> None:
        super().__init__(f"another evaluator of this database carries {evaluation_id} out")


class Claims:
    """The runs of one process, for the one thread that writes."""

    def __init__(self) -> None:
        self._held: set[str] = set()
        self._lost: set[str] = set()

    def take(self, connection: Connection, evaluation_id: str) -> bool:
        """Claim a run; False if it belongs to another evaluator."""
        if evaluation_id in self._held:
            return True
        if not _lock(connection, evaluation_id):
            return False
        self._held.add(evaluation_id)
        self._lost.discard(evaluation_id)
        return True

    def drop(self, connection: Connection, evaluation_id: str) -> None:
        """Let go of a run, if it is claimed."""
        if evaluation_id in self._held:
            self._held.remove(evaluation_id)
            if connection.dialect.name == "postgresql":
                connection.execute(_UNLOCK, {"evaluation_id": evaluation_id})

    def renew(self, connection: Connection) -> None:
        """Claim again what was claimed on a connection that broke; what another took meanwhile is lost."""
        lost = {name for name in self._held if not _lock(connection, name)}
        self._held -= lost
        self._lost |= lost

    def check(self, evaluation_id: str) -> None:
        """Raise RunTakenError if a run was lost."""
        if evaluation_id in self._lost:
            raise RunTakenError(evaluation_id)


def _lock(connection: Connection, evaluation_id: str) -> bool:
    if connection.dialect.name != "postgresql":
        return True
    return bool(connection.execute(_LOCK, {"evaluation_id": evaluation_id}).scalar_one())
