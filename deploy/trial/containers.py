"""The services of the compose file as containers of podman, with all that the file says of them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.compose import Service, Topology

PROJECT = "hooke-trial"
"""Begins the names of containers, volumes and the network, so that they meet no others."""


class TrialError(Exception):
    """The trial cannot go on; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """How a container ended that was asked to."""

    seconds: float
    exit_code: int


def run_arguments(
    name: str,
    service: Service,
    *,
    published: Mapping[int, int],
    folders: Mapping[str, Path],
    memory: str | None = None,
) -> tuple[str, ...]:
    """Return the arguments of podman that start a service as the compose file describes it.

    Args:
        name: of the service; other containers find it under that.
        service: its description.
        published: container port -> port of loopback.
        folders: path in the container -> what is mounted there read-only, in place of the compose file's
            folders and secrets.
        memory: limit in the place of the compose file's.
    """
    limits = service.deploy.resources.limits if service.deploy else None
    if limits is None:
        raise TrialError(f"services.{name}: the compose file bounds neither cores nor memory")
    options = [
        *("--name", container(name), "--network", PROJECT, "--network-alias", name),
        *(
            "--restart",
            service.restart,
            "--user",
            service.user,
            "--stop-timeout",
            f"{service.stop_grace_period:.0f}",
        ),
        *("--cpus", limits.cpus, "--memory", memory or limits.memory, "--pids-limit", str(limits.pids)),
        # Nothing runs health checks by itself where there is no systemd: `Podman.healthy` does.
        *("--health-cmd", json.dumps(service.healthcheck.test[1:]), "--health-interval", "disable"),
    ]
    if service.read_only:
        options.append("--read-only")
    for option, values in (
        ("--tmpfs", service.tmpfs),
        ("--cap-drop", service.cap_drop),
        ("--security-opt", service.security_opt),
        ("--env", [f"{key}={value}" for key, value in service.environment.items()]),
        ("--publish", [f"127.0.0.1:{port}:{inside}" for inside, port in published.items()]),
        ("--volume", [f"{PROJECT}-{v.source}:{v.target}" for v in service.volumes if v.named]),
        ("--volume", [f"{path}:{target}:ro" for target, path in folders.items()]),
    ):
        for value in values:
            options += [option, value]
    return ("run", "--detach", *options, service.image, *service.command)


def container(name: str) -> str:
    """Name of the container of a service."""
    return f"{PROJECT}-{name}"


