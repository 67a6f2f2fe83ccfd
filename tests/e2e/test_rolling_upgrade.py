"""Processes are replaced one after the other while clients ask without a pause: no request fails."""

import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest
import yaml

import hooke
from deploy.supervisor import Stack

from .conftest import ROOT, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]  # a busy machine starts processes slowly

REPLICAS = ("classical-a", "classical-b")
GATEWAYS = ("gateway", "gateway-b")


def service(module: str, **environment: str) -> dict[str, object]:
    """A service of a compose file that stops as on a cluster: it answers for a while, then drains."""
    return {
        "build": {"context": ".", "dockerfile": "Dockerfile", "args": {}},
        "command": ["python", "-m", module],
        "environment": {
            "HOOKE_HOST": "0.0.0.0",
            "HOOKE_PORT": "50051",
            "HOOKE_METRICS_PORT": "9464",
            "HOOKE_DRAIN_DELAY_S": "1",
            "PYTHONPATH": str(ROOT),
            **environment,
        },
        "healthcheck": {
            "test": ["CMD", "python", "-m", "deploy.health", "127.0.0.1:50051"],
            "interval": "5s",
            "timeout": "5s",
            "retries": 6,
            "start_period": "60s",
        },
        "stop_grace_period": "40s",
    }


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two replicas of classical behind two gateways, each of which knows both."""
    home = tmp_path_factory.mktemp("stack")
    (home / "routes.yaml").write_text('{default_model: classical, models: {classical: "127.0.0.1:1"}}')
    gateway = service(
        "gateway",
        HOOKE_GATEWAY_ROUTES=str(home / "routes.yaml"),
        HOOKE_GATEWAY_ADDRESSES=",".join(f"classical={name}:50051" for name in REPLICAS),
    )
    services = {
        **{name: service("services.classical", HOOKE_WORKERS="1") for name in REPLICAS},
        **dict.fromkeys(GATEWAYS, gateway),
    }
    file = home / "docker-compose.yml"
    file.write_text(yaml.safe_dump({"name": "rolling", "services": services}))
    with Stack(home=home, compose_file=file) as stack:
        yield stack


@dataclass
class Load:
    """What came of the requests so far."""

    seconds: list[float] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    def go_on(self, request_count: int = 30) -> None:
        """Wait until so many more requests have been answered."""
        goal = len(self.seconds) + request_count
        wait_until(lambda: len(self.seconds) >= goal or bool(self.errors))


@contextmanager
def load(address: str, *, retries: bool, callers: int = 3) -> Iterator[Load]:
    """Callers that ask one image after the other, each as soon as the last was answered."""
    result, over = Load(), threading.Event()
    images = np.random.default_rng(3).integers(300, 4000, (8, 96, 96), dtype=np.uint16)

    def ask(client: hooke.Client, number: int) -> None:
        while not over.is_set():
            number += 1
            began = time.monotonic()
            try:
                client.count(images[number % len(images)])
            except hooke.HookeError as error:
                result.errors.append(error)
            else:
                result.seconds.append(time.monotonic() - began)

    with hooke.Client(address, timeout_s=60, retries=retries) as client:
        threads = [threading.Thread(target=ask, args=(client, number)) for number in range(callers)]
        for thread in threads:
            thread.start()
        try:
            yield result
        finally:
            over.set()
            for thread in threads:
                thread.join()


def answered(stack: Stack, name: str) -> int:
    """Requests that a process has answered so far, by its own metrics."""
    port = stack.services[name].ports["HOOKE_METRICS_PORT"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
        lines = page.read().decode().splitlines()
    wanted = [line for line in lines if line.startswith("grpc_server_handled_total{") and '"Count"' in line]
    return sum(int(float(line.rpartition(" ")[2])) for line in wanted if 'grpc_code="OK"' in line)


def replace(stack: Stack, name: str) -> float:
    """End a process by SIGTERM and start it again on the same port; returns the seconds that this took."""
    process = stack.processes[name]
    began = time.monotonic()
    assert process.stop(), "it had to be killed"
    assert process.exit_code == 0
    stack.start(name)
    stack.wait_healthy(name)
    return time.monotonic() - began


# A model with two replicas is upgraded without a failed request, and nobody has to ask again: the gateway
# hears that a replica is about to stop while that still answers, and takes to it again when it is back.
def test_replicas(stack: Stack) -> None:
    with load(stack.address, retries=False) as asked:
        asked.go_on()
        for name in REPLICAS:
            replace(stack, name)
            wait_until(lambda name=name: answered(stack, name) > 0 or bool(asked.errors))  # type: ignore[misc]
            asked.go_on()
    assert asked.errors == []
    report("two replicas, without retries", asked)


# One of two gateways is upgraded without a failed request, where the client knows both and may ask again.
def test_gateways(stack: Stack) -> None:
    addresses = ",".join(stack.services[name].address for name in GATEWAYS)
    with load(f"ipv4:{addresses}", retries=True) as asked:
        asked.go_on()
        for name in GATEWAYS:
            replace(stack, name)
            wait_until(lambda name=name: answered(stack, name) > 0 or bool(asked.errors))  # type: ignore[misc]
            asked.go_on()
    assert asked.errors == []
    report("two gateways, with retries", asked)


# The only gateway is away for as long as it takes to start: clients wait for it, and no request fails.
def test_the_only_gateway(stack: Stack) -> None:
    with load(stack.address, retries=True) as asked:
        asked.go_on()
        away_s = replace(stack, "gateway")
        asked.go_on()
    assert asked.errors == []
    report(f"the only gateway, replaced in {away_s:.1f} s, with retries", asked)


def report(what: str, asked: Load) -> None:
    """Print the figures, which `pytest -s` shows."""
    count, slowest = len(asked.seconds), max(asked.seconds)
    half = float(np.median(asked.seconds))
    sys.stdout.write(f"{what}: {count} answered, half in {half:.3f} s, slowest {slowest:.1f} s\n")
