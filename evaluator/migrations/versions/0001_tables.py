"""The tables, with what an SQLite file from before the first step holds (its `user_version` is 1)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_OLD = ("runs", "tasks", "samples", "predictions", "scores")
_KEPT = {
    "runs": "run, evaluation_id, spec, suite_name, models, state, state_message, create_time, end_time,"
    " provenance",
    "tasks": "task, run, digest, name, ordinal, models, sample_count",
    "samples": "task, position, sample_id, truth_digest, source, slices, cluster",
    "predictions": "task, sample_id, model, outcome, latency_s, offset, length",
    "scores": "task, sample_id, model, outcome, offset, code_tag, score",
}


def upgrade() -> None:
    """Make the tables; take over what is there."""
    old = sa.inspect(op.get_bind()).has_table("runs")
    if old:
        op.drop_index("scores_by_outcome")
        for table in _OLD:
            op.rename_table(table, f"old_{table}")
    _create()
    if old:
        for table, columns in _KEPT.items():
            op.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM old_{table}")  # noqa: S608
        op.execute(
            "UPDATE predictions SET error_reason = coalesce((SELECT json_extract(score, '$.error_reason')"
            " FROM scores WHERE scores.task = predictions.task AND scores.sample_id = predictions.sample_id"
            " AND scores.model = predictions.model), '') WHERE outcome = 'failed'"
        )
        for table in reversed(_OLD):
            op.drop_table(f"old_{table}")


def _create() -> None:
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "runs",
        sa.Column("run", number, primary_key=True),
        sa.Column("evaluation_id", sa.Text, nullable=False, unique=True),
        sa.Column("home", sa.Text, nullable=False, server_default=""),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("suite_name", sa.Text, nullable=False),
        sa.Column("models", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("state_message", sa.Text, nullable=False, server_default=""),
        sa.Column("create_time", sa.Text, nullable=False),
        sa.Column("end_time", sa.Text),
        sa.Column("provenance", sa.Text, nullable=False, server_default="{}"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "tasks",
        sa.Column("task", number, primary_key=True),
        sa.Column("run", number, sa.ForeignKey("runs.run"), nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("ordinal", sa.Integer),
        sa.Column("models", sa.Text, nullable=False),
        sa.Column("sample_count", sa.Integer),
        sa.UniqueConstraint("run", "digest"),
    )
    op.create_index("tasks_by_digest", "tasks", ["digest"])
    op.create_table(
        "samples",
        sa.Column("task", number, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sample_id", sa.Text, nullable=False),
        sa.Column("truth_digest", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("slices", sa.Text, nullable=False),
        sa.Column("cluster", sa.Text),
        sa.UniqueConstraint("task", "sample_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "predictions",
        sa.Column("task", number, primary_key=True, autoincrement=False),
        sa.Column("sample_id", sa.Text, primary_key=True),
        sa.Column("model", name, primary_key=True),
        sa.Column("repeat", sa.Integer, primary_key=True, autoincrement=False, server_default=sa.text("0")),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("error_reason", sa.Text, nullable=False, server_default=""),
        sa.Column("latency_s", sa.Double, nullable=False),
        sa.Column("input_token_count", sa.BigInteger),
        sa.Column("output_token_count", sa.BigInteger),
        sa.Column("cost_micro_usd", sa.BigInteger),
        sa.Column("price_missing", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("model_version", sa.Text),
        sa.Column("weights_digest", sa.Text),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("length", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "scores",
        sa.Column("task", number, primary_key=True, autoincrement=False),
        sa.Column("sample_id", sa.Text, primary_key=True),
        sa.Column("model", name, primary_key=True),
        sa.Column("repeat", sa.Integer, primary_key=True, autoincrement=False, server_default=sa.text("0")),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("code_tag", sa.Text, nullable=False),
        sa.Column("score", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("scores_by_outcome", "scores", ["task", "repeat", "model", "outcome"])
