"""A real evaluator process that is stopped in the middle, in every way, and started again."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hooke import AsyncClient
from hooke.errors import HookeError
from hooke.types import Evaluation, EvaluationState
from tests.integration.evaluator.lab import CALL_S, Model, address_of, evaluating, model_service, suite

ROOT = Path(__file__).parents[3]
IMAGES = 25
MAX_IN_FLIGHT = 4
KILLS = 20
pytestmark = pytest.mark.slow


class Process:
    """An evaluator process and a client of it."""

    def __init__(self, process: asyncio.subprocess.Process, client: AsyncClient) -> None:
        self.process = process
        self.client = client

    async def end_with(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return await self.process.wait()


def environment_of(gateway: str, runs_dir: Path) -> dict[str, str]:
    """Settings of an evaluator process on a free port."""
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("HOOKE_")},
        "HOOKE_PORT": "0",
        "HOOKE_GRACE_S": "20",
        "HOOKE_EVALUATOR_GATEWAY": gateway,
        "HOOKE_EVALUATOR_RUNS_DIR": str(runs_dir),
        "HOOKE_EVALUATOR_MAX_IN_FLIGHT": str(MAX_IN_FLIGHT),
        "OMP_NUM_THREADS": "1",
    }


async def port_of(stderr: asyncio.StreamReader) -> int:
    """Wait until a process says which port it listens on."""
    line = b""
    while b'"listening"' not in line:
        line = await asyncio.wait_for(stderr.readline(), CALL_S)
        assert line, "the evaluator ended before it listened"
    port = re.search(rb'"port": (\d+)', line)
    assert port is not None
    return int(port[1])


@asynccontextmanager
async def evaluator(gateway: str, runs_dir: Path, **more: str) -> AsyncIterator[Process]:
    """Start `python -m evaluator` on a free port, with more variables; killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "evaluator"),
        cwd=ROOT,
        env={**environment_of(gateway, runs_dir), **more},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    drain = None
    try:
        port = await port_of(process.stderr)
        drain = asyncio.create_task(process.stderr.read())  # a full pipe would hold the process up
        async with AsyncClient(f"127.0.0.1:{port}", timeout_s=CALL_S) as client:
            yield Process(process, client)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        if drain is not None:
            await drain


FORKING = """
import os, sys
from evaluator.__main__ import EvaluatorSettings, main, serve

for _ in sys.stdin:
    child = os.fork()
    if child == 0:
        main(EvaluatorSettings, serve)
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""
"""Starts an evaluator for each line that it reads. Importing takes seconds, and is done once for all."""


class Forks:
    """Starts evaluator processes quickly, one after the other."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._stdin, self._stdout, self._stderr = process.stdin, process.stdout, process.stderr

    async def start(self) -> tuple[int, int]:
        """Start one; its id and its port."""
        self._stdin.write(b"\n")
        child = int(await asyncio.wait_for(self._stdout.readline(), CALL_S))
        return child, await port_of(self._stderr)

    async def kill(self, child: int) -> None:
        """End it as a power cut would."""
        os.kill(child, signal.SIGKILL)
        assert await asyncio.wait_for(self._stdout.readline(), CALL_S) == b"ended\n"


