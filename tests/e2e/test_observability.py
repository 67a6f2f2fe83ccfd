"""A real Prometheus beside the real processes: what dashboards ask is answered, and alerts are raised."""

import json
import math
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

import hooke
from deploy.local import free_port
from deploy.supervisor import Stack
from hooke.types import EvaluationState

from .conftest import ROOT, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]  # a busy machine starts processes slowly

FOLDER = ROOT / "deploy" / "observability"
PANELS = [
    (path.name, panel["title"], target["expr"])
    for path in sorted((FOLDER / "dashboards").glob("*.json"))
    for panel in json.loads(path.read_text())["panels"]
    for target in panel["targets"]
]
EMPTY = {
    ("model.json", "Refused before they were computed"),
    ("model.json", "Tokens of a model that is computed here"),
    ("model.json", "Images known from earlier requests"),
    ("gateway.json", "Refused, because too many are in flight"),
}
"""Panels with nothing to show here: no queue is full, the only model writes no words and keeps nothing."""


SUITE = """
name: panels
tasks:
  - name: nuclei
    kind: counting
    dataset: {loader: simulated, images: 2, seed: SEED, count_max: 4}
"""


class Prometheus:
    """The API of a running Prometheus."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"

    def ready(self) -> bool:
        with suppress(OSError):
            return bool(urllib.request.urlopen(f"{self._base}/-/ready", timeout=5).status == 200)
        return False

    def get(self, path: str, **values: str) -> Any:
        url = f"{self._base}/api/v1/{path}?{urllib.parse.urlencode(values)}"
        with urllib.request.urlopen(url, timeout=10) as page:
            answer = json.load(page)
        assert answer["status"] == "success", answer
        return answer["data"]

    def values(self, expression: str) -> list[float]:
        """What a panel of a dashboard would show now; an expression that is wrong is an HTTPError."""
        for name, value in (("$__rate_interval", "1m"), ("$__range", "5m"), ("$model", "classical")):
            expression = expression.replace(name, value)
        found = self.get("query", query=expression)["result"]
        return [value for series in found if not math.isnan(value := float(series["value"][1]))]

    def alerts(self) -> set[tuple[str, str]]:
        """Name and service or model of every alert that is raised, whether it fires already or not."""
        raised = [alert["labels"] for alert in self.get("alerts")["alerts"]]
        return {(labels["alertname"], labels.get("service") or labels.get("model")) for labels in raised}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Gateway, classical and evaluator, running."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed: the Debian package prometheus has it")
    home = tmp_path_factory.mktemp("stack")
    with Stack(home=home, variables={"HOOKE_DATA_DIR": str(home)}) as stack:
        yield stack


@pytest.fixture(scope="module")
def prometheus(stack: Stack) -> Iterator[Prometheus]:
    """Prometheus as the compose file configures it, at these processes, and quicker."""
    configuration = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(FOLDER / "alerts.yml")]
    (scrape,) = configuration["scrape_configs"]
    del scrape["dns_sd_configs"], scrape["relabel_configs"]
    scrape["static_configs"] = [
        {"targets": [f"127.0.0.1:{service.ports['HOOKE_METRICS_PORT']}"], "labels": {"service": name}}
        for name, service in stack.services.items()
    ]
    path = stack.home / "prometheus.yml"
    path.write_text(yaml.safe_dump(configuration))
    port = free_port()
    log = stack.home / "prometheus.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={path}",
                f"--storage.tsdb.path={stack.home / 'prometheus'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        api = Prometheus(port)
        wait_until(lambda: api.ready() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield api
    finally:
        process.terminate()
        process.wait(30)


def noise(seed: int, size: int = 96) -> NDArray[np.uint16]:
    """An image like no other."""
    return np.random.default_rng(seed).integers(300, 4000, (size, size), dtype=np.uint16)


def ask_everything(client: hooke.Client, seed: int, folder: Path) -> None:
    """Some of everything that classical can be asked: an image that is put, and mistakes, included."""
    client.segment(noise(seed))
    client.count(noise(seed, 800))
    client.classify(noise(seed), examples=[(noise(1), "a"), (noise(2), "b")])
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    with suppress(hooke.errors.ImageUnreadableError):
        client.segment(folder / "broken.png")
    with suppress(hooke.errors.UnknownModelError):
        client.count(noise(seed), model="nobody")
    suite = SUITE.replace("SEED", str(seed))
    begun = client.create_evaluation(suite_yaml=suite, request_id=f"panels-{seed}")
    *_, ended = client.watch_evaluation(begun.evaluation_id)
    assert ended.state is EvaluationState.SUCCEEDED, ended.state_message


# Every query of every panel is understood. Those that this stack can fill show something once it was asked a
# few things; those of providers and of models on a GPU are empty.
def test_panels(prometheus: Prometheus, stack: Stack, tmp_path: Path) -> None:
    filled = [panel for panel in PANELS if panel[:2] not in EMPTY and panel[0] != "providers.json"]
    missing = filled
    seed = 0
    with hooke.Client(stack.address, timeout_s=60) as client:

        def all_filled() -> bool:
            nonlocal missing, seed
            seed += 1
            ask_everything(client, seed, tmp_path)
            missing = [panel for panel in filled if not prometheus.values(panel[2])]
            return not missing

        with suppress(AssertionError):
            wait_until(all_filled)
    assert missing == []
    assert [panel for panel in PANELS if panel not in filled and prometheus.values(panel[2])] == []
    assert prometheus.get("label/model/values", **{"match[]": "hooke_inference_ready"}) == ["classical"]


# Prometheus evaluates every alert without an error, and none is raised while all is well.
def test_all_is_well(prometheus: Prometheus, stack: Stack) -> None:
    wait_until(lambda: sum(prometheus.values('up{job="hooke"}')) == len(stack.services))

    def states() -> set[str]:
        return {rule["health"] for group in prometheus.get("rules")["groups"] for rule in group["rules"]}

    wait_until(lambda: states() == {"ok"})
    wait_until(lambda: prometheus.alerts() == set())


# A model service that is gone is noticed, by Prometheus and by the gateway, and so is that it is back.
def test_a_service_goes(prometheus: Prometheus, stack: Stack) -> None:
    assert stack.processes["classical"].stop()
    wait_until(
        lambda: (
            {("ServiceDown", "classical"), ("ModelGone", "classical"), ("NoModelServes", "gateway")}
            <= prometheus.alerts()
        )
    )
    stack.start("classical")
    stack.wait_healthy("classical")
    wait_until(lambda: prometheus.alerts() == set())
