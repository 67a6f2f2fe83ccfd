"""The manifests for Kubernetes against the settings of the processes that they start."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from gateway.routes import DNS, read_routes
from gateway.settings import GatewaySettings
from runtime.settings import PREFIX, ModelServerSettings, ServerSettings, load_settings
from services.llava.settings import LlavaSettings
from services.sam.settings import SamSettings
from tests.unit.deploy.manifests import (
    EVERYTHING,
    OVERLAYS,
    SECRETS,
    Combination,
    Document,
    Workload,
    build,
    name_of,
    of_kind,
    servers,
    workloads,
)
from tests.unit.repo.test_topology import SETTINGS

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


def _environment(workload: Workload, container: Document, documents: Any, root: Path) -> dict[str, str]:
    """The variables of a container, with every mount laid out under `root`."""
    maps = {name_of(one): one["data"] for one in of_kind(documents, "ConfigMap")}
    volumes = {volume["name"]: volume for volume in workload.pod["volumes"]}
    places = {}
    for mount in container["volumeMounts"]:
        folder = root / mount["mountPath"].lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        places[mount["mountPath"]] = folder
        match volumes.get(mount["name"], {}):
            case {"configMap": {"name": name}}:
                for file, text in maps[name].items():
                    (folder / file).write_text(text)
            case {"secret": {"secretName": name, **rest}}:
                keys = [item["path"] for item in rest["items"]] if "items" in rest else SECRETS[name]
                for key in keys:
                    (folder / key).write_text("postgresql://hooke:secret@postgres:5432/hooke")
    values = {}
    for variable in container["env"]:
        assert variable["name"] not in values, variable
        place = next((at for at in places if variable["value"].startswith(at)), None)
        value = str(places[place]) + variable["value"].removeprefix(place) if place else variable["value"]
        values[variable["name"]] = value
    return values


@pytest.fixture(params=[*OVERLAYS, *EVERYTHING, ()], ids=str)
def loaded(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[Workload, Document, ServerSettings]]:
    """Every server with the settings that its process would read in its container."""
    documents = build(request.param)
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    running = []
    for workload, container in servers(documents):
        with monkeypatch.context() as patch:
            for name, value in _environment(workload, container, documents, tmp_path / workload.name).items():
                kind = SETTINGS[workload.name]
                known = not name.startswith(PREFIX) or name.removeprefix(PREFIX).lower() in kind.model_fields
                assert known, f"{workload.name}: {name}"
                patch.setenv(name, value)
            running.append((workload, container, load_settings(SETTINGS[workload.name])))
    return running


Loaded = list[tuple[Workload, Document, ServerSettings]]


# Every variable is a setting of its process, valid as it stands, and ports are where the process listens.
def test_settings_and_ports_fit(loaded: Loaded) -> None:
    for workload, container, settings in loaded:
        module = workload.name if workload.name in ("gateway", "evaluator") else f"services.{workload.name}"
        assert container["image"].startswith(f"hooke/{workload.name}:")
        assert container["command"] == ["python", "-m", module]
        assert settings.host == "0.0.0.0"
        ports = {"grpc": settings.port, "health": settings.health_port, "metrics": settings.metrics_port}
        assert workload.ports == ports


# The three probes ask for different things: whether it has loaded, whether it takes calls, whether it lives.
# The last one never asks for what changes while a model loads, or while a gateway has nothing behind it.
def test_probes_are_kept_apart(loaded: Loaded) -> None:
    alive = "grpc.health.v1.Health"
    for workload, container, settings in loaded:
        startup, readiness, liveness = (
            container[f"{name}Probe"] for name in ("startup", "readiness", "liveness")
        )
        for probe in (startup, readiness, liveness):
            assert probe["grpc"]["port"] == settings.health_port
        assert "service" not in readiness["grpc"]
        assert liveness["grpc"]["service"] == alive
        assert startup["grpc"].get("service") == (alive if workload.name == "gateway" else None)
        assert startup["periodSeconds"] * startup["failureThreshold"] >= 1800
        assert readiness["periodSeconds"] * readiness["failureThreshold"] <= settings.drain_delay_s


# No server is killed within its own grace period, and endpoints have time to spread before it refuses calls.
def test_servers_drain_before_they_are_killed(loaded: Loaded) -> None:
    for workload, container, settings in loaded:
        assert settings.drain_delay_s >= 5
        assert settings.grace_s >= settings.default_deadline_s
        needed = settings.drain_delay_s + settings.grace_s + 10
        assert workload.pod["terminationGracePeriodSeconds"] >= needed
        assert "lifecycle" not in container  # the drain delay is the server's own


def _bytes(quantity: str) -> int:
    match = re.fullmatch(r"(\d+)(Mi|Gi)", quantity)
    assert match, quantity
    return int(match[1]) * {"Mi": 1024**2, "Gi": 1024**3}[match[2]]


# What the settings let a server hold fits its memory, one message included.
def test_memory_covers_what_the_settings_allow(loaded: Loaded) -> None:
    for workload, container, settings in loaded:
        held = settings.max_message_bytes
        if isinstance(settings, ModelServerSettings):
            held += settings.max_pending_bytes + settings.image_store_bytes
        if isinstance(settings, GatewaySettings):
            held += settings.gateway_max_bytes + settings.image_store_bytes
        if isinstance(settings, SamSettings):
            held += settings.sam_embedding_cache_bytes + settings.sam_decoder_bytes + 2_564_550_879
        if isinstance(settings, LlavaSettings):
            held += 14_000_000_000
        assert held <= _bytes(container["resources"]["limits"]["memory"]), workload.name


# The gateway's routes and the evaluator's address name services that are there, by the ports that they have;
# each replica of a model is found, since the DNS gives the addresses of the pods.
@pytest.mark.parametrize("components", EVERYTHING, ids="+".join)
def test_services_find_each_other(components: Combination, tmp_path: Path) -> None:
    documents = build(components)
    services = {name_of(one): one["spec"] for one in of_kind(documents, "Service")}
    by_name = {workload.name: (workload, container) for workload, container in servers(documents)}
    gateway = _environment(*by_name["gateway"], documents, tmp_path / "gateway")
    routes = read_routes(Path(gateway["HOOKE_GATEWAY_ROUTES"]))
    assert routes.models.keys() == SETTINGS.keys() - {"gateway", "evaluator"}
    assert routes.default_model == "classical"
    for name, (address,) in {**routes.models, "evaluator": routes.evaluator or ()}.items():
        assert address == f"{DNS}{name}:50051"
        assert services[name]["clusterIP"] == "None"
        assert {"name": "grpc", "port": 50051, "targetPort": "grpc"} in services[name]["ports"]
    evaluator = _environment(*by_name["evaluator"], documents, tmp_path / "evaluator")
    job = next(one for one in workloads(documents) if one.name == "evaluation").containers[0]
    for address in (evaluator["HOOKE_EVALUATOR_GATEWAY"], job["env"][0]["value"]):
        assert address == "gateway:50051"
    assert "clusterIP" not in services["gateway"]
