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

import numpy as np
import ray

from evaluator.batch import carry_out
from evaluator.on_ray import RayRunner
from evaluator.report import read_json
from evaluator.runner import Runner
from evaluator.runs import RunSpec
from evaluator.settings import EvaluatorSettings
from evaluator.supervisor import evaluation_id_of
from hooke import codecs, masks
from hooke.errors import DrainingError, InvalidRequestError
from hooke.types import Evaluation
from tests.integration.evaluator.lab import (
    Model,
    OtherModel,
    address_of,
    gateway_of,
    model_service,
    raising,
    suite,
)

IMAGES = 40
FOLDER_SUITE = """
name: folder
tasks:
  - name: squares
    kind: segmentation
    dataset: {loader: image_label_pairs, image: "{name}.png", truth: "{name}_labels.tif"}
"""
SAMPLES = 2 * 2 * IMAGES
"""Two tasks, two models."""


class Lab:
    """Both engines before the same gateway, each run in a folder of its own."""

    def __init__(self, folder: Path, gateway: str) -> None:
        self._folder = folder
        self._gateway = gateway

    async def run(self, name: str, make: Any, **limits: Any) -> Evaluation:
        values = {
            "evaluator_gateway": self._gateway,
            "evaluator_runs_dir": self._folder / name,
            "grace_s": 20,
        }
        spec = RunSpec("run", suite_yaml=suite(IMAGES), reuse_answers=False, **limits)
        return await carry_out(EvaluatorSettings.model_validate(values), spec, make=make)

    async def command(self, database_url: str) -> asyncio.subprocess.Process:
        """Run the command on a folder of images, in a process of its own, which joins the cluster."""
        data, file = self._folder / "data", self._folder / "suite.yaml"
        if not data.exists():
            data.mkdir()
            file.write_text(FOLDER_SUITE)
            for number in range(IMAGES):
                draw(data / f"{number}.png", data / f"{number}_labels.tif", number)
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "evaluator", "run", str(file), "--data", ".", "--model", "model"),
            *("--out", str(self._folder / "out"), "--engine", "ray"),
            *("--ray-address", ray.get_runtime_context().gcs_address),
            env={
                **os.environ,
                "HOOKE_EVALUATOR_GATEWAY": self._gateway,
                "HOOKE_EVALUATOR_RUNS_DIR": str(self._folder / "command"),
                "HOOKE_EVALUATOR_DATA_ROOT": str(data),
                "HOOKE_DATABASE_URL": database_url,
            },
        )

    def lines(self, name: str) -> list[str]:
        files = (self._folder / name).glob("*/predictions.jsonl")
        return [
            line for file in files for line in file.read_text().splitlines(keepends=True) if line[-1] == "\n"
        ]

    def images(self, name: str) -> list[str]:
        """Of what is written, the hash of the image of each answer."""
        return [json.loads(line)["provenance"]["image_sha256"] for line in self.lines(name)]

    def figures(self, name: str) -> Any:
        """Every figure that does not depend on time."""
        folder = self._folder / name / evaluation_id_of("run")
        return [
            replace(
                task, models=tuple(replace(m, latency_p50_s=None, latency_p99_s=None) for m in task.models)
            )
            for task in read_json((folder / "report" / "report.json").read_text()).tasks
        ]


def draw(image: Path, truth: Path, seed: int) -> None:
    """One bright square on a dark ground, and its label image."""
    place = np.random.default_rng(seed).integers(0, 40, 2)
    labels = np.zeros((64, 64), np.uint16)
    labels[place[0] : place[0] + 9, place[1] : place[1] + 9] = 1
    image.write_bytes(codecs.encode(codecs.from_array((labels * 180 + seed).astype(np.uint8))))
    masks.write_label_tiff(truth, labels)


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


async def until_lines(lab: Lab, name: str, count: int, running: asyncio.Task[Any]) -> None:
    """Wait until so many answers are written, or nobody is left to write them."""
    while len(lab.lines(name)) < count and not running.done():  # noqa: ASYNC110  (others write the file)
        await asyncio.sleep(0.01)


async def main(folder: Path, database_url: str) -> None:
    model, other = Model(), OtherModel()
    found: dict[str, Any] = {"samples": SAMPLES, "images": IMAGES}
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

        model.asked.clear()
        model.trouble = raising(InvalidRequestError("never"))
        failing = await lab.run("failing", RayRunner, max_failed_count=2)
        model.trouble = lambda sha256: None
        found["failing_message"] = failing.state_message
        found["failing_asked"] = model.asked.total()

        model.compute_s = other.compute_s = 0.05
        model.asked.clear()
        command = await lab.command(database_url)
        ending = asyncio.create_task(command.wait())
        await until_lines(lab, "command", 5, ending)
        if not ending.done():
            command.kill()
        await ending
        written = lab.images("command")
        found["driver_killed_after"] = len(written)
        found["driver_again"] = await (await lab.command(database_url)).wait()
        found["driver_lines"] = len(set(lab.images("command")))
        found["driver_asked_twice"] = [image for image in written if model.asked[image] != 1]
        found["driver_asked"] = model.asked.total()
        found["driver_folder"] = sorted(path.name for path in (folder / "command").iterdir())
        found["driver_out"] = (folder / "out" / "report" / "report.json").is_file()

        running = asyncio.create_task(lab.run("killed", RayRunner))
        await until_lines(lab, "killed", 5, running)
        victims = workers()[:1]
        for number in victims:
            os.kill(number, signal.SIGKILL)
        found["killed"] = bool(victims)
        found["killed_state"] = (await running).state
        found["killed_lines"] = len(lab.lines("killed"))
        found["killed_same_figures"] = lab.figures("killed") == lab.figures("plain")

        running = asyncio.create_task(lab.run("resumed", RayRunner))
        await until_lines(lab, "resumed", 5, running)
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await running
        except DrainingError:
            found["interrupted_after"] = len(lab.lines("resumed"))
        found["resumed_state"] = (await lab.run("resumed", functools.partial(RayRunner, tls=None))).state
        found["resumed_lines"] = len(lab.lines("resumed"))
        found["resumed_same_figures"] = lab.figures("resumed") == lab.figures("plain")
    (folder / "found.json").write_text(json.dumps(found))


def start() -> None:
    """Start a cluster; a busy machine may need another attempt, since Ray waits for 30 s and no more."""
    for attempts_left in (2, 1, 0):
        try:
            ray.init(
                num_cpus=2,
                include_dashboard=False,
                log_to_driver=False,
                _node_ip_address="127.0.0.1",
                object_store_memory=100 * 1024**2,
            )
        except Exception:  # what Ray raises has no class of its own
            ray.shutdown()
            if not attempts_left:
                raise
        else:
            return


if __name__ == "__main__":
    start()
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
    ray.shutdown()
