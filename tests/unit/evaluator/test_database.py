from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from evaluator import database
from evaluator.database import DatabaseError
from evaluator.folder import RunsFolderError
from evaluator.runs import RunSpec
from evaluator.schema import METADATA
from evaluator.store import RunStore
from hooke.types import EvaluationState, SampleOutcome
from tests.postgres import PASSWORD, QUOTED, Postgres
from tests.unit.evaluator.stored import RUN, TAG, WAIT_S, answer, failure, opened, score, scores_of

OLD_TABLES = """
CREATE TABLE runs (
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
CREATE TABLE tasks (
    task INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs,
    digest TEXT NOT NULL,
    name TEXT NOT NULL,
    ordinal INTEGER,
    models TEXT NOT NULL,
    sample_count INTEGER,
    UNIQUE (run, digest)
);
CREATE TABLE samples (
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
CREATE TABLE predictions (
    task INTEGER NOT NULL,
    sample_id TEXT NOT NULL,
    model TEXT NOT NULL,
    outcome TEXT NOT NULL,
    latency_s REAL NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL,
    PRIMARY KEY (task, sample_id, model)
) WITHOUT ROWID;
CREATE TABLE scores (
    task INTEGER NOT NULL,
    sample_id TEXT NOT NULL,
    model TEXT NOT NULL,
    outcome TEXT NOT NULL,
    offset INTEGER NOT NULL,
    code_tag TEXT NOT NULL,
    score TEXT NOT NULL,
    PRIMARY KEY (task, sample_id, model)
) WITHOUT ROWID;
CREATE INDEX scores_by_outcome ON scores (task, model, outcome);
PRAGMA user_version = 1;
"""
"""Of an SQLite file from before there were steps from version to version."""


def make_old(runs_dir: Path) -> None:
    """Turn the database of a folder into one with the tables of old."""
    path = runs_dir / "runs.sqlite"
    now = sqlite3.connect(path)
    now.row_factory = sqlite3.Row
    kept = {name: now.execute(f"SELECT * FROM {name}").fetchall() for name in METADATA.tables}
    now.close()
    for file in runs_dir.glob("runs.sqlite*"):
        file.unlink()
    old = sqlite3.connect(path)
    old.executescript(OLD_TABLES)
    for name, rows in kept.items():
        columns = [row[1] for row in old.execute(f"PRAGMA table_info({name})")]
        marks = ", ".join("?" * len(columns))
        old.executemany(
            f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})",
            [[row[column] for column in columns] for row in rows],
        )
    old.commit()
    old.close()


# A database from before there were versions keeps its runs and scores; what it had no columns for comes from
# the journals, also of runs that nobody takes up again.
def test_old_database_is_taken_over(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    task = opened(store)
    provenance = {"model_version": "1", "weights_digest": "sha256:1"}
    paid: dict[str, Any] = {"input_token_count": 10, "output_token_count": 2, "cost_micro_usd": 30}
    store.add_prediction(task, answer("s1", count=7, provenance=provenance, **paid), b"mask")
    store.add_prediction(task, failure("s2", "UPSTREAM_FAILED"), None)
    store.add_score(task, score("s1"), TAG)
    store.add_score(task, score("s2", SampleOutcome.FAILED, error_reason="UPSTREAM_FAILED"), TAG)
    store.set_state(RUN, EvaluationState.PARTIALLY_SUCCEEDED, "1 of 2 samples failed").result(WAIT_S)
    before = store.get(RUN)
    scores = scores_of(store, task, "classical")
    store.close()
    make_old(tmp_path)
    store = RunStore(tmp_path)
    assert store.get(RUN) == before
    assert store.tasks(RUN) == [task]
    assert sorted(scores_of(store, task, "classical"), key=lambda s: s.sample_id) == scores
    assert store.spent(RUN) == 30
    assert store.failure_reasons(task) == {"UPSTREAM_FAILED": 1}
    cached = store.history.cached(task.digest, "classical", "s1", "1", "sha256:1")
    assert cached is not None
    assert (cached.folder / (cached.prediction.mask_file or "")).read_bytes() == b"mask"
    created = store.create("run-2", RunSpec("r2"), "demo").result(WAIT_S)
    assert before is not None
    assert created.number > before.number
    store.close()


# The steps end in the tables that the code knows, on a new database and on one that was taken over.
@pytest.mark.parametrize("old", [False, True])
def test_steps_lead_to_the_tables(tmp_path: Path, url: SecretStr | None, old: bool) -> None:
    if old and url is not None:
        pytest.skip("there was no PostgreSQL before")
    RunStore(tmp_path, url).close()
    if old:
        make_old(tmp_path)
        RunStore(tmp_path).close()
    engine = database.sqlite(tmp_path / "runs.sqlite") if url is None else database.postgresql(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


# The version that the code asks for is the last step.
def test_version_is_the_last_step() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).with_name("migrations")))
    assert ScriptDirectory.from_config(config).get_current_head() == database.VERSION


