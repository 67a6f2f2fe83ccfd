"""The database of the run store: its tables, and opening it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    run INTEGER PRIMARY KEY AUTOINCREMENT,
    evaluation_id TEXT NOT NULL UNIQUE,
    spec TEXT NOT NULL,
    suite_name TEXT NOT NULL,
    models TEXT NOT NULL,
    state TEXT NOT NULL,
    state_message TEXT NOT NULL DEFAULT '',
    create_time TEXT NOT NULL,
    end_time TEXT,
    provenance TEXT NOT NULL DEFAULT '{}'
);
CREATE TABLE IF NOT EXISTS tasks (
    task INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs,
    digest TEXT NOT NULL,
    name TEXT NOT NULL,
    ordinal INTEGER,  -- NULL: no longer in the suite
    models TEXT NOT NULL,
    sample_count INTEGER,
    UNIQUE (run, digest)
);
CREATE TABLE IF NOT EXISTS samples (
    task INTEGER NOT NULL,
    position INTEGER NOT NULL,
    sample_id TEXT NOT NULL,
    truth_digest TEXT NOT NULL,
    source TEXT NOT NULL,
    slices TEXT NOT NULL,
    cluster TEXT,
    PRIMARY KEY (task, position),
    UNIQUE (task, sample_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS predictions (
    task INTEGER NOT NULL,
    sample_id TEXT NOT NULL,
    model TEXT NOT NULL,
    outcome TEXT NOT NULL,
    latency_s REAL NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL,
    PRIMARY KEY (task, sample_id, model)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS scores (
    task INTEGER NOT NULL,
    sample_id TEXT NOT NULL,
    model TEXT NOT NULL,
    outcome TEXT NOT NULL,
    offset INTEGER NOT NULL,  -- of the prediction that was scored
    code_tag TEXT NOT NULL,   -- of the code that scored it
    score TEXT NOT NULL,
    PRIMARY KEY (task, sample_id, model)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS scores_by_outcome ON scores (task, model, outcome);
"""


class SchemaError(Exception):
    """The database was written by another version of Hooke."""


def connect(database: Path) -> sqlite3.Connection:
    """Open a database that `prepare` has made; every transaction is begun and ended by hand."""
    connection = sqlite3.connect(database, isolation_level=None, timeout=30)
    # A power cut may take the last commits; the journals have what matters, and runs go on from there.
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def prepare(database: Path) -> None:
    """Make the tables of a new database.

    Raises:
        SchemaError: its tables are of another version.
    """
    connection = connect(database)
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, SCHEMA_VERSION):
            raise SchemaError(
                f"{database} has schema version {version}, this evaluator knows {SCHEMA_VERSION}"
            )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(_SCHEMA)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    finally:
        connection.close()
