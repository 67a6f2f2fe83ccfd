"""Reads `docker-compose.yml`, the one description of the local topology.

Only what that file uses is understood; anything else is a `ComposeError` that names it, so that the
containers and the local processes can never mean different things. What confines a container, such as limits
of memory, has no meaning for a process, and is left to Docker. Services that are somebody else's image, such
as Prometheus, run as containers alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+):-(?P<default>[^${}]*)\}")
_DURATION = re.compile(r"(?:(?P<minutes>\d+)m)?(?:(?P<seconds>\d+)s)?")
_HEALTH_TEST = re.compile(r"CMD python -m deploy\.health 127\.0\.0\.1:\d+")
_PORT = re.compile(r"(?P<host>[\d.]+):(?P<published>\d+):(?P<container>\d+)")


class ComposeError(Exception):
    """The compose file says something that the stack runner cannot do; the message says where."""


def _seconds(value: object) -> float:
    match = _DURATION.fullmatch(str(value))
    if match is None or not match.group():
        raise ValueError("a duration is written like 30s or 1m30s")
    return 60.0 * int(match["minutes"] or 0) + int(match["seconds"] or 0)


Duration = Annotated[float, BeforeValidator(_seconds)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Build(_Strict):
    """How the container image is made; local processes need none."""

    context: str
    dockerfile: str
    target: str = "cpu"
    args: Mapping[str, str]


class Port(_Strict):
    """One published port."""

    host: str
    published: int
    container: int


class Volume(_Strict):
    """One mount. `source` is a path (absolute, or beginning with a dot), or the name of a volume."""

    source: str
    target: str
    read_only: bool

    @property
    def named(self) -> bool:
        """True for a named volume, False for a folder of the host."""
        return not self.source.startswith((".", "/"))


def _port(value: object) -> object:
    match = _PORT.fullmatch(str(value))
    if match is None:
        raise ValueError("a port is written like 127.0.0.1:50051:50051")
    return match.groupdict()


def _volume(value: object) -> object:
    source, _, target = str(value).partition(":")
    path, _, mode = target.partition(":")
    if not path.startswith("/") or mode not in {"", "ro"}:
        raise ValueError("a volume is written like name:/path or ./folder:/path:ro")
    return {"source": source, "target": path, "read_only": mode == "ro"}


class HealthCheck(_Strict):
    """How health is asked for, and for how long a service may be unhealthy after its start."""

    test: tuple[str, ...]
    interval: Duration
    timeout: Duration
    retries: int
    start_period: Duration

    @property
    def start_deadline_s(self) -> float:
        """Seconds after the start at which a service that never was healthy has failed."""
        return self.start_period + self.retries * self.interval


class Device(_Strict):
    """A kind of accelerator that the container is to see; local processes see all that the machine has."""

    driver: Literal["nvidia"]
    count: Annotated[int, Field(ge=1)] | None = None
    device_ids: tuple[str, ...] = ()
    capabilities: tuple[Literal["gpu"], ...]


class Reservations(_Strict):
    """What the container must find."""

    devices: tuple[Device, ...]


class Limits(_Strict):
    """What the container gets of the machine at most, as Docker writes it."""

    cpus: str
    memory: str
    pids: int


class Resources(_Strict):
    """What the container gets of the machine."""

    limits: Limits | None = None
    reservations: Reservations | None = None


class Deploy(_Strict):
    """How the container is placed."""

    resources: Resources


class Secret(_Strict):
    """A file that the services that name it see as `/run/secrets/NAME`."""

    file: str


class Dependency(_Strict):
    """What another service must be before this one starts."""

    condition: Literal["service_healthy"]
    required: bool = True
    """False: it is an image of others, which is waited for where it runs."""


class Service(_Strict):
    """One service of the topology; one with profiles runs only where one of them is asked for."""

    profiles: tuple[str, ...] = ()
    image: str = ""
    build: Build
    pull_policy: str = ""
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ports: tuple[Annotated[Port, BeforeValidator(_port)], ...] = ()
    healthcheck: HealthCheck
    depends_on: Mapping[str, Dependency] = {}
    volumes: tuple[Annotated[Volume, BeforeValidator(_volume)], ...] = ()
    secrets: tuple[str, ...] = ()
    deploy: Deploy | None = None
    stop_grace_period: Duration

    # How a container is confined and kept: nothing of it is for a process of this machine.
    restart: str = "no"
    logging: Mapping[str, Any] = {}
    user: str = ""
    read_only: bool = False
    tmpfs: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()

    @property
    def waits_for(self) -> frozenset[str]:
        """Names of the services that must be healthy before it starts, wherever it runs."""
        return frozenset(name for name, dependency in self.depends_on.items() if dependency.required)

    @property
    def health_port(self) -> int:
        """Container port that the health check asks."""
        return int(self.healthcheck.test[-1].rpartition(":")[2])


class ImageService(BaseModel):
    """A service that is somebody else's image: it has no `build`, and is no process of this machine.

    It stands behind a profile, so that containers and local processes are the same where none is asked for.
    """

    model_config = ConfigDict(frozen=True)

    image: str
    profiles: Annotated[tuple[str, ...], Field(min_length=1)]


class Network(_Strict):
    """The one network that all containers are on."""

    name: str


class Topology(_Strict):
    """Every service, by name, in the order of the file; `images` are those that containers alone run."""

    name: str
    services: Mapping[str, Service]
    images: Mapping[str, ImageService] = {}
    networks: Mapping[Literal["default"], Network] = {}
    volumes: Mapping[str, None] = {}
    secrets: Mapping[str, Secret] = {}

    @property
    def profiles(self) -> frozenset[str]:
        """Every profile that a service has."""
        return frozenset(profile for service in self.services.values() for profile in service.profiles)

    def running(self, profiles: Collection[str]) -> frozenset[str]:
        """Names of the services that run where these profiles are asked for.

        Raises:
            ComposeError: no service has such a profile, or only services that containers alone run.
        """
        for name, image in self.images.items():
            if (asked := set(profiles).intersection(image.profiles)) and not asked & self.profiles:
                raise ComposeError(f"{name} is the image {image.image}: it runs with Docker only")
        unknown = sorted(set(profiles) - self.profiles)
        if unknown:
            known = ", ".join(sorted(self.profiles)) or "none"
            raise ComposeError(f"there is no profile {', '.join(unknown)}; there are {known}")
        return frozenset(
            name
            for name, service in self.services.items()
            if not service.profiles or not set(profiles).isdisjoint(service.profiles)
        )


def read_topology(path: Path, variables: Mapping[str, str]) -> Topology:
    """Read a compose file.

    Args:
        path: the file.
        variables: values for `${NAME:-default}`, usually the environment.

    Raises:
        ComposeError: the file cannot be read, is not YAML, or says what is not understood; every place is
            named.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(document, Mapping):
            raise ValueError("holds no services")
        content = {key: value for key, value in document.items() if not key.startswith("x-")}
        topology = Topology.model_validate(_apart(_substitute(content, variables)))
    except ValidationError as error:
        places = [
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
            for problem in error.errors(include_url=False)
        ]
        raise ComposeError("\n".join([f"{path.name} says what is not supported:", *places])) from None
    except OSError as error:
        raise ComposeError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ComposeError(f"{path.name}: {error}") from None
    _check(topology)
    return topology


