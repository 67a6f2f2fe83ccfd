"""Fixtures of the tests of the evaluator's parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from evaluator.store import RunStore
from tests.postgres import Postgres


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest) -> SecretStr | None:
    """Where the database is: every test runs with SQLite, and with PostgreSQL where that is installed."""
    if request.param == "sqlite":
        return None
    return request.getfixturevalue("postgres_url")


@pytest.fixture
def postgres_url(postgres: Postgres) -> SecretStr:
    """A new PostgreSQL database."""
    return SecretStr(postgres.url(postgres.new_database()))


@pytest.fixture
def store(tmp_path: Path, url: SecretStr | None) -> Iterator[RunStore]:
    """A run store in `tmp_path`."""
    store = RunStore(tmp_path, url)
    yield store
    store.close()
