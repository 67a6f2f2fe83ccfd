"""Evaluates with both engines on one machine, for `test_ray`; writes what it found to a file."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray

from evaluator.batch import carry_out
from evaluator.on_ray import RayRunner
from evaluator.report import read_json
from evaluator.runner import Runner
from evaluator.runs import RunSpec
from evaluator.settings import EvaluatorSettings
from evaluator.supervisor import evaluation_id_of
from hooke.errors import DrainingError
from hooke.types import Evaluation
from tests.integration.evaluator.lab import Model, OtherModel, address_of, gateway_of, model_service, suite

IMAGES = 40
SAMPLES = 2 * 2 * IMAGES
"""Two tasks, two models."""


class Lab:
    """Both engines before the same gateway, each run in a folder of its own."""

    def __init__(self, folder: Path, gateway: str) -> None:
        self._folder = folder
        self._gateway = gateway

    async def run(self, name: str, make: Any) -> Evaluation:
        values = {
            "evaluator_gateway": self._gateway,
            "evaluator_runs_dir": self._folder / name,
            "grace_s": 20,
        }
        spec = RunSpec("run", suite_yaml=suite(IMAGES), reuse_answers=False)
        return await carry_out(EvaluatorSettings.model_validate(values), spec, make=make)

    async def command(self) -> int:
        """Run the command in a process of its own, which joins the cluster; how it exits."""
        self._folder.joinpath("suite.yaml").write_text(suite(4))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "evaluator", "run", str(self._folder / "suite.yaml")),
            *("--out", str(self._folder / "out"), "--engine", "ray"),
            *("--ray-address", ray.get_runtime_context().gcs_address),
            env={
                **os.environ,
                "HOOKE_EVALUATOR_GATEWAY": self._gateway,
                "HOOKE_EVALUATOR_RUNS_DIR": str(self._folder / "command"),
            },
        )
        return await process.wait()

    def lines(self, name: str) -> list[str]:
        file = self._folder / name / evaluation_id_of("run") / "predictions.jsonl"
        return file.read_text().splitlines() if file.exists() else []

    def figures(self, name: str) -> Any:
        """Every figure that does not depend on time."""
        folder = self._folder / name / evaluation_id_of("run")
        return [
            replace(
                task, models=tuple(replace(m, latency_p50_s=None, latency_p99_s=None) for m in task.models)
            )
            for task in read_json((folder / "report" / "report.json").read_text()).tasks
        ]


def workers() -> list[int]:
    """Processes that have a shard now."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if title.startswith(b"ray::work"):
            found.append(int(folder.name))
    return found


async def until_lines(lab: Lab, name: str, count: int) -> None:
    while len(lab.lines(name)) < count:  # noqa: ASYNC110  (another thread writes the file)
        await asyncio.sleep(0.01)


async def main(folder: Path) -> None:
    model, other = Model(), OtherModel()
    found: dict[str, Any] = {"samples": SAMPLES}
    async with (
        model_service(model) as one,
        model_service(other) as two,
        gateway_of({"model": address_of(one), "other": address_of(two)}) as gateway,
    ):
        lab = Lab(folder, gateway)
        plain = await lab.run("plain", Runner)
        asked = dict(model.asked)
        model.asked.clear()
        on_ray = await lab.run("ray", RayRunner)
        found["states"] = [plain.state, on_ray.state]
        found["same_figures"] = lab.figures("ray") == lab.figures("plain")
        found["same_questions"] = dict(model.asked) == asked

        found["command"] = await lab.command()

        model.compute_s = other.compute_s = 0.05
        running = asyncio.create_task(lab.run("killed", RayRunner))
        await until_lines(lab, "killed", 5)
        victims = workers()[:1]
        for number in victims:
            os.kill(number, signal.SIGKILL)
        found["killed"] = bool(victims)
        found["killed_state"] = (await running).state
        found["killed_lines"] = len(lab.lines("killed"))
        found["killed_same_figures"] = lab.figures("killed") == lab.figures("plain")

        running = asyncio.create_task(lab.run("resumed", RayRunner))
        await until_lines(lab, "resumed", 5)
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await running
        except DrainingError:
            found["interrupted_after"] = len(lab.lines("resumed"))
        found["resumed_state"] = (await lab.run("resumed", functools.partial(RayRunner, tls=None))).state
        found["resumed_lines"] = len(lab.lines("resumed"))
        found["resumed_same_figures"] = lab.figures("resumed") == lab.figures("plain")
    (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
        object_store_memory=100 * 1024**2,
    )
    asyncio.run(main(Path(sys.argv[1])))
    ray.shutdown()
