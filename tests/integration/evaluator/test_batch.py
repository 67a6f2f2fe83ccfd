"""`python -m evaluator run`, and what a worker of a cluster does, without a cluster."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import os
import pickle
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evaluator import provenance
from evaluator.__main__ import command_line
from evaluator.answering import Identity, ModelChangedError
from evaluator.batch import carry_out
from evaluator.catalogue import DatasetChangedError
from evaluator.pacing import Pace
from evaluator.records import Prediction
from evaluator.report import read_json
from evaluator.runner import Limits
from evaluator.runs import KnownSample, RunSpec, TaskRecord
from evaluator.settings import EvaluatorSettings
from evaluator.shards import Shard, Site, Source, look, work
from hooke.errors import InternalError, InvalidRequestError
from hooke.types import EvaluationState, SampleOutcome
from tests.integration.evaluator.lab import Model, address_of, model_service, raising, suite

LIMITS = Limits(Pace(), call_timeout_s=30, samples_in_memory=4)
SOURCE = Source("", suite(6), "", None, 0)
TASK = TaskRecord("eval-1", 1, "nuclei", "digest", 0, ("model",), 6)


def site(address: str) -> Site:
    return Site(address, None, None, LIMITS, provenance.code(), "tag")


def seen(where: Site) -> list[KnownSample]:
    reads = look(where, SOURCE, range(6))
    return [KnownSample(i, read.sample.sample_id, read.truth_digest) for i, read in enumerate(reads)]


def shard_of(
    model: str, samples: list[KnownSample], failed: dict[str, Prediction], until: float = math.inf
) -> Shard:
    return Shard(SOURCE, TASK, model, 0, samples, failed, most_in_flight=2, until=until)


def settings(gateway: str, runs_dir: Path) -> EvaluatorSettings:
    return EvaluatorSettings.model_validate({"evaluator_gateway": gateway, "evaluator_runs_dir": runs_dir})


# One command carries an evaluation out and copies everything; the same again asks nothing more.
async def test_batch(tmp_path: Path) -> None:
    model = Model()
    async with model_service(model) as service:
        spec = RunSpec("batch", suite_yaml=suite(4))
        values = settings(address_of(service), tmp_path / "runs")
        out = tmp_path / "out" / "here"
        first = await carry_out(values, spec, f"file://{out}")
        asked = model.asked.total()
        again = await carry_out(values, spec)
    assert first.state is again.state is EvaluationState.SUCCEEDED
    assert asked == model.asked.total() == 8
    report = read_json((out / "report" / "report.json").read_text())
    assert [task.sample_count for task in report.tasks] == [4, 4]
    assert len((out / "predictions.jsonl").read_text().splitlines()) == 8
    assert len(list((out / "masks").rglob("*.tif"))) == 4


# An order that is wrong is refused before anything is written.
async def test_wrong_order(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="suite"):
        await carry_out(settings("127.0.0.1:1", tmp_path / "runs"), RunSpec("batch", suite_name="none"))
    assert not (tmp_path / "runs").exists()


# The help says what a cluster must have, and its examples keep their lines.
def test_help() -> None:
    shown = CliRunner().invoke(command_line(), ["run", "--help"])
    assert shown.exit_code == 0
    assert shown.exit_code == 0
    for told in (
        "--engine",
        "--ray-address",
        "KubeRay",
        "HOOKE_EVALUATOR_RUNS_DIR",
        "Exits with 0",
        "\n    python -m evaluator run demo\n",
    ):
        assert told in shown.output


# A worker finishes the samples of a shard with answers and scores; images stay where they are read.
async def test_worker(tmp_path: Path) -> None:
    model = Model()
    async with model_service(model) as service:
        where = site(address_of(service))
        samples = await asyncio.to_thread(seen, where)
        shard = shard_of("model", samples[2:5], {})
        finished = await asyncio.to_thread(lambda: list(work(where, shard)))
        assert {one.prediction.sample_id for one in finished} == {one.sample_id for one in samples[2:5]}
        assert all(one.mask and one.score.metrics for one in finished)
        assert model.asked.total() == 3


# Once the time is up, a worker asks nothing, and what it leaves out is nobody's fault.
async def test_worker_without_time() -> None:
    model = Model()
    async with model_service(model) as service:
        where = site(address_of(service))
        shard = shard_of("model", await asyncio.to_thread(seen, where), {}, until=0.0)
        assert await asyncio.to_thread(lambda: list(work(where, shard))) == []
    assert model.asked.total() == 0


# The command keeps to limits, and says which one it met.
async def test_limits_of_the_command(tmp_path: Path) -> None:
    model = Model()
    model.trouble = raising(InvalidRequestError("never"))
    (tmp_path / "suite.yaml").write_text(suite(8))
    async with model_service(model) as service:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "evaluator", "run", str(tmp_path / "suite.yaml")),
            *("--in-flight", "model=1", "--max-failed", "2"),
            env={
                **os.environ,
                "HOOKE_EVALUATOR_GATEWAY": address_of(service),
                "HOOKE_EVALUATOR_RUNS_DIR": str(tmp_path / "runs"),
            },
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
    assert process.returncode == 1
    assert b"model: 3 of its samples failed, 2 may." in out
    assert model.asked.total() == 3


# What workers cannot keep to is refused by name, before a cluster is looked for.
def test_what_ray_cannot_keep_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("HOOKE_EVALUATOR_RUNS_DIR", str(tmp_path / "runs"))
    options = ["--engine", "ray", "--max-cost-usd", "2", "--per-minute", "model=9", "--max-failed", "1"]
    done = CliRunner().invoke(command_line(), ["run", "demo", *options])
    assert done.exit_code == 2
    names = "limits.max_cost_micro_usd, limits.model_limits.requests_per_minute"
    assert f"{names}: not with --engine ray" in done.output
    assert not (tmp_path / "runs").exists()


# However many cores there are, no more calls are in flight to a model than it is given.
@pytest.mark.parametrize("most", [1, 2, 3, 7, 32])
@pytest.mark.parametrize("cores", [1, 2, 3, 8, 64])
async def test_calls_in_flight_on_ray(most: int, cores: int) -> None:
    turns = pytest.importorskip("evaluator.on_ray").Turns(most, cores)
    shards = 0
    while not turns.shards.locked():
        await turns.shards.acquire()
        shards += 1
    assert shards * turns.most_in_flight <= most
    assert shards >= min(most, cores)


# What failed before is another attempt, and what fails again is finished as such.
async def test_attempts(tmp_path: Path) -> None:
    async with model_service(Model()) as service:
        where = dataclasses.replace(site(address_of(service)), gateway=address_of(service))
        [first, *_] = await asyncio.to_thread(seen, where)
        before = Prediction("nuclei", "model", first.sample_id, SampleOutcome.FAILED, attempt=2)
        shard = shard_of("model", [first], {first.sample_id: before})
        [finished] = await asyncio.to_thread(lambda: list(work(where, shard)))
        assert finished.prediction.attempt == 3
        shard = shard_of("other", [first], {})
        [finished] = await asyncio.to_thread(lambda: list(work(where, shard)))
        assert finished.prediction.outcome is finished.score.outcome is SampleOutcome.FAILED


# A worker with other data, or with other code, finishes nothing.
async def test_other_worker() -> None:
    where = site("127.0.0.1:1")
    [first, *_] = await asyncio.to_thread(seen, where)
    shard = shard_of("model", [dataclasses.replace(first, truth_digest="00" * 32)], {})
    with pytest.raises(DatasetChangedError, match="another machine"):
        await asyncio.to_thread(lambda: list(work(where, shard)))
    other = dataclasses.replace(where, code={**where.code, "python": "2.7"})
    with pytest.raises(InternalError, match="another version"):
        await asyncio.to_thread(look, other, SOURCE, [0])


# What goes to workers and comes back survives the way.
def test_pickling() -> None:
    error = ModelChangedError("model", Identity("1", None), Identity("2", None))
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