@asynccontextmanager
async def forks(gateway: str, runs_dir: Path) -> AsyncIterator[Forks]:
    """Start what starts evaluators."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", FORKING),
        cwd=ROOT,
        env=environment_of(gateway, runs_dir),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Forks(process)
    finally:
        process.kill()
        await process.wait()


async def reaches(client: AsyncClient, evaluation: Evaluation, done: int) -> None:
    """Wait until so many samples have an outcome."""
    async for seen in client.watch_evaluation(evaluation.evaluation_id):
        if sum(progress.done_count for progress in seen.task_progress) >= done:
            return
    raise AssertionError("it ended before that")


async def not_serving(client: AsyncClient) -> None:
    """Wait until the evaluator has begun to shut down."""
    try:
        while await client.serving():  # noqa: ASYNC110  (another process)
            await asyncio.sleep(0.01)
    except HookeError:
        pass  # it has gone already


# Killed at any moment, run again: the same figures as without, and no sample is computed again but those
# that were in flight at the kill.
@pytest.mark.parametrize("done", [1, 20])
async def test_kill(tmp_path: Path, done: int) -> None:
    model = Model()
    model.hold_after = done + 3
    async with model_service(model) as service:
        gateway = address_of(service)
        async with evaluator(gateway, tmp_path / "killed") as process:
            created = await process.client.create_evaluation(suite_yaml=suite(IMAGES), request_id="run")
            await reaches(process.client, created, done)
            await process.end_with(signal.SIGKILL)
        model.released.set()
        journal = tmp_path / "killed" / created.evaluation_id / "predictions.jsonl"
        lines = journal.read_bytes().splitlines(keepends=True)
        finished = [line for line in lines if line.endswith(b"\n")]  # the last one may be torn
        assert done <= len(finished) < 2 * IMAGES
        async with evaluating(gateway, tmp_path / "killed") as lab:
            # Nobody asks for it: what was unfinished is taken up by itself.
            evaluation = await lab.end_of(created)
            assert evaluation.state is EvaluationState.SUCCEEDED
            assert evaluation.create_time == created.create_time
            assert [p.scored_count for p in evaluation.task_progress] == [IMAGES, IMAGES]
            again = [sha256 for sha256, count in model.asked.items() if count > 1]
            assert set(model.asked.values()) <= {1, 2}
            assert len(again) <= MAX_IN_FLIGHT
            predicted = journal.read_bytes().splitlines(keepends=True)
            assert predicted[: len(finished)] == finished
            assert len(predicted) == 2 * IMAGES  # one line a sample: nothing finished was asked again
            assert len(model.asked) == 2 * IMAGES
            resumed = await lab.figures(evaluation)
        async with evaluating(gateway, tmp_path / "whole") as lab:
            whole = await lab.run(suite(IMAGES))
            assert await lab.figures(whole) == resumed


# Killed at twenty random moments of one run: nothing that was finished is sent again, whatever it was doing,
# and the figures are those of a run that nobody disturbed.
async def test_twenty_kills(tmp_path: Path) -> None:
    moments = random.Random(20)
    model = Model(compute_s=0.05)
    async with model_service(model) as service:
        gateway, folder = address_of(service), tmp_path / "killed"
        journal, finished = b"", set[str]()
        created: Evaluation | None = None
        async with forks(gateway, folder) as starting:
            for _ in range(KILLS):
                sent = model.asked.copy()
                child, port = await starting.start()
                if created is None:
                    async with AsyncClient(f"127.0.0.1:{port}", timeout_s=CALL_S) as client:
                        created = await client.create_evaluation(suite_yaml=suite(IMAGES), request_id="run")
                if moments.random() < 0.75 and len(finished) < 2 * IMAGES:  # else: while it starts
                    async with asyncio.timeout(CALL_S):
                        while model.asked == sent:  # noqa: ASYNC110  (another process)
                            await asyncio.sleep(0.005)
                await asyncio.sleep(moments.uniform(0.0, 0.25))
                await starting.kill(child)
                path = folder / created.evaluation_id / "predictions.jsonl"
                text = path.read_bytes() if path.is_file() else b""
                kept = text[: text.rfind(b"\n") + 1]  # the last line may be torn
                assert kept.startswith(journal)
                journal = kept
                again = model.asked - sent
                assert not finished & set(again), "a finished sample was sent again"
                finished |= {json.loads(line)["provenance"]["image_sha256"] for line in journal.splitlines()}
        assert created is not None
        assert finished
        model.compute_s = 0
        async with evaluating(gateway, folder) as lab:
            evaluation = await lab.end_of(created)
            assert evaluation.state is EvaluationState.SUCCEEDED
            assert path.read_bytes().startswith(journal)
            assert path.read_bytes().count(b"\n") == 2 * IMAGES
            assert model.asked.total() <= 2 * IMAGES + KILLS * MAX_IN_FLIGHT
            resumed = await lab.figures(evaluation)
        async with evaluating(gateway, tmp_path / "whole") as lab:
            assert await lab.figures(await lab.run(suite(IMAGES))) == resumed


# SIGTERM finishes what is in flight, so that nothing at all is computed twice; the process ends by itself
# though somebody watches, and who watches is told to come back.
async def test_terminate(tmp_path: Path) -> None:
    model = Model()
    model.hold_after = 10
    async with model_service(model) as service:
        gateway = address_of(service)
        async with evaluator(gateway, tmp_path) as process:
            created = await process.client.create_evaluation(suite_yaml=suite(IMAGES), request_id="run")
            watching = process.client.watch_evaluation(created.evaluation_id)
            await anext(watching)
            await model.until_it_holds()
            ending = asyncio.create_task(process.end_with(signal.SIGTERM))
            await not_serving(process.client)
            model.released.set()
            assert await ending == 0
            await watching.aclose()
        assert 10 < model.asked.total() < 2 * IMAGES
        async with evaluating(gateway, tmp_path) as lab:
            evaluation = await lab.end_of(created)
            assert evaluation.state is EvaluationState.SUCCEEDED
            assert len(model.asked) == 2 * IMAGES
            assert set(model.asked.values()) == {1}


# What was being cancelled when the process died is cancelled when it is back, not resumed.
async def test_kill_while_cancelling(tmp_path: Path) -> None:
    model = Model()
    model.hold_after = 0
    async with model_service(model) as service:
        gateway = address_of(service)
        async with evaluator(gateway, tmp_path) as process:
            created = await process.client.create_evaluation(suite_yaml=suite(IMAGES), request_id="run")
            await model.until_it_holds()
            cancelling = await process.client.cancel_evaluation(created.evaluation_id)
            assert cancelling.state is EvaluationState.CANCELLING
            await process.end_with(signal.SIGKILL)
        model.released.set()
        async with evaluating(gateway, tmp_path) as lab:
            assert (await lab.end_of(created)).state is EvaluationState.CANCELLED


# A folder of runs that cannot be used ends the process at once, with the name of the variable.
async def test_unusable_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environment = {"HOOKE_PORT": "0", "HOOKE_EVALUATOR_RUNS_DIR": str(tmp_path / "file" / "runs")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "evaluator", cwd=ROOT, env=environment, stderr=asyncio.subprocess.PIPE
    )
    _out, told = await asyncio.wait_for(process.communicate(), CALL_S)
    assert process.returncode not in (0, None)
    assert "HOOKE_EVALUATOR_RUNS_DIR" in told.decode()
    assert "Traceback" not in told.decode()
