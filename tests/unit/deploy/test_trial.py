"""The trial of the containers, as far as it needs none; with podman and images, all of it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from deploy.compose import read_topology
from deploy.images import image_bytes
from deploy.supervisor import COMPOSE_FILE
from deploy.trial.__main__ import as_markdown, as_table
from deploy.trial.containers import PROJECT, run_arguments
from deploy.trial.load import Tally, discs
from deploy.trial.steps import Row

ROOT = COMPOSE_FILE.parent
TOPOLOGY = read_topology(COMPOSE_FILE, {})


def trial(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line."""
    command = [sys.executable, "-m", "deploy.trial", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def options(name: str, **changes: object) -> dict[str, list[str]]:
    """What podman is told of a service: option -> values."""
    service = TOPOLOGY.services[name]
    made = run_arguments(name, service, **{"published": {}, "folders": {}, **changes})  # type: ignore[arg-type]
    given, image = list(made), made.index(service.image)
    assert given[:2] == ["run", "--detach"]
    assert tuple(given[image + 1 :]) == service.command
    found: dict[str, list[str]] = {}
    for word in given[2:image]:
        if word.startswith("--"):
            values = found.setdefault(word, [])
        else:
            values.append(word)
    return found


# A container is confined and bounded as the compose file says, whatever the service.
@pytest.mark.parametrize("name", TOPOLOGY.services)
def test_containers_are_those_of_the_compose_file(name: str) -> None:
    service = TOPOLOGY.services[name]
    told = options(name)
    assert service.deploy is not None
    assert service.deploy.resources.limits is not None
    limits = service.deploy.resources.limits
    assert told["--cpus"] == [limits.cpus]
    assert told["--memory"] == [limits.memory]
    assert told["--pids-limit"] == [str(limits.pids)]
    assert told["--user"] == ["10001:10001"]
    assert told["--read-only"] == []
    assert told["--cap-drop"] == ["ALL"]
    assert told["--security-opt"] == ["no-new-privileges:true"]
    assert told["--tmpfs"] == ["/tmp:size=1g"]
    assert told["--restart"] == ["unless-stopped"]
    assert told["--stop-timeout"] == ["40"]
    assert json.loads(told["--health-cmd"][0]) == ["python", "-m", "deploy.health", "127.0.0.1:50051"]
    assert told["--network-alias"] == [name]
    assert told["--env"] == [f"{key}={value}" for key, value in service.environment.items()]
    assert "--publish" not in told


# Ports are published on loopback, volumes have names of their own, and folders cannot be written.
def test_mounts_and_ports() -> None:
    folders = {"/data": Path("/empty"), "/run/secrets/database_url": Path("/none")}
    told = options("evaluator", published={50051: 23456}, folders=folders, memory="300m")
    assert told["--publish"] == ["127.0.0.1:23456:50051"]
    assert told["--volume"] == [
        f"{PROJECT}-runs:/runs",
        "/empty:/data:ro",
        "/none:/run/secrets/database_url:ro",
    ]
    assert told["--memory"] == ["300m"]


# Every call is counted once, and only those with the right answer are not lost.
def test_tally() -> None:
    tally = Tally()
    assert not tally.complete
    tally.right = 3
    assert tally.complete
    assert str(tally) == "3 of 3 calls answered rightly; slowest 0.0 s"
    tally.wrong = 1
    tally.lost["UnavailableError"] += 2
    assert tally.calls == 6
    assert not tally.complete
    assert "3 of 6 calls answered rightly, 1 wrong, 2 lost (UnavailableError)" in str(tally)


# The micrographs show as many discs as they say, apart from each other.
def test_discs() -> None:
    pixels = discs(20)
    bright = (pixels > 2000).astype(int)
    assert (pixels.shape, pixels.dtype) == ((512, 512), "uint16")
    assert bright.sum() == 20 * bright[:32, :32].sum()
    assert bright[::32].sum() == bright[:, ::32].sum() == 0


# The table says what passed, what failed, and what is a figure alone.
def test_table() -> None:
    rows = [Row("[a]", "fine", True), Row("b", "broken", False), Row("c", "2 MB", None)]
    assert as_markdown(rows) == (
        "| what | found | |\n|---|---|---|\n| [a] | fine | ok |\n| b | broken | FAILED |\n| c | 2 MB |  |\n"
    )
    console = Console(width=60)
    with console.capture() as shown:
        console.print(as_table(rows))
    assert "[a]" in shown.get()
    assert "FAILED" in shown.get()


# Where there is no podman, the trial says so, and what to do.
def test_no_podman(tmp_path: Path) -> None:
    done = trial(PATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("There is no podman here, which this trial needs: apt-get install podman")
    assert done.stdout == ""


# The help says what is tried, and how.
def test_help() -> None:
    done = trial("--help", COLUMNS="200")
    assert done.returncode == 0
    for words in ("evaluates the suite", "restart policy", "out of memory", "make images", "--markdown"):
        assert words in done.stdout


# Everything: containers that drain, crash, run out of memory, and lose nothing.
@pytest.mark.e2e
@pytest.mark.timeout(1200)
def test_the_whole_trial() -> None:
    if "HOOKE_TEST_CONTAINERS" not in os.environ:
        pytest.skip("takes minutes: set HOOKE_TEST_CONTAINERS=1 where podman is")
    if shutil.which("podman") is None or os.geteuid() != 0:
        pytest.skip("needs podman, and to be root")
    for name in TOPOLOGY.running([]):
        if image_bytes("podman", TOPOLOGY.services[name].image) is None:
            pytest.skip(f"there is no image of {name}: make images")
    done = trial()
    assert done.returncode == 0, done.stdout + done.stderr
