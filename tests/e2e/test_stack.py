"""The real processes of the compose file, asked through the gateway by the command line and the SDK."""

import json
import os
import re
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

import hooke
from deploy.supervisor import Stack
from hooke.types import EvaluationState, ModelState, ReportFormat, SampleOutcome

from .conftest import BIN, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]  # a busy machine starts processes slowly

SUITE = """\
name: small
tasks:
  - name: nuclei
    kind: segmentation
    dataset: {loader: simulated, images: 12, seed: 5, width_px: 200, height_px: 200, diameter_px: 16,
              count_max: 15}
  - name: bodies
    kind: counting
    dataset: {loader: simulated, images: 12, seed: 6, width_px: 200, height_px: 200, diameter_px: 16,
              count_max: 15, stain: bodies}
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Gateway, classical and evaluator, running."""
    home = tmp_path_factory.mktemp("stack")
    with Stack(home=home, variables={"HOOKE_DATA_DIR": str(home)}) as stack:
        yield stack


@pytest.fixture
def client(stack: Stack) -> Iterator[hooke.Client]:
    """A client of the gateway."""
    with hooke.Client(stack.address, timeout_s=60) as client:
        yield client


Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cli(stack: Stack, tmp_path: Path) -> Cli:
    """The command line, in a folder of its own."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "HOOKE_ADDRESS": stack.address}
        command = [str(BIN / "hooke"), *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    return run


def discs(count: int, size: int = 256) -> NDArray[np.uint16]:
    """A 16-bit image with `count` bright discs on a grid, some noise, nothing else."""
    pixels = np.random.default_rng(count).normal(400, 10, (size, size))
    rows, columns = np.mgrid[:size, :size]
    per_row = size // 32
    for index in range(count):
        row, column = divmod(index, per_row)
        centre = 16 + 32 * row, 16 + 32 * column
        pixels[(rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= 8**2] += 4000
    return np.clip(pixels, 0, 65535).astype(np.uint16)


# Everything is well though only one of the models runs; of the others is said that they do not.
def test_doctor(stack: Stack, cli: Cli) -> None:
    done = cli("doctor", "--json")
    assert done.returncode == 0, done.stdout
    report = json.loads(done.stdout)
    assert report["healthy"] is True
    states = {model["name"]: model["state"] for model in report["models"]}
    assert states.pop("classical") == ModelState.READY
    assert states == dict.fromkeys(("sam", "cellpose", "llava", "openai", "gemini"), ModelState.UNAVAILABLE)


# The command line and the SDK find the same objects, which are those that are there.
def test_segment(cli: Cli, client: hooke.Client, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "cells.tif", discs(20))
    done = cli("segment", "cells.tif", "--model", "classical", "--out", "out")
    assert done.returncode == 0, done.stderr
    labels = tifffile.imread(tmp_path / "out" / "cells_labels.tif")
    result = client.segment(tmp_path / "cells.tif", model="classical")
    assert len(result.instances) == labels.max() == 20
    np.testing.assert_array_equal(result.labels, labels)
    assert result.provenance.model == "classical"
    assert result.provenance.rendered_image.sample_type == "uint16"
    assert (tmp_path / "out" / "cells_overlay.png").stat().st_size > 0
    assert len((tmp_path / "out" / "cells_objects.csv").read_text().splitlines()) == 21


# An image above 1 MiB is put in chunks and found by its hash, and the answer is as for a small one.
def test_large_image(client: hooke.Client) -> None:
    image = discs(100, size=1024)
    assert image.nbytes > 1024**2
    assert client.count(image).count == 100
    assert client.has_image(image, model="classical")
    assert client.count(image).count == 100


# Classes are learnt from examples, through the gateway as well.
def test_classify(client: hooke.Client) -> None:
    few, many = [discs(n) for n in (2, 3, 4)], [discs(n) for n in (40, 45, 50)]
    examples = [(image, "few") for image in few[1:]] + [(image, "many") for image in many[1:]]
    assert client.classify(few[0], examples=examples).label == "few"
    assert client.classify(many[0], examples=examples).label == "many"
    with pytest.raises(hooke.errors.ExamplesRequiredError):
        client.classify(few[0], labels=["few", "many"])


# What a caller does wrong is said in the caller's terms, and the exit code tells it from success.
def test_errors(cli: Cli, client: hooke.Client, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    assert cli("segment", "broken.png").returncode == 1
    with pytest.raises(hooke.errors.ImageUnreadableError):
        client.segment(tmp_path / "broken.png")
    with pytest.raises(hooke.errors.UnknownModelError):
        client.count(discs(1), model="nobody")
    with pytest.raises(hooke.errors.UnknownEvaluationError):
        client.evaluation("eval-nobody")


# An evaluation through the command line ends with a report; the same command again finds it done.
def test_evaluate(cli: Cli, client: hooke.Client, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SUITE)
    first = cli("evaluate", "small.yaml", "--out", "report")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "report/index.html" in first.stdout + first.stderr
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    again = cli("evaluate", "small.yaml", "--out", "again")
    assert again.returncode == 0, again.stdout + again.stderr
    assert json.loads((tmp_path / "again" / "report.json").read_text()) == report
    (evaluation,) = [found for found in client.evaluations() if found.suite_name == "small"]
    assert evaluation.state is EvaluationState.SUCCEEDED
    results = list(client.sample_results(evaluation.evaluation_id))
    assert len(results) == 24
    assert {result.outcome for result in results} == {SampleOutcome.SCORED}


def calls_received(stack: Stack, name: str, method: str) -> int:
    """Calls of a method that a service has taken so far, by its own metrics."""
    port = stack.services[name].ports["HOOKE_METRICS_PORT"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
        text = page.read().decode()
    found = re.search(rf'^grpc_server_started_total{{.*"{method}".*}} (\S+)$', text, re.MULTILINE)
    return int(float(found[1])) if found else 0


def answers(call: Callable[[], object]) -> bool:
    """Whether a call finds its server."""
    try:
        call()
    except hooke.errors.UnavailableError:
        return False
    return True


# SIGTERM loses no request: the model service answers all that it has taken, then ends. Until it is back, the
# caller hears that it is away; afterwards nobody has to help gateway or client to find it again.
def test_model_service_restarts_under_load(stack: Stack, client: hooke.Client) -> None:
    before = calls_received(stack, "classical", "Count")
    service = stack.processes["classical"]
    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(client.count, discs(n + 20, 512)) for n in range(12)]
        wait_until(lambda: calls_received(stack, "classical", "Count") == before + 12)
        assert not all(answer.done() for answer in asked)
        assert service.stop(), "it had to be killed"
        assert service.exit_code == 0
        assert [answer.result().count for answer in asked] == [n + 20 for n in range(12)]
    with hooke.Client(stack.address, retries=False) as hasty, pytest.raises(hooke.errors.UnavailableError):
        hasty.count(discs(1))
    stack.start("classical")
    stack.wait_healthy("classical")
    wait_until(lambda: answers(lambda: client.count(discs(1))))
    assert client.count(discs(7)).count == 7


# A killed evaluator takes its run up again when it is back: the numbers are those of a run that was never
# interrupted, and what was answered before is not asked again.
def test_evaluator_is_killed(stack: Stack, client: hooke.Client) -> None:
    def summary(evaluation_id: str) -> object:
        report = json.loads(client.report(evaluation_id, ReportFormat.JSON))
        return [[model["strict"] for model in task["models"]] for task in report["tasks"]]

    calm = client.create_evaluation(suite_yaml=SUITE, request_id="calm")
    assert list(client.watch_evaluation(calm.evaluation_id))[-1].state is EvaluationState.SUCCEEDED

    killed = client.create_evaluation(suite_yaml=SUITE, request_id="killed")
    for state in client.watch_evaluation(killed.evaluation_id):
        if sum(progress.done_count for progress in state.task_progress) >= 4:
            break
    stack.processes["evaluator"].kill()
    assert stack.processes["evaluator"].exit_code == -signal.SIGKILL
    stack.start("evaluator")
    stack.wait_healthy("evaluator")
    wait_until(lambda: answers(lambda: client.evaluation(killed.evaluation_id)))
    again = client.create_evaluation(suite_yaml=SUITE, request_id="killed")
    assert again.evaluation_id == killed.evaluation_id
    last = list(client.watch_evaluation(killed.evaluation_id))[-1]
    assert last.state is EvaluationState.SUCCEEDED

    results = [(result.task, result.sample_id) for result in client.sample_results(killed.evaluation_id)]
    assert len(results) == len(set(results)) == 24
    assert summary(killed.evaluation_id) == summary(calm.evaluation_id)


# At the end every process goes by itself, with exit code 0, and no log speaks of an unexpected failure.
def test_everything_stops(tmp_path: Path) -> None:
    with Stack(home=tmp_path, variables={"HOOKE_DATA_DIR": str(tmp_path)}) as stack:
        with hooke.Client(stack.address) as client:
            assert client.count(discs(3)).count == 3
        processes = dict(stack.processes)
    assert {name: process.exit_code for name, process in processes.items()} == dict.fromkeys(processes, 0)
    for process in processes.values():
        assert not Path(f"/proc/{process.pid}").exists()
        events = [json.loads(line) for line in process.log_path.read_text().splitlines()]
        assert events
        assert [event for event in events if event["level"] not in {"debug", "info", "warning"}] == []
