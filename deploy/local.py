"""Translates the services of a compose file into processes of this machine.

Every service hears on 127.0.0.1. A variable whose name ends in `_PORT` is a port that the service listens
on; each gets a port of its own here, and `service:port` in any variable becomes the address of that.
Mounted paths and secrets become folders and files of this machine. GPUs need no translation: a process sees
those that the machine has.
"""

from __future__ import annotations

import random
import re
import socket
import sys
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from deploy.compose import ComposeError, Service, Topology

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class LocalService:
    """How one service runs on this machine.

    Attributes:
        environment: what the compose file sets, translated; nothing of the caller's environment.
        address: where it answers gRPC, as host:port.
        ports: variable -> port, for every port that it listens on.
        folders: folders that must exist before it starts.
        start_deadline_s: seconds that it may take to become healthy.
        stop_grace_s: seconds that it may take to end after SIGTERM.
    """

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    address: str
    ports: Mapping[str, int]
    folders: tuple[Path, ...]
    depends_on: frozenset[str]
    start_deadline_s: float
    stop_grace_s: float


def plan_locally(
    topology: Topology,
    *,
    root: Path,
    home: Path,
    published_ports: bool,
    own_ports: Mapping[str, int] = MappingProxyType({}),
) -> Mapping[str, LocalService]:
    """Say how every service of `topology` runs on this machine, by name.

    Args:
        topology: the compose file.
        root: folder of the compose file; relative mounts start there.
        home: folder for named volumes.
        published_ports: True takes the published ports where there are some; False only free ones.
        own_ports: where a service is looked for that somebody starts by hand; with published ports, those
            that the compose file does not publish answer there.

    Raises:
        ComposeError: a variable names a port of a service that does not listen there.
    """
    ports = _choose_ports(topology, own_ports if published_ports else {}, published_ports=published_ports)
    return {
        name: _plan(name, service, ports, _folders(service, root, home), _secrets(service, topology, root))
        for name, service in topology.services.items()
    }


_Ports = Mapping[tuple[str, int], int]
"""(service, container port) -> port of this machine."""


def _plan(
    name: str,
    service: Service,
    ports: _Ports,
    folders: Mapping[str, Path],
    secrets: Mapping[str, Path],
) -> LocalService:
    services = "|".join(re.escape(service) for service in sorted({key[0] for key in ports}))

    def local_address(match: re.Match[str]) -> str:
        key = (match["service"], int(match["port"]))
        if key not in ports:
            raise ComposeError(f"services.{name}.environment: nothing listens at {match.group()}")
        return f"{LOOPBACK}:{ports[key]}"

    def translate(key: str, value: str) -> str:
        if key.endswith("_PORT"):
            return str(ports[name, int(value)])
        if value == "0.0.0.0":
            return LOOPBACK
        for target, path in {**folders, **secrets}.items():
            if value == target or value.startswith(f"{target}/"):
                return f"{path}{value.removeprefix(target)}"
        return re.sub(rf"\b(?P<service>{services}):(?P<port>\d+)\b", local_address, value)

    # A secret that nobody put there is not handed on: the service starts without, and says what is missing.
    missing = {target for target, path in secrets.items() if not path.is_file()}
    environment = {
        key: translate(key, value) for key, value in service.environment.items() if value not in missing
    }
    return LocalService(
        name=name,
        arguments=(sys.executable, *service.command[1:]),
        environment=environment,
        address=f"{LOOPBACK}:{ports[name, service.health_port]}",
        ports={key: int(value) for key, value in environment.items() if key.endswith("_PORT")},
        folders=tuple(folders.values()),
        depends_on=service.waits_for,
        start_deadline_s=service.healthcheck.start_deadline_s,
        stop_grace_s=service.stop_grace_period,
    )


def _folders(service: Service, root: Path, home: Path) -> Mapping[str, Path]:
    return {
        volume.target: (home / volume.source if volume.named else root / volume.source).resolve()
        for volume in service.volumes
    }


def _secrets(service: Service, topology: Topology, root: Path) -> Mapping[str, Path]:
    return {
        f"/run/secrets/{name}": (root / topology.secrets[name].file).resolve() for name in service.secrets
    }


def _choose_ports(topology: Topology, own_ports: Mapping[str, int], *, published_ports: bool) -> _Ports:
    chosen: dict[tuple[str, int], int] = {}
    for name, service in topology.services.items():
        published = {port.container: port.published for port in service.ports} if published_ports else {}
        if name in own_ports:
            published.setdefault(service.health_port, own_ports[name])
        for variable, value in service.environment.items():
            if variable.endswith("_PORT"):
                container = int(value)
                chosen[name, container] = published.get(container) or free_port(set(chosen.values()))
    return chosen


def free_port(taken: Container[int] = ()) -> int:
    """Return a port of loopback that nothing listens on, and that is not among `taken`."""
    # Below the range that outgoing connections take their ports from, which could grab a port between
    # this look and the service's start; at random, so that stacks side by side rarely meet.
    for _ in range(1000):
        port = random.randrange(20_000, 32_000)
        if port not in taken and is_free(port):
            return port
    raise ComposeError("no free port between 20000 and 32000")


def is_free(port: int) -> bool:
    """Say whether a server could listen on a port of loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections do not count
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