class Podman:
    """The containers of one trial.

    Args:
        topology: the compose file.
        home: empty folder for what stands in for datasets and secrets.
        published: (service, container port) -> port of loopback.
    """

    def __init__(self, topology: Topology, *, home: Path, published: Mapping[tuple[str, int], int]) -> None:
        self._topology = topology
        self._published = published
        self._folder = home / "empty"
        self._folder.mkdir()
        self._file = home / "no-secret"
        self._file.touch()

    def prepare(self) -> None:
        """Remove what an earlier trial has left, and make the network."""
        self.remove()
        call("network", "create", PROJECT)

    def remove(self) -> None:
        """Remove every container, volume and network of a trial, also of one that was killed."""
        for name in self._topology.services:
            call("rm", "--force", "--ignore", "--time", "0", container(name))
        for volume in self._topology.volumes:
            call("volume", "rm", "--force", f"{PROJECT}-{volume}", check=False)
        call("network", "rm", "--force", PROJECT, check=False)

    def start(self, name: str, *, memory: str | None = None) -> None:
        """Start a service, in the place of its container if there is one; does not wait for its health."""
        service = self._topology.services[name]
        call("rm", "--force", "--ignore", "--time", "0", container(name))
        arguments = run_arguments(
            name,
            service,
            published={inside: port for (owner, inside), port in self._published.items() if owner == name},
            folders={
                **{volume.target: self._folder for volume in service.volumes if not volume.named},
                **{f"/run/secrets/{secret}": self._file for secret in service.secrets},
            },
            memory=memory,
        )
        call(*arguments)

    def wait_healthy(self, name: str) -> float:
        """Wait until the health check of the compose file succeeds; return the seconds that it took.

        Raises:
            TrialError: it did not within the time that the compose file gives it.
        """
        deadline_s = self._topology.services[name].healthcheck.start_deadline_s
        began = time.monotonic()
        while not self.healthy(name):
            if time.monotonic() - began > deadline_s:
                raise TrialError(f"{name} was not healthy within {deadline_s:.0f} s:\n{self.log(name)}")
            time.sleep(0.2)
        return time.monotonic() - began

    def healthy(self, name: str) -> bool:
        """Run the health check once."""
        return call("healthcheck", "run", container(name), check=False).returncode == 0

    def again(self, name: str) -> None:
        """Start a container that was stopped."""
        call("start", container(name))

    def stop(self, name: str) -> Stopped:
        """Stop a container as `podman stop` does: SIGTERM, then SIGKILL after its grace period."""
        began = time.monotonic()
        call("stop", container(name))
        return Stopped(time.monotonic() - began, int(self._state(name)["ExitCode"]))

    def kill(self, name: str) -> None:
        """End the first process of a container from outside, as a crash would.

        `podman kill` and `docker kill` count as stopped by hand: after them no restart policy applies.
        """
        os.kill(self.process_id(name), signal.SIGKILL)

    def process_id(self, name: str) -> int:
        """The first process of a container, as the host numbers it."""
        process_id = int(self._state(name)["Pid"])
        if process_id <= 1:
            raise TrialError(f"{name} does not run:\n{self.log(name)}")
        return process_id

    def restarts(self, name: str) -> int:
        """How often the restart policy has started a container again."""
        return int(json.loads(call("inspect", container(name)).stdout)[0]["RestartCount"])

    def calls_received(self, name: str, method: str) -> int:
        """Calls of a method that a service has taken since its start, by its own metrics."""
        port = self._topology.services[name].environment["HOOKE_METRICS_PORT"]
        page = call(
            *("exec", container(name), "python", "-c"),
            "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=10).read().decode())",
            f"http://127.0.0.1:{port}/metrics",
        ).stdout
        lines = [
            x for x in page.splitlines() if x.startswith("grpc_server_started_total{") and f'"{method}"' in x
        ]
        return sum(int(float(line.rpartition(" ")[2])) for line in lines)

    def log(self, name: str) -> str:
        """The last lines that a container wrote."""
        done = call("logs", "--tail", "20", container(name), check=False)
        return (done.stdout + done.stderr).rstrip()

    def _state(self, name: str) -> Mapping[str, Any]:
        state: Mapping[str, Any] = json.loads(call("inspect", container(name)).stdout)[0]["State"]
        return state


def starved(process_id: int) -> bool:
    """Whether the kernel says that it killed a process because its container's memory was full."""
    log = subprocess.run(("dmesg",), capture_output=True, text=True, check=False).stdout
    return f"Memory cgroup out of memory: Killed process {process_id} " in log


def require_podman() -> None:
    """Raise TrialError where containers cannot be started here."""
    if shutil.which("podman") is None:
        raise TrialError(
            "There is no podman here, which this trial needs: apt-get install podman, or dnf install podman. "
            "With Docker, `docker compose up --build` starts the same containers."
        )
    if os.geteuid() != 0:
        raise TrialError("Run this as root: it kills processes of containers from outside, as a crash would.")


def call(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run podman.

    Raises:
        TrialError: `check` is True and it failed; the message is what it said.
    """
    # The monitor of a container stays in this folder, and notes there that memory ran out.
    done = subprocess.run(
        ("podman", *arguments), cwd=tempfile.gettempdir(), capture_output=True, text=True, check=False
    )
    if check and done.returncode != 0:
        raise TrialError(f"podman {arguments[0]} failed:\n{done.stderr.strip()}")
    return done
