"""What is written to the run store for each sample, many samples at a time."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from evaluator.journal import Located, shallow
from evaluator.records import Prediction, SampleRow, SampleScore
from evaluator.schema import PREDICTIONS, SAMPLES, SCORES

Insert = sqlite.Insert | postgresql.Insert

KEY = tuple(column.name for column in SCORES.primary_key)
"""What a prediction and its score share."""
_SCORE_VALUES = ("outcome", "code_tag", "score")
_JSON = json.JSONEncoder(default=dict)


class Kind(enum.IntEnum):
    """What a change does, in the order in which changes of the same prediction may be brought."""

    PREDICTION = 0
    """Put it in place of an earlier one, and drop the score of that."""
    SCORE = 1
    """Put it in place of an earlier one; nothing where there is no prediction."""
    SAMPLE = 2


class Change(NamedTuple):
    """A row for the statements of a kind; `key` says what it is of, None: of nothing that others change."""

    kind: Kind
    row: Mapping[str, Any]
    key: tuple[int, str, str, int] | None = None


class Bundle:
    """Changes of many writes, brought to the database kind by kind instead of write by write.

    Many rows for one statement take a third of the time of as many statements, and one trip to a server.

    Args:
        connection: in a transaction.
        texts: what `statements` gives.
    """

    def __init__(self, connection: Connection, texts: Mapping[Kind, Sequence[str]]) -> None:
        self._connection = connection
        self._texts = texts
        self._clear()

    def add(self, change: Change) -> None:
        """Add a change; it comes after those of its key that were added before."""
        if change.key is not None:
            if self._latest.get(change.key, change.kind) > change.kind:
                self.flush()
            self._latest[change.key] = change.kind
        self._rows[change.kind].append(change.row)

    def flush(self) -> None:
        """Bring what was added."""
        for kind, rows in self._rows.items():
            for text in self._texts[kind] if rows else ():
                self._connection.exec_driver_sql(text, rows)
        self._clear()

    def _clear(self) -> None:
        self._rows: dict[Kind, list[Mapping[str, Any]]] = {kind: [] for kind in Kind}
        self._latest: dict[tuple[int, str, str, int], Kind] = {}


def statements(dialect: Dialect) -> dict[Kind, Sequence[str]]:
    """What carries changes out; each comes to the same however often it is run.

    The texts are those of the driver, whose parameters are the names in a row: for a row of each sample it
    matters that nobody translates them again.
    """
    others = [column.name for column in PREDICTIONS.columns if column.name not in KEY]
    values = [bindparam(f"new_{name}", type_=Text) for name in _SCORE_VALUES]
    found = select(*(PREDICTIONS.c[name] for name in (*KEY, "offset")), *values).where(_is_of(PREDICTIONS))
    scores = insert(dialect.name, SCORES).from_select([*KEY, "offset", *_SCORE_VALUES], found)
    texts = {
        Kind.PREDICTION: (
            replacing(insert(dialect.name, PREDICTIONS), KEY, others),
            delete(SCORES).where(_is_of(SCORES)),
        ),
        Kind.SCORE: (replacing(scores, KEY, ("offset", *_SCORE_VALUES)),),
        Kind.SAMPLE: (insert(dialect.name, SAMPLES).on_conflict_do_nothing(),),
    }
    return {kind: [str(one.compile(dialect=dialect)) for one in some] for kind, some in texts.items()}


def recovering(dialect: Dialect) -> Sequence[str]:
    """What puts a line of a journal into the index, unless it has a later one of the same prediction."""
    others = [column.name for column in PREDICTIONS.columns if column.name not in KEY]
    new = insert(dialect.name, PREDICTIONS)
    put = new.on_conflict_do_update(
        index_elements=KEY,
        set_={name: new.excluded[name] for name in others},
        where=new.excluded.offset > PREDICTIONS.c.offset,
    )
    drop = delete(SCORES).where(_is_of(SCORES), SCORES.c.offset < bindparam("offset"))
    return [str(one.compile(dialect=dialect)) for one in (put, drop)]


def _is_of(table: Table) -> ColumnElement[bool]:
    return and_(*(table.c[name] == bindparam(name) for name in KEY))


def insert(dialect: str, table: Table) -> Insert:
    """Insert into a table; the two kinds of database say what to do about rows that are there in one way."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def replacing(insert: Insert, key: Sequence[str], values: Sequence[str]) -> Insert:
    """Where a row with the same key is there already, give it these values of the new one."""
    new = {name: insert.excluded[name] for name in values}
    return insert.on_conflict_do_update(index_elements=key, set_=new)


def prediction_row(task: int, located: Located) -> dict[str, Any]:
    """What the database has of a line of a journal."""
    prediction = located.prediction
    return {
        "task": task,
        "sample_id": prediction.sample_id,
        "model": prediction.model,
        "repeat": prediction.repeat,
        "outcome": str(prediction.outcome),
        "error_reason": prediction.error_reason,
        "latency_s": prediction.latency_s,
        "input_token_count": prediction.input_token_count,
        "output_token_count": prediction.output_token_count,
        "cost_micro_usd": prediction.cost_micro_usd,
        "price_missing": prediction.price_missing,
        "model_version": prediction.provenance.get("model_version"),
        "weights_digest": prediction.provenance.get("weights_digest"),
        "offset": located.offset,
        "length": located.length,
    }


def predicted(task: int, located: Located) -> Change:
    """What a prediction changes: there is no score of it yet."""
    return Change(Kind.PREDICTION, prediction_row(task, located), _key(task, located.prediction))


def scored(task: int, score: SampleScore, code_tag: str) -> Change:
    """What a score changes; `code_tag` says which code computed it."""
    row = {
        "task": task,
        "sample_id": score.sample_id,
        "model": score.model,
        "repeat": score.repeat,
        "new_outcome": str(score.outcome),
        "new_code_tag": code_tag,
        "new_score": _JSON.encode(shallow(score)),
    }
    return Change(Kind.SCORE, row, _key(task, score))


def sampled(task: int, row: SampleRow, truth_digest: str) -> Change:
    """What a new sample changes: what the report needs of it, and the hash of its truth."""
    values = {
        "task": task,
        "position": row.index,
        "sample_id": row.sample_id,
        "truth_digest": truth_digest,
        "source": row.source,
        "slices": json.dumps(dict(row.slices)),
        "cluster": row.cluster,
    }
    return Change(Kind.SAMPLE, values)


def _key(task: int, of: Prediction | SampleScore) -> tuple[int, str, str, int]:
    return (task, of.sample_id, of.model, of.repeat)
