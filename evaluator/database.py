"""The database of the run store: opening it, and bringing its tables to the version that is known here."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from pydantic import SecretStr
from sqlalchemy import Connection, Engine, create_engine, event, func, inspect, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

VERSION = "0001"
"""The newest step of `evaluator/migrations`; they are numbered, so that a later one is known as such."""

_MIGRATIONS = Path(__file__).with_name("migrations")
_FILE_VERSION = 2
"""`user_version` of an SQLite file that has its version in a table; 1: the tables before the first step."""
_MIGRATING = 0x686F6F6B65
"""Advisory lock of whoever changes the tables of a PostgreSQL database."""
_EXAMPLE = "postgresql://USER:PASSWORD@HOST:5432/DATABASE"


class DatabaseError(Exception):
    """The database cannot be used; the message says why, and never has the password."""


def sqlite(path: Path) -> Engine:
    """A database in one file. One process writes to it, on one connection, with the option `writes`."""
    # Whoever reads a long answer row by row may read something else meanwhile: were there a most of
    # connections, some could wait for each other. There are no more than threads, or two for each.
    engine = create_engine(
        URL.create("sqlite", database=str(path)), max_overflow=-1, paramstyle="named", hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver's rules
        # A power cut may take the last commits; the journals have what matters, and runs go on from there.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA busy_timeout = 30000")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def postgresql(secret: SecretStr) -> Engine:
    """A database on a server.

    Args:
        secret: its URL, which may hold a password.

    Raises:
        DatabaseError: this is no such URL, or the driver is not installed.
    """
    try:
        url = make_url(secret.get_secret_value())
    except (ArgumentError, ValueError):
        raise DatabaseError(f"this is no URL such as {_EXAMPLE}") from None
    if url.drivername not in {"postgresql", "postgres", "postgresql+psycopg"}:
        raise DatabaseError(f"a URL such as {_EXAMPLE} is expected; without one, SQLite is used")
    try:
        return create_engine(
            url.set(drivername="postgresql+psycopg"),
            max_overflow=-1,  # see above
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={"connect_timeout": 10, "fallback_application_name": "hooke-evaluator"},
        )
    except ImportError:
        raise DatabaseError("PostgreSQL needs the extra 'postgres': pip install 'hooke[postgres]'") from None


def prepare(engine: Engine) -> bool:
    """Bring the tables to the version that is known here; of several processes one does, the others wait.

    Returns:
        True if there were rows whose new columns only the journals can fill.

    Raises:
        DatabaseError: the database cannot be reached, or a newer version of Hooke has written it.
    """
    try:
        with engine.connect().execution_options(writes=True) as connection, connection.begin():
            outgrown = _upgrade(connection)
        if engine.dialect.name == "sqlite":
            with engine.connect() as connection:  # not within a transaction
                dbapi_connection = connection.connection.driver_connection
                assert dbapi_connection is not None
                dbapi_connection.execute("PRAGMA journal_mode = WAL")
    except SQLAlchemyError as error:
        engine.dispose()
        raise DatabaseError(_explain(engine, error)) from None
    except DatabaseError:
        engine.dispose()
        raise
    return outgrown


def filled(engine: Engine) -> None:
    """Note that the new columns of an outgrown SQLite file have what the journals say."""
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        connection.exec_driver_sql(f"PRAGMA user_version = {_FILE_VERSION}")


def _explain(engine: Engine, error: SQLAlchemyError) -> str:
    """What the database said, without the password and without what was written."""
    told = str(getattr(error, "orig", None) or error).strip()
    password = engine.url.password
    return told.replace(password, "***") if password else told


def _upgrade(connection: Connection) -> bool:
    on_sqlite = connection.dialect.name == "sqlite"
    file_version = 0
    if on_sqlite:
        file_version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if file_version not in {0, 1, _FILE_VERSION}:
            raise DatabaseError(f"it has schema version {file_version}, this evaluator knows {_FILE_VERSION}")
    else:
        connection.execute(select(func.pg_advisory_xact_lock(_MIGRATING)))
    version = None
    if inspect(connection).has_table("alembic_version"):
        version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if version is not None and version > VERSION:
        raise DatabaseError(
            f"a newer version of Hooke wrote it: its schema is {version}, this evaluator knows {VERSION}"
        )
    if version != VERSION:
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, VERSION)
    if on_sqlite and file_version == 0:
        connection.exec_driver_sql(f"PRAGMA user_version = {_FILE_VERSION}")
    return file_version == 1
