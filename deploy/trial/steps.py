"""What is tried, step by step; each returns rows of the table."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import hooke
from deploy.compose import Topology
from deploy.images import image_bytes
from deploy.supervisor import ENTRY
from deploy.trial.containers import Podman, Stopped, TrialError, call, container, starved
from deploy.trial.load import MODEL, discs, load
from evaluator.settings import EvaluatorSettings
from hooke.types import EvaluationState, ReportFormat, SampleOutcome

EVALUATOR = "evaluator"
SMALL_BYTES = 250_000_000
"""What the image of a gateway or proxy must stay below."""
SMALL = ("gateway", "openai", "gemini")
SUITE = """\
name: trial
tasks:
  - name: nuclei
    kind: segmentation
    dataset: {loader: simulated, images: 60, seed: 5, width_px: 256, height_px: 256, diameter_px: 16,
              count_max: 30}
  - name: bodies
    kind: counting
    dataset: {loader: simulated, images: 60, seed: 6, width_px: 256, height_px: 256, diameter_px: 16,
              count_max: 30, stain: bodies}
"""
SUITE_SAMPLES = 120
TIGHT_MEMORY = "512m"
"""Room for `classical` at rest and at work, and not for the images that the trial puts."""

_CONFINED = """\
import os, pathlib
status = dict(line.split(":", 1) for line in pathlib.Path("/proc/1/status").read_text().splitlines())
root = "read-only root" if os.statvfs("/").f_flag & os.ST_RDONLY else "writable root"
print(f"user {os.getuid()}, {root}, capabilities {int(status['CapEff'], 16)}, "
      f"no new privileges {status['NoNewPrivs'].strip()}")
"""
_PUT = """\
import sys, numpy as np, hooke
with hooke.Client(sys.argv[1], timeout_s=20) as client:
    client.put_image(np.random.default_rng(int(sys.argv[2])).integers(0, 65536, (4096, 4096), np.uint16))
"""
CONFINED = "user 10001, read-only root, capabilities 0, no new privileges 1"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; `passed` is None for a figure that nothing is demanded of."""

    what: str
    found: str
    passed: bool | None


def image_sizes(topology: Topology) -> Iterator[Row]:
    """How large the images are, those of services that the trial does not start included."""
    for name, service in topology.services.items():
        size = image_bytes("podman", service.image)
        if size is not None:
            yield Row(
                f"image {service.image}",
                f"{size / 1e6:.0f} MB",
                size < SMALL_BYTES if name in SMALL else None,
            )


def start(podman: Podman, topology: Topology, names: Collection[str]) -> Iterator[Row]:
    """Start the services in the order of the compose file's conditions, and look how they are confined."""
    started: set[str] = set()
    while waiting := [name for name in topology.services if name in names and name not in started]:
        ready = [name for name in waiting if topology.services[name].waits_for <= started]
        for name in ready:
            podman.start(name)
        for name in ready:
            yield Row(f"{name} starts", f"healthy after {podman.wait_healthy(name):.1f} s", True)
            found = call("exec", container(name), "python", "-c", _CONFINED).stdout.strip()
            yield Row(f"{name} is confined", found, found == CONFINED)
        started.update(ready)


def demo(address: str, progress: Callable[[str], None]) -> Iterator[Row]:
    """Evaluate the suite `demo` through the gateway."""
    with hooke.Client(address, timeout_s=120) as client:
        began = time.monotonic()
        order = client.create_evaluation(
            suite_name="demo", models=[MODEL], request_id=f"demo-{uuid.uuid4().hex}"
        )
        _watch(client, order.evaluation_id, progress)
        outcomes = _outcomes(client, order.evaluation_id)
        scored = outcomes.count(SampleOutcome.SCORED)
        seconds = time.monotonic() - began
        figures = _figures(client, order.evaluation_id)
        yield Row(
            "suite demo",
            f"{scored} of {len(outcomes)} samples scored in {seconds:.0f} s: {figures}",
            scored == len(outcomes) == 256,
        )


