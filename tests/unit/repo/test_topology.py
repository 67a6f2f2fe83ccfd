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
from services.classical.settings import ClassicalSettings

SETTINGS: dict[str, type[ServerSettings]] = {
    "gateway": GatewaySettings,
    "classical": ClassicalSettings,
    "evaluator": EvaluatorSettings,
}


@pytest.fixture(params=SETTINGS)
def loaded(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ServerSettings:
    """The settings of a service as the stack runner would start it."""
    topology = read_topology(COMPOSE_FILE, {})
    assert topology.services.keys() == SETTINGS.keys()
    plan = plan_locally(topology, root=tmp_path, home=tmp_path, published_ports=True)[request.param]
    for folder in plan.folders:
        folder.mkdir(parents=True)
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    for name, value in plan.environment.items():
        assert name.removeprefix(PREFIX).lower() in SETTINGS[request.param].model_fields, name
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


# The gateway finds the model and the evaluator, and the evaluator finds the gateway.
def test_services_find_each_other(tmp_path: Path) -> None:
    plan = plan_locally(read_topology(COMPOSE_FILE, {}), root=tmp_path, home=tmp_path, published_ports=False)
    gateway = plan["gateway"].environment["HOOKE_GATEWAY_ADDRESSES"]
    assert plan["classical"].address in gateway
    assert plan["evaluator"].address in gateway
    assert plan["evaluator"].environment["HOOKE_EVALUATOR_GATEWAY"] == plan["gateway"].address


# Without any setting the three processes find each other on one machine: the routes that come along name the
# ports that the services listen on by default.
def test_defaults_fit_each_other() -> None:
    routes = read_routes(GatewaySettings.model_fields["gateway_routes"].default)
    ports = {name: kind.model_fields["port"].default for name, kind in SETTINGS.items()}
    assert routes.models == {"classical": (f"127.0.0.1:{ports['classical']}",)}
    assert routes.evaluator == (f"127.0.0.1:{ports['evaluator']}",)
    gateway = EvaluatorSettings.model_fields["evaluator_gateway"].default
    assert gateway == f"localhost:{ports['gateway']}"
