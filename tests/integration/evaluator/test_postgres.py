"""Whole evaluations whose runs are kept in PostgreSQL, and evaluators that share it."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from hooke.errors import InvalidRequestError
from hooke.types import EvaluationState
from tests.integration.evaluator.lab import CALL_S, Model, address_of, evaluating, model_service, suite
from tests.integration.evaluator.test_crash import (
    IMAGES,
    MAX_IN_FLIGHT,
    ROOT,
    environment_of,
    evaluator,
    reaches,
)
from tests.postgres import Postgres

NUCLEI = suite().split("tasks:\n")[1].split("  - name: cells")[0]
GROWN = suite() + NUCLEI.replace("nuclei", "more").replace("seed: 1", "seed: 3")
"""With one more task."""
pytestmark = pytest.mark.slow


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.url(postgres.new_database())


# An evaluation with PostgreSQL comes to the same figures as one with SQLite, and is there after a restart.
async def test_same_figures(tmp_path: Path, url: str) -> None:
    async with model_service(Model()) as service:
        gateway = address_of(service)
        async with evaluating(gateway, tmp_path / "sqlite") as lab:
            expected = await lab.figures(await lab.run())
        async with evaluating(gateway, tmp_path / "postgresql", database_url=url) as lab:
            evaluation = await lab.run()
            assert evaluation.state is EvaluationState.SUCCEEDED
            assert await lab.figures(evaluation) == expected
            results = await lab.results(evaluation)
        assert not list((tmp_path / "postgresql").glob("runs.sqlite*"))
        async with evaluating(gateway, tmp_path / "postgresql", database_url=url) as lab:
            assert (await lab.end_of(evaluation)).task_progress == evaluation.task_progress
            assert await lab.results(evaluation) == results


# Killed in the middle and started again, nothing that was finished is computed again.
@pytest.mark.parametrize("done", [1, 20])
async def test_kill(tmp_path: Path, url: str, done: int) -> None:
    model = Model()
    model.hold_after = done + 3
    async with model_service(model) as service:
        gateway = address_of(service)
        async with evaluator(gateway, tmp_path, HOOKE_DATABASE_URL=url) as process:
            created = await process.client.create_evaluation(suite_yaml=suite(IMAGES), request_id="run")
            await reaches(process.client, created, done)
            await process.end_with(signal.SIGKILL)
        model.released.set()
        journal = tmp_path / created.evaluation_id / "predictions.jsonl"
        finished = [line for line in journal.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
        async with evaluating(gateway, tmp_path, database_url=url) as lab:
            evaluation = await lab.end_of(created)
            assert evaluation.state is EvaluationState.SUCCEEDED
            assert [p.scored_count for p in evaluation.task_progress] == [IMAGES, IMAGES]
            predicted = journal.read_bytes().splitlines(keepends=True)
            assert predicted[: len(finished)] == finished
            assert len(predicted) == 2 * IMAGES
            assert sum(count - 1 for count in model.asked.values()) <= MAX_IN_FLIGHT


# Of two evaluators that share database and folder, one carries a run out; the other one shows it, watches it
# to its end, and does not stop it.
async def test_two_evaluators(tmp_path: Path, url: str) -> None:
    model = Model()
    model.hold_after = 3
    async with model_service(model) as service:
        gateway = address_of(service)
        async with (
            evaluating(gateway, tmp_path, database_url=url) as first,
            evaluating(gateway, tmp_path, database_url=url) as second,
        ):
            created = await first.create()
            await model.until_it_holds()
            again = await second.create()
            assert (again.evaluation_id, again.state) == (created.evaluation_id, EvaluationState.RUNNING)
            with pytest.raises(InvalidRequestError, match="another evaluator"):
                await second.client.cancel_evaluation(created.evaluation_id)
            with pytest.raises(InvalidRequestError, match="another evaluator"):
                await second.create(GROWN)
            watching = asyncio.create_task(second.end_of(created))
            model.released.set()
            assert (await watching).state is EvaluationState.SUCCEEDED
            assert set(model.asked.values()) == {1}
            assert await second.results(created) == await first.results(created)
            assert await second.figures(created) == await first.figures(created)
            assert (await second.run(GROWN)).state is EvaluationState.SUCCEEDED


# What an evaluator leaves unfinished is taken up by another one that shares database and folder.
async def test_taken_over(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluator.supervisor._LOOK_INTERVAL_S", 0.2)
    model = Model()
    model.hold_after = 5
    async with model_service(model) as service:
        gateway = address_of(service)
        async with evaluating(gateway, tmp_path, database_url=url) as other:
            async with evaluator(gateway, tmp_path, HOOKE_DATABASE_URL=url) as process:
                created = await process.client.create_evaluation(suite_yaml=suite(IMAGES), request_id="run")
                await reaches(process.client, created, 5)
                watching = asyncio.create_task(other.end_of(created))
                await process.end_with(signal.SIGKILL)
            model.released.set()
            evaluation = await watching
            assert evaluation.state is EvaluationState.SUCCEEDED
            assert sum(count - 1 for count in model.asked.values()) <= MAX_IN_FLIGHT


# A database that cannot be used ends the process at once, naming the variable and not its value.
async def test_unusable_database(tmp_path: Path, postgres: Postgres) -> None:
    url = postgres.url("postgres", password="wrong-secret")
    environment = {**environment_of("localhost:1", tmp_path), "HOOKE_DATABASE_URL": url}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "evaluator", cwd=ROOT, env=environment, stderr=asyncio.subprocess.PIPE
    )
    _out, told = await asyncio.wait_for(process.communicate(), CALL_S)
    assert process.returncode not in (0, None)
    assert "HOOKE_DATABASE_URL: " in told.decode()
    assert "authentication failed" in told.decode()
    assert "wrong-secret" not in told.decode()
    assert "Traceback" not in told.decode()
