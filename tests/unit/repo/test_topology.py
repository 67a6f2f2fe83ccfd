"""The compose file against the processes that it starts."""

import os
from pathlib import Path

import pytest

from deploy.compose import read_topology
from deploy.local import plan_locally
from deploy.supervisor import COMPOSE_FILE
from evaluator.settings import EvaluatorSettings
from gateway.routes import read_routes
from gateway.settings import GatewaySettings
from runtime.settings import PREFIX, ServerSettings, load_settings
from services.cellpose.settings import CellposeSettings
from services.classical.settings import ClassicalSettings
from services.gemini.settings import GeminiSettings
from services.llava.settings import LlavaSettings
from services.openai.settings import OpenaiSettings
from services.sam.settings import SamSettings

MODELS: dict[str, type[ServerSettings]] = {
    "classical": ClassicalSettings,
    "sam": SamSettings,
    "cellpose": CellposeSettings,
    "llava": LlavaSettings,
    "openai": OpenaiSettings,
    "gemini": GeminiSettings,
}
SETTINGS: dict[str, type[ServerSettings]] = {
    "gateway": GatewaySettings,
    **MODELS,
    "evaluator": EvaluatorSettings,
}
ROOT = COMPOSE_FILE.parent


@pytest.fixture(params=SETTINGS)
def loaded(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ServerSettings:
    """The settings of a service as the stack runner would start it."""
    topology = read_topology(COMPOSE_FILE, {})
    assert topology.services.keys() == SETTINGS.keys()
    for secret in topology.secrets.values():
        path = tmp_path / secret.file
        path.parent.mkdir(exist_ok=True)
        path.write_text("a-key")
    plan = plan_locally(topology, root=tmp_path, home=tmp_path, published_ports=True)[request.param]
    for folder in plan.folders:
        folder.mkdir(parents=True)
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    for name, value in plan.environment.items():
        known = name.removeprefix(PREFIX).lower() in SETTINGS[request.param].model_fields
        assert known or not name.startswith(PREFIX), name
        monkeypatch.setenv(name, value)
    settings = load_settings(SETTINGS[request.param])
    assert f"{settings.host}:{settings.port}" == plan.address
    # Docker and the stack runner must not kill a service that is still within its own grace period.
    assert settings.drain_delay_s + settings.grace_s < plan.stop_grace_s
    return settings


# Every variable is a setting of its process, valid as it stands, and the ports are where the runner looks.
def test_settings_are_valid(loaded: ServerSettings) -> None:
    assert loaded.host == "127.0.0.1"
    assert loaded.metrics_port is not None


# What every folder under services/ is, the compose file starts, in a container that has its extra alone.
def test_every_service_is_there() -> None:
    services = read_topology(COMPOSE_FILE, {}).services
    assert {path.parent.name for path in ROOT.glob("services/*/__main__.py")} == MODELS.keys()
    for name in MODELS:
        assert services[name].command == ("python", "-m", f"services.{name}")
        assert services[name].build.args == {"SERVICE": name}


# The keys of the providers reach their services, as secrets.
def test_keys_arrive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("a-key\n")
    for provider, kind in (("OPENAI", OpenaiSettings), ("GEMINI", GeminiSettings)):
        variable = f"HOOKE_{provider}_API_KEY_FILE"
        topology = read_topology(COMPOSE_FILE, {variable: str(tmp_path / "key")})
        plan = plan_locally(topology, root=tmp_path, home=tmp_path, published_ports=False)
        monkeypatch.setenv(variable, plan[provider.lower()].environment[variable])
        assert getattr(load_settings(kind), variable.removeprefix(PREFIX).lower()) == tmp_path / "key"


# The gateway finds the models and the evaluator, and the evaluator finds the gateway.
def test_services_find_each_other(tmp_path: Path) -> None:
    plan = plan_locally(read_topology(COMPOSE_FILE, {}), root=tmp_path, home=tmp_path, published_ports=False)
    gateway = plan["gateway"].environment["HOOKE_GATEWAY_ADDRESSES"].split(",")
    assert set(gateway) == {f"{name}={plan[name].address}" for name in (*MODELS, "evaluator")}
    assert plan["evaluator"].environment["HOOKE_EVALUATOR_GATEWAY"] == plan["gateway"].address


# Without any setting the processes find each other on one machine: the routes that come along name the
# ports that the services listen on by default.
def test_defaults_fit_each_other() -> None:
    routes = read_routes(GatewaySettings.model_fields["gateway_routes"].default)
    ports = {name: kind.model_fields["port"].default for name, kind in SETTINGS.items()}
    assert routes.models == {name: (f"127.0.0.1:{ports[name]}",) for name in MODELS}
    assert len(set(ports.values())) == len(ports)
    assert routes.evaluator == (f"127.0.0.1:{ports['evaluator']}",)
    gateway = EvaluatorSettings.model_fields["evaluator_gateway"].default
    assert gateway == f"localhost:{ports['gateway']}"