def drains(podman: Podman, address: str, topology: Topology) -> Iterator[Row]:
    """Stop model and gateway while they have requests in flight, and the evaluator while it evaluates."""
    for name in (MODEL, ENTRY):
        grace_s = topology.services[name].stop_grace_period
        with hooke.Client(address, timeout_s=60) as client, ThreadPoolExecutor(12) as pool:
            client.count(discs(3), model=MODEL)  # the gateway has found the model again
            before = podman.calls_received(name, "Count")
            asked = [pool.submit(client.count, discs(n + 20), model=MODEL) for n in range(12)]
            _wait_until(lambda: podman.calls_received(name, "Count") >= before + 12)  # noqa: B023 (called here)
            in_flight = sum(not answer.done() for answer in asked)
            stopped = podman.stop(name)
            right = sum(
                answer.exception() is None and answer.result().count == n + 20
                for n, answer in enumerate(asked)
            )
        yield _drained(
            f"{name} stops",
            stopped,
            grace_s,
            f"{in_flight} requests in flight, {right} of 12 answered",
            right == 12,
        )
        podman.again(name)
        podman.wait_healthy(name)
    with hooke.Client(address, timeout_s=60) as client:
        order = client.create_evaluation(suite_yaml=SUITE, models=[MODEL], request_id="drained")
        done = _watch_until(client, order.evaluation_id, 4)
        stopped = podman.stop(EVALUATOR)
        grace_s = topology.services[EVALUATOR].stop_grace_period
        yield _drained(
            "evaluator stops", stopped, grace_s, f"{done} of {SUITE_SAMPLES} samples evaluated", True
        )
        podman.again(EVALUATOR)
        podman.wait_healthy(EVALUATOR)
        _watch(client, order.evaluation_id, lambda _: None)


def crashes(podman: Podman, address: str) -> Iterator[Row]:
    """Kill the model, then the gateway, while clients ask; the restart policy brings them back."""
    for name in (MODEL, ENTRY):
        before = podman.restarts(name)
        with load(address) as asked:
            asked.go_on()
            podman.kill(name)
            away_s = _back(podman, name, before)
            asked.go_on()
        yield Row(f"{name} is killed", f"back after {away_s:.1f} s; {asked.tally}", asked.tally.complete)


def memory(podman: Podman, address: str) -> Iterator[Row]:
    """Fill the memory of the model until the kernel kills it, while clients ask."""
    podman.start(MODEL, memory=TIGHT_MEMORY)
    podman.wait_healthy(MODEL)
    process_id = podman.process_id(MODEL)
    with hooke.Client(address, timeout_s=60) as client:
        client.count(discs(3), model=MODEL)  # the gateway has found the new container
    with load(address, size_px=256) as asked:
        asked.go_on()
        put = _fill(podman)
        away_s = _back(podman, MODEL, 0)
        asked.go_on()
    killed = starved(process_id)
    yield Row(
        f"{MODEL} runs out of memory",
        f"{'killed by the kernel' if killed else 'gone'} after {put} images of 32 MiB in {TIGHT_MEMORY}, "
        f"back after {away_s:.1f} s; {asked.tally}",
        killed and asked.tally.complete,
    )
    podman.start(MODEL)
    podman.wait_healthy(MODEL)


