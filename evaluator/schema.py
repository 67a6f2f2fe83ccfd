"""The tables of the run store, on SQLite and on PostgreSQL.

`evaluator/migrations` makes them, one step from version to version; a test holds the two together.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

METADATA = MetaData()

_NUMBER = BigInteger().with_variant(Integer, "sqlite")  # there only INTEGER counts up by itself
_NAME = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that rows are put in order by: by its bytes, on every database."""

RUNS = Table(
    "runs",
    METADATA,
    Column("run", _NUMBER, primary_key=True),
    Column("evaluation_id", Text, nullable=False, unique=True),
    Column("home", Text, nullable=False, server_default=""),  # the folder that the journal lies in
    Column("spec", Text, nullable=False),
    Column("suite_name", Text, nullable=False),
    Column("models", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("state_message", Text, nullable=False, server_default=""),
    Column("create_time", Text, nullable=False),
    Column("end_time", Text),
    Column("provenance", Text, nullable=False, server_default="{}"),
    sqlite_autoincrement=True,
)

TASKS = Table(
    "tasks",
    METADATA,
    Column("task", _NUMBER, primary_key=True),
    Column("run", _NUMBER, ForeignKey("runs.run"), nullable=False),
    Column("digest", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("ordinal", Integer),  # NULL: no longer in the suite
    Column("models", Text, nullable=False),
    Column("sample_count", Integer),
    UniqueConstraint("run", "digest"),
    Index("tasks_by_digest", "digest"),  # finds the same question in other runs
)

SAMPLES = Table(
    "samples",
    METADATA,
    Column("task", _NUMBER, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("sample_id", Text, nullable=False),
    Column("truth_digest", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("slices", Text, nullable=False),
    Column("cluster", Text),
    UniqueConstraint("task", "sample_id"),
    sqlite_with_rowid=False,
)

PREDICTIONS = Table(
    "predictions",
    METADATA,
    Column("task", _NUMBER, primary_key=True, autoincrement=False),
    Column("sample_id", Text, primary_key=True),
    Column("model", _NAME, primary_key=True),
    Column("repeat", Integer, primary_key=True, autoincrement=False, server_default=text("0")),
    Column("outcome", Text, nullable=False),
    Column("error_reason", Text, nullable=False, server_default=""),
    Column("latency_s", Double, nullable=False),
    Column("input_token_count", BigInteger),
    Column("output_token_count", BigInteger),
    Column("cost_micro_usd", BigInteger),
    Column("price_missing", Boolean, nullable=False, server_default=false()),
    Column("model_version", Text),  # with the digest: who answered
    Column("weights_digest", Text),
    Column("offset", BigInteger, nullable=False),  # of its line in the journal
    Column("length", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

SCORES = Table(
    "scores",
    METADATA,
    Column("task", _NUMBER, primary_key=True, autoincrement=False),
    Column("sample_id", Text, primary_key=True),
    Column("model", _NAME, primary_key=True),
    Column("repeat", Integer, primary_key=True, autoincrement=False, server_default=text("0")),
    Column("outcome", Text, nullable=False),
    Column("offset", BigInteger, nullable=False),  # of the prediction that was scored
    Column("code_tag", Text, nullable=False),  # of the code that scored it
    Column("score", Text, nullable=False),
    Index("scores_by_outcome", "task", "repeat", "model", "outcome"),
    sqlite_with_rowid=False,
)
