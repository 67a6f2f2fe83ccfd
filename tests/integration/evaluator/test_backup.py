"""Backup and restore, by the commands of the page for operators."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hooke.types import EvaluationState
from tests.e2e.conftest import blocks
from tests.integration.evaluator.lab import Model, address_of, evaluating, model_service, suite
from tests.integration.evaluator.test_crash import reaches
from tests.postgres import Postgres

pytestmark = pytest.mark.slow

IMAGES = 10
COMMANDS = {(block.kind, block.name): block.code for block in blocks("operating.md")}
KUBECTL = """
k() {
    [ "$1" = exec ] || return 0
    while [ "$1" != -- ]; do shift; done
    shift
    set -- "${@/#\\/tmp/$PWD}"
    mkdir -p "$RUNS"
    "${@/#\\/runs/$RUNS}"
}
"""
"""In place of kubectl: runs in the shell what it would in a pod, with the pod's folders here."""


def run(kind: str, database: str, cwd: Path, runs: Path, url: str | None) -> None:
    """Run the commands of a part of the page."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", KUBECTL + COMMANDS[kind, database]],
        cwd=cwd,
        env={
            **os.environ,
            "RUNS": str(runs),
            "DATABASE_URL": url or "",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# What is saved while an evaluation goes on is taken up elsewhere: it ends there with the same figures, and
# what was answered is not asked again.
@pytest.mark.parametrize("database", ["sqlite", "postgresql", "kubernetes"])
async def test_backup_and_restore(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    program = {"sqlite": "sqlite3", "postgresql": "pg_dump", "kubernetes": "tar"}[database]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    urls: list[str | None] = [None, None]
    if database == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        urls = [postgres.url(postgres.new_database()) for _ in range(2)]
    model = Model()
    model.hold_after = 5
    async with model_service(model) as service:
        gateway = address_of(service)
        async with evaluating(gateway, tmp_path / "old", database_url=urls[0]) as lab:
            created = await lab.create(suite(IMAGES))
            await model.until_it_holds()
            await reaches(lab.client, created, model.hold_after)
            run("backup", database, tmp_path, tmp_path / "old", urls[0])
            model.released.set()
            expected = await lab.figures(await lab.end_of(created))
        journal = tmp_path / "backup" / "runs" / created.evaluation_id / "predictions.jsonl"
        saved = journal.read_bytes().count(b"\n")
        assert model.hold_after <= saved < 2 * IMAGES
        asked = model.asked.total()
        run("restore", database, tmp_path, tmp_path / "new", urls[1])
        async with evaluating(gateway, tmp_path / "new", database_url=urls[1]) as lab:
            evaluation = await lab.end_of(created)
            assert evaluation.state is EvaluationState.SUCCEEDED
            assert [task.scored_count for task in evaluation.task_progress] == [IMAGES, IMAGES]
            assert await lab.figures(evaluation) == expected
    assert model.asked.total() - asked == 2 * IMAGES - saved
