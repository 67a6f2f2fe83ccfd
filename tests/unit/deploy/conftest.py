"""A topology of fake services in a temporary folder."""

import contextlib
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

SERVICE = {
    "build": {"context": ".", "dockerfile": "Dockerfile", "args": {}},
    "command": ["python", "-m", "fake_service"],
    "healthcheck": {
        "test": ["CMD", "python", "-m", "deploy.health", "127.0.0.1:50051"],
        "interval": "1s",
        "timeout": "1s",
        "retries": 1,
        "start_period": "20s",
    },
    "stop_grace_period": "10s",
}


def fake(name: str, mode: str = "", **changes: object) -> dict[str, object]:
    """A service of the compose file."""
    environment = {"HOOKE_HOST": "0.0.0.0", "HOOKE_PORT": "50051", "FAKE_NAME": name, "FAKE_MODE": mode}
    return {**SERVICE, "environment": environment, **changes}


def after(*names: str) -> dict[str, object]:
    """The value of depends_on."""
    return {name: {"condition": "service_healthy"} for name in names}


@dataclass(frozen=True)
class Event:
    """What a fake service noted."""

    service: str
    event: str
    pid: int


@dataclass(frozen=True)
class Site:
    """A folder with a compose file of fake services."""

    folder: Path

    @property
    def compose_file(self) -> Path:
        return self.folder / "docker-compose.yml"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def events(self) -> list[Event]:
        try:
            lines = (self.folder / "events").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [Event(service, event, int(pid)) for service, event, pid in map(str.split, lines)]

    def left_running(self) -> list[Event]:
        return [event for event in self.events() if _alive(event.pid)]


def _alive(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        # A zombie has ended; whoever adopted it has just not looked.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def wait_until(condition: Callable[[], bool], limit_s: float = 30.0) -> None:
    """Wait for `condition`, and fail if it does not come true."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


@pytest.fixture
def site(tmp_path: Path) -> Callable[..., Site]:
    """Make a site with the given services."""

    def make(**services: Mapping[str, object]) -> Site:
        shutil.copy(Path(__file__).with_name("fake_service.py"), tmp_path)
        document = {"name": "fakes", "services": services, "volumes": {"runs": None}}
        (tmp_path / "docker-compose.yml").write_text(yaml.safe_dump(document, sort_keys=False))
        return Site(tmp_path)

    return make
