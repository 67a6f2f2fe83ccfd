"""The services of `docker-compose.yml` as local processes: `Stack`, for the stack runner and for tests.

Services start as soon as what they depend on is healthy, stop in reverse order, and never outlive the
process that started them.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml
from rich.console import Console

from deploy.compose import Topology, read_topology
from deploy.health import OwnTls, serves
from deploy.local import LocalService, is_free, plan_locally
from deploy.process import ServiceProcess

COMPOSE_FILE = Path(__file__).resolve().parent.parent / "docker-compose.yml"
ROUTES_FILE = COMPOSE_FILE.parent / "gateway" / "routes.yaml"
ENTRY = "gateway"
"""The service that clients talk to."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StackError(Exception):
    """A service did not start, or died; the message holds the end of its log."""


class Stack:
    """The services of the compose file as local processes, for the duration of a `with` block.

    Args:
        home: folder for logs (`logs/SERVICE.log`) and named volumes.
        compose_file: the topology; services run in its folder.
        profiles: services that have profiles run if one of these is among them.
        published_ports: True listens on the ports that the compose file publishes, False on free ones.
        variables: overrides of the environment, which fills in `${NAME:-default}` of the compose file.
        console: where progress is shown; None shows nothing.

    Raises:
        ComposeError: the compose file says something that is not supported, or has no such profile.
        StackError: a variable names a folder that is not there; or, on entering, a service died or was not
            healthy in time, and nothing is left running.
    """

    def __init__(
        self,
        *,
        home: Path,
        compose_file: Path = COMPOSE_FILE,
        profiles: Collection[str] = (),
        published_ports: bool = False,
        variables: Mapping[str, str] | None = None,
        console: Console | None = None,
    ) -> None:
        variables = {**os.environ, **(variables or {})}
        topology = read_topology(compose_file, variables)
        self.home = home.resolve()
        self._root = compose_file.resolve().parent
        running = topology.running(profiles)
        _refuse_missing(topology, running, self._root, variables)
        plan = plan_locally(
            topology,
            root=self._root,
            home=self.home,
            published_ports=published_ports,
            own_ports=_own_ports(),
        )
        self.services: Mapping[str, LocalService] = {
            name: service for name, service in plan.items() if name in running
        }
        self._console = console or Console(quiet=True)
        self._processes: dict[str, ServiceProcess] = {}
        self._healthy: set[str] = set()

    @property
    def address(self) -> str:
        """Where clients connect: host:port of the gateway."""
        return self.services[ENTRY].address

    @property
    def processes(self) -> Mapping[str, ServiceProcess]:
        """The processes that were started, in that order."""
        return self._processes

    def log_path(self, name: str) -> Path:
        """Return the file that takes a service's output."""
        return self.home / "logs" / f"{name}.log"

    def __enter__(self) -> Self:
        for name in self.services:
            self.log_path(name).unlink(missing_ok=True)
        try:
            self._start_all()
        except BaseException:
            self.stop_all()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_all()

    def start(self, name: str) -> ServiceProcess:
        """Start one service, or start it again after its end; does not wait for its health.

        Raises:
            StackError: another process listens on one of its ports, and would answer in its place.
        """
        for variable, port in self.services[name].ports.items():
            if not is_free(port):
                raise StackError(f"{name} cannot start: port {port} ({variable}) is in use")
        # The compose file alone says how services are set up: the caller's own settings stay outside.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("HOOKE_")}
        process = ServiceProcess(
            self.services[name],
            root=self._root,
            environment={**environment, "PYTHONUNBUFFERED": "1"},
            log_path=self.log_path(name),
        )
        self._processes[name] = process
        return process

    def wait_healthy(self, name: str) -> None:
        """Wait until a started service is healthy.

        Raises:
            StackError: it died, or was not healthy within the time that the compose file gives it.
        """
        while not self._look(name):
            time.sleep(0.05)

    def check(self) -> None:
        """Raise StackError if a service has died."""
        for name, process in self._processes.items():
            if process.exit_code is not None:
                raise StackError(_obituary(name, process))

    def stop_all(self) -> None:
        """Stop what was started last first; returns when every process is gone."""
        # A second Ctrl-C must not leave half of the services behind; the grace periods bound the wait.
        earlier = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            while self._processes:
                name, process = self._processes.popitem()
                began = time.monotonic()
                clean = process.stop()
                outcome = "stopped" if clean else "[red]killed after its grace period[/red]"
                self._console.print(f"  {name:<10} {outcome} ({time.monotonic() - began:.1f} s)")
            self._healthy.clear()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, earlier)

    def _start_all(self) -> None:
        with self._console.status("starting") as status:
            while len(self._healthy) < len(self.services):
                for name, service in self.services.items():
                    if name not in self._processes and service.depends_on <= self._healthy:
                        self.start(name)
                waiting = [name for name in self._processes if name not in self._healthy]
                status.update(f"starting {', '.join(waiting)}")
                for name in waiting:
                    self._look(name)
                self.check()
                time.sleep(0.05)

    def _look(self, name: str) -> bool:
        process = self._processes[name]
        if serves(process.service.address, tls=OwnTls.of(process.service.environment)):
            self._healthy.add(name)
            self._console.print(
                f"  {name:<10} ready at {process.service.address} ({process.age_s:.1f} s)", highlight=False
            )
            return True
        if process.exit_code is not None:
            raise StackError(_obituary(name, process))
        if process.age_s > process.service.start_deadline_s:
            raise StackError(
                f"{name} was not healthy within {process.service.start_deadline_s:.0f} s. "
                f"Its log ends with:\n{process.log_tail()}"
            )
        return False


def _refuse_missing(
    topology: Topology, running: Collection[str], root: Path, variables: Mapping[str, str]
) -> None:
    """Refuse a folder that somebody named and that is not there: made and empty, it would hide a slip."""
    for name in running:
        for volume in topology.services[name].volumes:
            named_by = [
                variable
                for variable, value in variables.items()
                if variable.startswith("HOOKE_") and value == volume.source
            ]
            if named_by and not (root / volume.source).is_dir():
                raise StackError(
                    f"{name} cannot start: there is no folder {root / volume.source}. "
                    f"{' and '.join(named_by)} names it: make the folder, or mend the variable."
                )


def _own_ports() -> Mapping[str, int]:
    """Where the gateway looks for each service by default, which is where one started by hand listens."""
    routes = yaml.safe_load(ROUTES_FILE.read_text(encoding="utf-8"))
    addresses = {**routes["models"], "evaluator": routes["evaluator"]}
    return {name: int(address.rpartition(":")[2]) for name, address in addresses.items()}


def _obituary(name: str, process: ServiceProcess) -> str:
    return (
        f"{name} ended with exit code {process.exit_code}. "
        f"Its log, {process.log_path}, ends with:\n{process.log_tail()}"
    )
