"""The compose file: what is understood, and what is refused."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.compose import ComposeError, read_topology
from deploy.local import plan_locally
from deploy.supervisor import COMPOSE_FILE


@pytest.fixture
def document() -> dict[str, Any]:
    # Through JSON, so that services do not share what the file says once for several of them.
    return json.loads(json.dumps(yaml.safe_load(COMPOSE_FILE.read_text())))


def read(document: dict[str, Any], folder: Path, **variables: str) -> Any:
    path = folder / "docker-compose.yml"
    path.write_text(yaml.safe_dump(document))
    return read_topology(path, variables)


# The compose file of this repository is understood, and has the gateway that clients talk to.
def test_repository_topology() -> None:
    topology = read_topology(COMPOSE_FILE, {})
    assert topology.running([]) == {"gateway", "classical", "evaluator"}
    assert topology.running(["gpu", "cloud"]) == set(topology.services)
    assert topology.running(["sam"]) == {"gateway", "classical", "evaluator", "sam"}
    assert topology.services["gateway"].ports[0].host == "127.0.0.1"


# One GPU of several can be named, as Docker wants it; a local process sees all of them.
def test_one_of_several_gpus(document: dict[str, Any], tmp_path: Path) -> None:
    device = document["services"]["sam"]["deploy"]["resources"]["reservations"]["devices"][0]
    del device["count"]
    device["device_ids"] = ["1"]
    (found,) = read(document, tmp_path).services["sam"].deploy.resources.reservations.devices
    assert found.device_ids == ("1",)


# A profile that no service has is a mistake, and those that there are are said.
def test_unknown_profile() -> None:
    with pytest.raises(ComposeError, match=r"no profile gpus; there are .*gpu"):
        read_topology(COMPOSE_FILE, {}).running(["gpus"])


# What is somebody else's image runs with Docker only, and the stack runner says so where it is asked for.
def test_images_of_others() -> None:
    topology = read_topology(COMPOSE_FILE, {})
    assert set(topology.images) == {"prometheus", "grafana", "postgres"}
    assert not topology.images.keys() & topology.running(["gpu", "cloud"])
    with pytest.raises(ComposeError, match=r"prometheus is the image .*: it runs with Docker only"):
        topology.running(["observability"])


# What is waited for where it runs alone, such as a database, is nothing that a process of this machine waits
# for; only an image of others can be that.
def test_waits_for_images_where_they_run(document: dict[str, Any], tmp_path: Path) -> None:
    topology = read_topology(COMPOSE_FILE, {})
    assert topology.services["evaluator"].depends_on.keys() == {"postgres"}
    plan = plan_locally(topology, root=tmp_path, home=tmp_path, published_ports=False)
    assert plan["evaluator"].depends_on == frozenset()
    document["services"]["evaluator"]["depends_on"] = {
        "sam": {"condition": "service_healthy", "required": False}
    }
    with pytest.raises(ComposeError, match=r"services\.evaluator\.depends_on: sam has profiles"):
        read(document, tmp_path)


def _set(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    *parents, last = path.split(".")

    def change(document: dict[str, Any]) -> None:
        for key in parents:
            document = document[key]
        document[last] = value

    return change


# What the stack runner would do otherwise than Docker is refused, and the message says where it stands.
@pytest.mark.parametrize(
    ("change", "place"),
    [
        (_set("services.gateway.privileged", True), "services.gateway.privileged"),
        (_set("services.gateway.deploy.resources.limits.gpus", 1), "services.gateway.deploy"),
        (_set("services.gateway.networks", ["lab"]), "services.gateway.networks"),
        (_set("networks", {"lab": None}), "networks"),
        (_set("services.gateway.command", "python -m gateway"), "services.gateway.command"),
        (_set("services.gateway.command", ["bash", "-c", "x"]), "services.gateway.command"),
        (_set("services.gateway.ports", ["50051:50051"]), "services.gateway.ports.0"),
        (_set("services.gateway.ports", ["127.0.0.1:1:77"]), "services.gateway"),
        (_set("services.gateway.healthcheck.test", ["CMD", "true"]), "services.gateway.healthcheck.test"),
        (_set("services.gateway.healthcheck.interval", "5 min"), "services.gateway.healthcheck.interval"),
        (_set("services.gateway.healthcheck.interval", ""), "services.gateway.healthcheck.interval"),
        (_set("services.gateway.depends_on", ["classical"]), "services.gateway.depends_on"),
        (
            _set("services.gateway.depends_on", {"classical": {"condition": "service_started"}}),
            "services.gateway.depends_on.classical.condition",
        ),
        (
            _set("services.gateway.depends_on", {"nobody": {"condition": "service_healthy"}}),
            "services.gateway.depends_on",
        ),
        (_set("services.gateway.build", None), "services.gateway.build"),
        (_set("services.grafana.profiles", []), "images.grafana.profiles"),
        (_set("services.gateway.depends_on", {"grafana": {"condition": "service_healthy"}}), "grafana"),
        (_set("services.evaluator.volumes", ["other:/runs"]), "services.evaluator.volumes"),
        (_set("services.evaluator.volumes", ["./data:/data:rw"]), "services.evaluator.volumes.0"),
        (
            _set("services.gateway.depends_on", {"sam": {"condition": "service_healthy"}}),
            "services.gateway.depends_on: sam has profiles",
        ),
        (_set("services.openai.secrets", ["other"]), "services.openai.secrets"),
        (_set("secrets.openai_api_key", {"environment": "KEY"}), "secrets.openai_api_key"),
        (
            _set("services.sam.deploy.resources.reservations.devices", [{"driver": "amd"}]),
            "services.sam.deploy.resources.reservations.devices.0.driver",
        ),
        (_set("services.sam.deploy.replicas", 2), "services.sam.deploy.replicas"),
        (_set("services.evaluator.environment.HOOKE_X", "$HOME"), "$HOME"),
        (_set("services.evaluator.environment.HOOKE_X", "${HOME:?gone}"), "${HOME:?gone}"),
    ],
)
def test_refuses(
    document: dict[str, Any], tmp_path: Path, change: Callable[[dict[str, Any]], None], place: str
) -> None:
    change(document)
    with pytest.raises(ComposeError) as caught:
        read(document, tmp_path)
    assert place in str(caught.value)


# Services that wait for each other would never start, so the file is refused.
def test_refuses_circle(document: dict[str, Any], tmp_path: Path) -> None:
    for one, other in (("gateway", "classical"), ("classical", "gateway")):
        document["services"][one]["depends_on"] = {other: {"condition": "service_healthy"}}
    with pytest.raises(ComposeError, match="circle"):
        read(document, tmp_path)


# A file that is not there, is not YAML or holds nothing is an error with its name, not a traceback.
@pytest.mark.parametrize("text", [None, "services: [", "", "- gateway"])
def test_refuses_other_than_yaml(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "docker-compose.yml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ComposeError, match=r"docker-compose\.yml"):
        read_topology(path, {})


# A variable of the environment fills in its place; without it the default stands there.
def test_variables(document: dict[str, Any], tmp_path: Path) -> None:
    document["services"]["gateway"]["environment"]["HOOKE_X"] = "a ${SOME_NAME:-default} b"
    assert read(document, tmp_path).services["gateway"].environment["HOOKE_X"] == "a default b"
    topology = read(document, tmp_path, SOME_NAME="value")
    assert topology.services["gateway"].environment["HOOKE_X"] == "a value b"


# Durations are read as Docker reads them.
@pytest.mark.parametrize(("text", "seconds"), [("5s", 5), ("2m", 120), ("1m30s", 90)])
def test_durations(document: dict[str, Any], tmp_path: Path, text: str, seconds: float) -> None:
    document["services"]["gateway"]["stop_grace_period"] = text
    assert read(document, tmp_path).services["gateway"].stop_grace_period == seconds


# On this machine every service has ports of its own, finds the others at theirs, and sees its mounts.
def test_local_plan(document: dict[str, Any], tmp_path: Path) -> None:
    environment = document["services"]["gateway"]["environment"]
    environment["HOOKE_X"] = "classical:50051,evaluator:50051"
    document["services"]["evaluator"]["environment"]["HOOKE_Y"] = "/runs/index"
    document["services"]["evaluator"]["volumes"] = ["./data:/data:ro", "runs:/runs"]
    plan = plan_locally(
        read(document, tmp_path), root=tmp_path, home=tmp_path / "home", published_ports=False
    )
    ports = [port for service in plan.values() for port in service.ports.values()]
    assert len(set(ports)) == len(ports)
    gateway, evaluator = plan["gateway"].environment, plan["evaluator"].environment
    assert gateway["HOOKE_HOST"] == "127.0.0.1"
    assert gateway["HOOKE_X"] == f"{plan['classical'].address},{plan['evaluator'].address}"
    assert plan["gateway"].address == f"127.0.0.1:{gateway['HOOKE_PORT']}"
    assert evaluator["HOOKE_Y"] == str(tmp_path / "home" / "runs" / "index")
    assert set(plan["evaluator"].folders) == {tmp_path / "data", tmp_path / "home" / "runs"}


# A secret is the file of this machine that the compose file names, given as an absolute path. One that is
# missing is not handed on: the service starts without it, and one key of two is enough for one provider.
def test_local_secrets(document: dict[str, Any], tmp_path: Path) -> None:
    key = "HOOKE_OPENAI_API_KEY_FILE"
    for variables, file in (
        ({}, tmp_path / "secrets" / "openai_api_key"),
        ({key: str(tmp_path / "keys" / "mine")}, tmp_path / "keys" / "mine"),
    ):
        topology = read(document, tmp_path, **variables)
        plan = plan_locally(topology, root=tmp_path, home=tmp_path, published_ports=False)
        assert key not in plan["openai"].environment
        file.parent.mkdir()
        file.write_text("a key")
        plan = plan_locally(topology, root=tmp_path, home=tmp_path, published_ports=False)
        assert plan["openai"].environment[key] == str(file)


# With published ports a client finds the gateway where the compose file says.
def test_published_ports(document: dict[str, Any], tmp_path: Path) -> None:
    plan = plan_locally(read(document, tmp_path), root=tmp_path, home=tmp_path, published_ports=True)
    published = document["services"]["gateway"]["ports"][0].split(":")[1]
    assert plan["gateway"].address == f"127.0.0.1:{published}"


# A service that is not published is where one started by hand would be, so that one that does not run yet is
# found by the running stack once somebody starts it.
def test_own_ports(document: dict[str, Any], tmp_path: Path) -> None:
    own = {"classical": 50052, "openai": 50056}
    plan = plan_locally(
        read(document, tmp_path), root=tmp_path, home=tmp_path, published_ports=True, own_ports=own
    )
    assert {name: plan[name].address for name in own} == {
        "classical": "127.0.0.1:50052",
        "openai": "127.0.0.1:50056",
    }
    apart = plan_locally(
        read(document, tmp_path), root=tmp_path, home=tmp_path, published_ports=False, own_ports=own
    )
    assert apart["classical"].address != "127.0.0.1:50052"


# A reference to a port on which the other service does not listen is refused.
def test_unknown_reference(document: dict[str, Any], tmp_path: Path) -> None:
    changed = copy.deepcopy(document)
    changed["services"]["gateway"]["environment"]["HOOKE_X"] = "classical:1"
    with pytest.raises(ComposeError, match="nothing listens at classical:1"):
        plan_locally(read(changed, tmp_path), root=tmp_path, home=tmp_path, published_ports=False)
