"""Carries steps out on the connection that `evaluator.database` hands over, within its transaction."""

from __future__ import annotations

from alembic import context

from evaluator.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
