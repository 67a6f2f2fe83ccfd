"""A real Prometheus beside the real processes: what dashboards ask is answered, and alerts are raised."""

import json
import math
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

import hooke
from deploy.local import free_port
from deploy.supervisor import COMPOSE_FILE, Stack
from hooke.types import EvaluationState
from tests.fakes.http import Asked, Reply
from tests.fakes.openai import KEY, FakeOpenai, response

from .conftest import ROOT, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]  # a busy machine starts processes slowly

FOLDER = ROOT / "deploy" / "observability"
PANELS = [
    (path.name, panel["title"], target["expr"])
    for path in sorted((FOLDER / "dashboards").glob("*.json"))
    for panel in json.loads(path.read_text())["panels"]
    for target in panel["targets"]
]
MODELS = {
    ("model.json", "Tokens of a model that is computed here"): "llava",
    ("model.json", "Images known from earlier requests"): "llava",
}
"""Of the dashboard of one model, the panels of which `classical` fills nothing -> the model that does."""
DEAR = "gpt-unheard-of"
"""A model that the price list lacks."""

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

    def values(self, expression: str, model: str = "classical") -> list[float]:
        """What a panel of a dashboard would show now; an expression that is wrong is an HTTPError."""
        for name, value in (("$__rate_interval", "1m"), ("$__range", "5m"), ("$model", model)):
            expression = expression.replace(name, value)
        found = self.get("query", query=expression)["result"]
        return [value for series in found if not math.isnan(value := float(series["value"][1]))]

    def alerts(self) -> set[tuple[str, str]]:
        """Name and service or model of every alert that is raised, whether it fires already or not."""
        raised = [alert["labels"] for alert in self.get("alerts")["alerts"]]
        return {(labels["alertname"], labels.get("service") or labels.get("model")) for labels in raised}


class Provider(FakeOpenai):
    """Answers as the model that it is asked for, of which it had kept a part of the question."""

    def reply(self, asked: Asked) -> Reply:
        if asked.method != "POST":
            return super().reply(asked)
        return Reply(body=response(model=asked.json["model"]))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The compose file's gateway and classical, which take few calls at a time, evaluator, and OpenAI, whose
    provider is a fake; and a model that writes words, in the place of LLaVA."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed: the Debian package prometheus has it")
    home = tmp_path_factory.mktemp("stack")
    document = json.loads(json.dumps(yaml.safe_load(COMPOSE_FILE.read_text())))
    services = document["services"]
    del services["llava"]["profiles"]
    services["llava"]["command"] = ["python", "-m", "tests.fakes.local"]
    services["classical"]["environment"] |= {"HOOKE_WORKERS": "1", "HOOKE_MAX_QUEUE": "1"}
    services["gateway"]["environment"]["HOOKE_GATEWAY_MAX_CALLS_PER_UPSTREAM"] = "4"
    services["openai"]["environment"]["HOOKE_OPENAI_MODELS"] = DEAR
    for service in services.values():
        if "build" in service:
            service["environment"]["PYTHONPATH"] = str(ROOT)
    file = home / COMPOSE_FILE.name
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    key = home / "key"
    key.write_text(KEY)
    with Provider() as provider:
        variables = {
            "HOOKE_DATA_DIR": str(home),
            "HOOKE_OPENAI_API_KEY_FILE": str(key),
            "HOOKE_OPENAI_BASE_URL": f"{provider.address}/v1",
        }
        with Stack(home=home, compose_file=file, profiles=["openai"], variables=variables) as stack:
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
    """Some of everything that can be asked: an image that is put, and mistakes, included."""
    client.segment(noise(seed))
    client.count(noise(seed, 800))
    client.classify(noise(seed), examples=[(noise(1), "a"), (noise(2), "b")])
    client.segment(noise(seed), model="llava")
    client.ask(noise(seed), "What is this?", model="llava")
    client.ask(noise(seed), "What is this?", model="openai")
    client.ask(noise(seed), "What is this?", model="openai", parameters=hooke.OpenaiParameters(DEAR))
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    for model in ("classical", "openai"):
        with suppress(hooke.errors.ImageUnreadableError):
            client.count(folder / "broken.png", model=model)
    with suppress(hooke.errors.UnknownModelError):
        client.count(noise(seed), model="nobody")
    suite = SUITE.replace("SEED", str(seed))
    begun = client.create_evaluation(suite_yaml=suite, request_id=f"panels-{seed}")
    *_, ended = client.watch_evaluation(begun.evaluation_id)
    assert ended.state is EvaluationState.SUCCEEDED, ended.state_message


def ask_too_much(address: str, seed: int) -> None:
    """More at a time than the gateway takes, and more of it than classical lets wait."""

    def ask(image: NDArray[np.uint16]) -> None:
        with suppress(hooke.HookeError):
            client.count(image)

    with hooke.Client(address, retries=False) as client, ThreadPoolExecutor(12) as callers:
        list(callers.map(ask, (noise(100 * seed + number, 700) for number in range(12))))


# Prometheus evaluates every alert without an error, and none is raised while all is well.
def test_all_is_well(prometheus: Prometheus, stack: Stack) -> None:
    wait_until(lambda: sum(prometheus.values('up{job="hooke"}')) == len(stack.services))

    def states() -> set[str]:
        return {rule["health"] for group in prometheus.get("rules")["groups"] for rule in group["rules"]}

    wait_until(lambda: states() == {"ok"})
    wait_until(lambda: prometheus.alerts() == set())


# Model services that are gone are noticed, by Prometheus and by the gateway, and so is that they are back.
def test_services_go(prometheus: Prometheus, stack: Stack) -> None:
    models = sorted(stack.services.keys() - {"gateway", "evaluator"})
    assert models == ["classical", "llava", "openai"]
    for name in models:
        assert stack.processes[name].stop()
    expected = {(alert, name) for alert in ("ServiceDown", "ModelGone") for name in models}
    wait_until(lambda: expected | {("NoModelServes", "gateway")} <= prometheus.alerts())
    for name in models:
        stack.start(name)
    for name in models:
        stack.wait_healthy(name)
    wait_until(lambda: prometheus.alerts() == set())


# Every query of every panel shows something once the services were asked a few things.
def test_panels(prometheus: Prometheus, stack: Stack, tmp_path: Path) -> None:
    missing = PANELS
    with hooke.Client(stack.address, timeout_s=60) as client:
        for seed in range(1, 21):
            ask_everything(client, seed, tmp_path)
            ask_too_much(stack.address, seed)
            missing = [
                panel
                for panel in PANELS
                if not prometheus.values(panel[2], MODELS.get(panel[:2], "classical"))
            ]
            if not missing:
                break
    assert missing == []
    known = prometheus.get("label/model/values", **{"match[]": "hooke_inference_ready"})
    assert known == ["classical", "llava", "openai"]