# Evaluators that start at the same time make the tables once.
@pytest.mark.slow
def test_starting_at_the_same_time(tmp_path: Path, postgres_url: SecretStr) -> None:
    with ThreadPoolExecutor(4) as threads:
        stores = list(threads.map(lambda _: RunStore(tmp_path, postgres_url), range(4)))
    opened(stores[0])
    assert all(store.get(RUN) is not None for store in stores)
    for store in stores:
        store.close()


# Two evaluators on one folder would both send what is unfinished; the second one is told so.
@pytest.mark.slow
def test_folder_belongs_to_one_evaluator(tmp_path: Path, postgres_url: SecretStr) -> None:
    store = RunStore(tmp_path)
    for url in (None, postgres_url):
        with pytest.raises(RunsFolderError, match="in use by another evaluator"):
            RunStore(tmp_path, url)
    store.close()


# A database of a newer version is left alone, and the folder is free again.
def test_newer_version_is_refused(tmp_path: Path, url: SecretStr | None) -> None:
    RunStore(tmp_path, url).close()
    engine = database.sqlite(tmp_path / "runs.sqlite") if url is None else database.postgresql(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    for _ in range(2):
        with pytest.raises((RunsFolderError, DatabaseError), match=r"newer version of Hooke wrote it.*9999"):
            RunStore(tmp_path, url)


# So is an SQLite file whose version nobody here has heard of.
def test_unknown_file_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "runs.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    for _ in range(2):
        with pytest.raises(RunsFolderError, match="schema version 99"):
            RunStore(tmp_path)


# Neither is a file taken for a database that is none.
def test_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs.sqlite").write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(RunsFolderError, match="not a database"):
        RunStore(tmp_path)


# Whatever is wrong with the database, what is said of it has no password in it, quoted or not.
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://hooke:{password}@127.0.0.1:1/hooke",
        "postgresql://hooke:{password}@127.0.0.1:port/hooke",
        "mysql://hooke:{password}@127.0.0.1/hooke",
        "postgresql+asyncpg://hooke:{password}@127.0.0.1/hooke",
        "//hooke:{password}@127.0.0.1/hooke",
        "postgresql://hooke:{password}@127.0.0.1:1/hooke?sslmode={password}",
    ],
)
def test_password_is_in_no_error(tmp_path: Path, url: str) -> None:
    with pytest.raises(DatabaseError) as caught:
        RunStore(tmp_path, SecretStr(url.format(password=QUOTED)))
    told = repr(caught.value) + repr(caught.value.__cause__)
    assert PASSWORD not in told
    assert QUOTED not in told
    RunStore(tmp_path).close()


# A server that refuses says why: without the password that it was given, or the right one.
@pytest.mark.slow
def test_refused_by_the_server(tmp_path: Path, postgres: Postgres) -> None:
    for url in (postgres.url("postgres", "wrong-secret"), postgres.url("nowhere")):
        with pytest.raises(DatabaseError, match=r"authentication failed|does not exist") as caught:
            RunStore(tmp_path, SecretStr(url))
        assert "wrong-secret" not in repr(caught.value)
        assert PASSWORD not in repr(caught.value)


# What the database refuses is told without what was to be written.
def test_rows_are_in_no_error(store: RunStore) -> None:
    opened(store)
    private = text("SELECT :value FROM nowhere").bindparams(value="private")
    with pytest.raises(DBAPIError, match="nowhere") as caught:
        store._writer.execute(RUN, lambda connection: connection.execute(private)).result(WAIT_S)
    assert "private" not in str(caught.value)
