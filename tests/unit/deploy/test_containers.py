"""The containers of the compose file, and how their image is made: valid, confined, and without a secret."""

import importlib.resources
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.compose import read_topology
from deploy.supervisor import COMPOSE_FILE
from tests.unit.deploy.manifests import EVERYTHING, build, servers

ROOT = COMPOSE_FILE.parent
DOCUMENT: Mapping[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())
SERVICES: Mapping[str, Any] = DOCUMENT["services"]

each_service = pytest.mark.parametrize("name", SERVICES)


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """The output of a program that must succeed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# The file is what Compose understands, by its own schema, which knows no other keys.
def test_schema() -> None:
    path = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    schema = json.loads(path.read_text())
    assert schema["additionalProperties"] is False
    jsonschema.validate(DOCUMENT, schema)


# Docker itself takes it, with every profile, where there is Docker; and says no word of what secrets hold.
def test_docker_takes_it(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], check=False).returncode != 0:
        pytest.skip("docker compose is not installed")
    (tmp_path / COMPOSE_FILE.name).write_bytes(COMPOSE_FILE.read_bytes())
    (tmp_path / "secrets").mkdir()
    for name, secret in DOCUMENT["secrets"].items():
        (tmp_path / "secrets" / name).write_text("nobody-may-read-this")
        assert secret["file"].startswith("${HOOKE_")
    said = run(docker, "compose", "--profile=*", "config", cwd=tmp_path)
    assert yaml.safe_load(said)["services"].keys() == SERVICES.keys()
    assert "nobody-may-read-this" not in said


# Every container has no rights, cannot write its root, is nobody, and is started again where it ends.
@each_service
def test_containers_are_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert any(mount.startswith("/tmp:size=") for mount in service["tmpfs"])
    assert int(service["user"].partition(":")[0]) > 0
    outside = {"privileged", "network_mode", "networks", "pid", "ipc", "cap_add", "devices", "env_file"}
    assert not service.keys() & outside
    assert not any("docker.sock" in volume for volume in service.get("volumes", ()))


# Every container is bounded: cores, memory, processes, and what its log takes of the disk.
@each_service
def test_containers_are_bounded(name: str) -> None:
    limits = SERVICES[name]["deploy"]["resources"]["limits"]
    assert limits.keys() == {"cpus", "memory", "pids"}
    assert SERVICES[name]["logging"]["options"].keys() == {"max-size", "max-file"}


# Memory is that of the manifests for Kubernetes: what the settings let a server hold is tested there.
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_memory_is_that_of_the_manifests() -> None:
    for workload, container in servers(build(EVERYTHING[0])):
        gibibytes = container["resources"]["limits"]["memory"].removesuffix("Gi")
        assert SERVICES[workload.name]["deploy"]["resources"]["limits"]["memory"] == f"{gibibytes}g"


# Nothing but the gateway is published, beside pages to look at; and everything on loopback alone.
def test_only_the_gateway_is_published() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports.keys() == {"gateway", "prometheus", "grafana"}
    assert all(port.startswith("127.0.0.1:") for published in ports.values() for port in published)


# Every image has a version: that of Hooke, which is built here and never pulled by a name that others may
# have taken, or one of somebody else's.
@each_service
def test_images_have_a_version(name: str) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    service = SERVICES[name]
    if "build" in service:
        assert service["image"] == f"hooke/{name}:{version}"
        assert service["pull_policy"] == "build"
    else:
        assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+[\w.-]*", service["image"])


# What waits for another waits until that is healthy; and everything says whether it is, by a command whose
# arguments have no spaces, since some runtimes take them apart there.
@each_service
def test_the_start_is_gated_by_health(name: str) -> None:
    service = SERVICES[name]
    assert {one["condition"] for one in service.get("depends_on", {}).values()} <= {"service_healthy"}
    kind, *arguments = service["healthcheck"]["test"]
    assert kind == "CMD"
    assert not any(" " in argument for argument in arguments)


# No secret stands in the compose file, and none is handed on as a variable, which everybody sees who may look
# at a container: a service is told the file of it.
@each_service
def test_secrets_are_files(name: str) -> None:
    service = SERVICES[name]
    secret = re.compile("API_KEY|PASSWORD|DATABASE_URL")
    told = {key: value for key, value in service.get("environment", {}).items() if secret.search(key)}
    assert set(told.values()) == {f"/run/secrets/{secret}" for secret in service.get("secrets", ())}
    assert all(key.endswith("_FILE") for key in told)


# Every secret is one file of the host, named by a variable; the database alone may be absent.
def test_secrets_of_the_host() -> None:
    secrets = read_topology(COMPOSE_FILE, {}).secrets
    assert {name: secret.file for name, secret in secrets.items()} == {
        "openai_api_key": "./secrets/openai_api_key",
        "gemini_api_key": "./secrets/gemini_api_key",
        "postgres_password": "./secrets/postgres_password",
        "database_url": "/dev/null",
    }


# Images are made as hadolint wants it, and the YAML of the deployment reads well.
def test_linters() -> None:
    run(Path(sys.executable).with_name("hadolint"), *sorted((ROOT / "deploy").rglob("Dockerfile")))
    configuration = ROOT / ".yamllint.yaml"
    run(
        *(sys.executable, "-m", "yamllint", "--strict", "--config-file", configuration),
        *(COMPOSE_FILE, ROOT / "deploy"),
    )
