"""What the end-to-end tests share: real processes, and the code of the pages."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.health import serves

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Block:
    """A block of code in a page, with the mark in the comment before it: `<!-- KIND: NAME -->`."""

    kind: str
    name: str
    code: str


def blocks(page: str) -> list[Block]:
    """The marked blocks of a page of docs/, in order."""
    found = re.findall(
        r"^<!-- (\w+): (\S+) -->\n```\w+\n(.*?)^```", (ROOT / "docs" / page).read_text(), re.M | re.S
    )
    return [Block(*match) for match in found]


@contextmanager
def started(command: list[str], *, cwd: Path, environment: Mapping[str, str], address: str) -> Iterator[None]:
    """A server, from when it serves until it has ended by SIGTERM; its output is shown if it fails."""
    log = cwd / "server.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=file, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: serves(address) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.terminate()
        try:
            assert process.wait(60) == 0, log.read_text()
        finally:
            process.kill()
            process.wait()


def wait_until(condition: Callable[[], bool], limit_s: float = 60.0) -> None:
    """Wait for `condition`, and fail if it does not come true."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)
