"""Reading from the database of the run store, on any thread."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, Table, and_

from evaluator.rows import AnyRow

AnySelect = Select[*tuple[Any, ...]]

_ROWS_AT_ONCE = 1000
"""Fetched together by what reads row by row."""


class Queries:
    """Runs queries, each on a connection of its own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def all(self, query: AnySelect, **values: Any) -> list[AnyRow]:
        """Every row."""
        with self.engine.connect() as connection:
            return list(connection.execute(query, values))

    def stream(self, query: AnySelect) -> Generator[AnyRow]:
        """Row by row; the connection is held until there are no more, or the iterator is closed."""
        with (
            self.engine.connect() as connection,
            connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(query) as rows,
        ):
            yield from rows


def same(left: Table, right: Table, *names: str) -> ColumnElement[bool]:
    """Rows of two tables that belong together."""
    return and_(*(left.c[name] == right.c[name] for name in names))