def evaluator_is_killed(podman: Podman, address: str) -> Iterator[Row]:
    """Kill the evaluator in mid-run: its run goes on, and no answer that arrived is asked for again."""
    with hooke.Client(address, timeout_s=60) as client:
        calm = client.create_evaluation(
            suite_yaml=SUITE, models=[MODEL], request_id="calm", reuse_answers=False
        )
        _watch(client, calm.evaluation_id, lambda _: None)
        before, asked = podman.restarts(EVALUATOR), _asked(podman)
        run = client.create_evaluation(
            suite_yaml=SUITE, models=[MODEL], request_id="killed", reuse_answers=False
        )
        done = _watch_until(client, run.evaluation_id, SUITE_SAMPLES // 3)
        podman.kill(EVALUATOR)
        away_s = _back(podman, EVALUATOR, before)
        _watch(client, run.evaluation_id, lambda _: None)
        again = _asked(podman) - asked - SUITE_SAMPLES
        results = [(found.task, found.sample_id) for found in client.sample_results(run.evaluation_id)]
        same = _strict(client, run.evaluation_id) == _strict(client, calm.evaluation_id)
    figures = "the same as" if same else "DIFFERENT from"
    yield Row(
        "evaluator is killed",
        f"at {done} of {SUITE_SAMPLES} samples, back after {away_s:.1f} s; {len(set(results))} scored, "
        f"{again} of them asked again, which were in flight; figures {figures} those of a calm run",
        same
        and len(results) == len(set(results)) == SUITE_SAMPLES
        and again <= EvaluatorSettings.model_fields["evaluator_max_in_flight"].default,
    )


def stop(podman: Podman, topology: Topology, names: Collection[str]) -> Iterator[Row]:
    """Stop everything, last first."""
    for name in reversed([name for name in topology.services if name in names]):
        yield _drained(
            f"{name} ends", podman.stop(name), topology.services[name].stop_grace_period, "idle", True
        )


def _drained(what: str, stopped: Stopped, grace_s: float, found: str, complete: bool) -> Row:
    return Row(
        what,
        f"{found}; exit code {stopped.exit_code} after {stopped.seconds:.1f} s of {grace_s:.0f} s",
        complete and stopped.exit_code == 0,  # by SIGKILL it would be 137
    )


def _back(podman: Podman, name: str, restarts: int) -> float:
    """Wait until the restart policy has started a container again and it is healthy; return the seconds."""
    began = time.monotonic()
    _wait_until(lambda: podman.restarts(name) > restarts)
    podman.wait_healthy(name)
    return time.monotonic() - began


def _fill(podman: Podman) -> int:
    """Put images to the model itself, one by one, until it was started again; return how many were put."""
    for number in range(64):
        if podman.restarts(MODEL) > 0:
            return number
        call("exec", container(ENTRY), "python", "-c", _PUT, f"{MODEL}:50051", str(number), check=False)
    return 64


def _watch(client: hooke.Client, evaluation_id: str, progress: Callable[[str], None]) -> None:
    said = 0
    for state in client.watch_evaluation(evaluation_id):
        done = sum(task.done_count for task in state.task_progress)
        if done >= said + 50:
            said = done
            progress(f"{done} samples evaluated")
    if state.state is not EvaluationState.SUCCEEDED:
        raise TrialError(f"the evaluation {evaluation_id} ended as {state.state.name}")


def _watch_until(client: hooke.Client, evaluation_id: str, samples: int) -> int:
    """Wait until so many samples are done, and return how many are."""
    for state in client.watch_evaluation(evaluation_id):
        done = sum(progress.done_count for progress in state.task_progress)
        if done >= samples:
            return done
    raise TrialError(f"the evaluation {evaluation_id} ended before {samples} samples were done")


def _outcomes(client: hooke.Client, evaluation_id: str) -> Sequence[SampleOutcome]:
    return [result.outcome for result in client.sample_results(evaluation_id)]


def _report(client: hooke.Client, evaluation_id: str) -> Mapping[str, Any]:
    report: Mapping[str, Any] = json.loads(client.report(evaluation_id, ReportFormat.JSON))
    return report


def _strict(client: hooke.Client, evaluation_id: str) -> object:
    return [[model["strict"] for model in task["models"]] for task in _report(client, evaluation_id)["tasks"]]


def _figures(client: hooke.Client, evaluation_id: str) -> str:
    """The headline of each task."""
    found = []
    for task in _report(client, evaluation_id)["tasks"]:
        (model,) = task["models"]
        (headline,) = [estimate for estimate in model["strict"] if estimate["name"] == task["headline"]]
        found.append(f"{headline['name']} {headline['value']:.3f}")
    return ", ".join(found)


def _asked(podman: Podman) -> int:
    return podman.calls_received(MODEL, "Segment") + podman.calls_received(MODEL, "Count")


def _wait_until(condition: Callable[[], bool], limit_s: float = 120.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise TrialError(f"something that was waited for did not happen within {limit_s:.0f} s")
        time.sleep(0.1)