def _apart(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Put services that have an image and no `build` apart from those of Hooke."""
    services = content.get("services")
    if not isinstance(services, Mapping):
        return content
    images = {
        name: service
        for name, service in services.items()
        if isinstance(service, Mapping) and "image" in service and "build" not in service
    }
    own = {name: service for name, service in services.items() if name not in images}
    return {**content, "services": own, "images": images}


def _substitute(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _substitute(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [_substitute(item, variables) for item in value]
    if not isinstance(value, str):
        return value
    if "$" in _VARIABLE.sub("", value):
        raise ValueError(f"{value!r}: variables are written ${{NAME:-default}}")
    return _VARIABLE.sub(lambda match: variables.get(match["name"]) or match["default"], value)


def _check(topology: Topology) -> None:
    for name, service in topology.services.items():
        if service.command[:2] != ("python", "-m"):
            raise ComposeError(f"services.{name}.command: must begin with python -m")
        if _HEALTH_TEST.fullmatch(" ".join(service.healthcheck.test)) is None:
            raise ComposeError(f"services.{name}.healthcheck.test: must match {_HEALTH_TEST.pattern}")
        listening = {value for key, value in service.environment.items() if key.endswith("_PORT")}
        for port in (service.health_port, *(port.container for port in service.ports)):
            if str(port) not in listening:
                raise ComposeError(f"services.{name}: no HOOKE_..._PORT of its environment is {port}")
        _check_dependencies(name, service, topology)
        for volume in service.volumes:
            if volume.named and volume.source not in topology.volumes:
                raise ComposeError(f"services.{name}.volumes: there is no volume {volume.source}")
        for secret in service.secrets:
            if secret not in topology.secrets:
                raise ComposeError(f"services.{name}.secrets: there is no secret {secret}")
    _check_cycles(topology)


def _check_dependencies(name: str, service: Service, topology: Topology) -> None:
    for other, dependency in service.depends_on.items():
        if not dependency.required and other in topology.images:
            continue
        if other not in topology.services:
            raise ComposeError(f"services.{name}.depends_on: there is no service {other}")
        if topology.services[other].profiles:
            raise ComposeError(f"services.{name}.depends_on: {other} has profiles, so it may be absent")


def _check_cycles(topology: Topology) -> None:
    started: set[str] = set()
    while len(started) < len(topology.services):
        ready = {name for name, service in topology.services.items() if service.waits_for <= started}
        if ready <= started:
            raise ComposeError("services: depends_on goes round in a circle")
        started |= ready
