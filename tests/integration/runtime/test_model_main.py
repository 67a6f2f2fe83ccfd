"""The command line of a model with weights, as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.health import serves
from deploy.local import free_port
from tests.file_server import FileServer, serving_file
from tests.integration.runtime.weighty_fake import CONTENT

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("weighty_fake.py")


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving_file(CONTENT) as server:
        yield server


def environment(**variables: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("HOOKE_")}
    return {**own, "PYTHONPATH": str(ROOT), "HOOKE_LOG_LEVEL": "error", **variables}


def call(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# The help says what the command does, and that of `fetch` which weights there are, how large and under which
# licence.
def test_help() -> None:
    assert "fetch its weights" in call("--help").stdout
    told = call("fetch", "--help").stdout
    lines = [line.split() for line in told.splitlines()]
    assert ["tiny", "0", "MB", "Apache-2.0"] in lines
    assert ["large", "2,565", "MB", "CC-BY-NC-4.0"] in lines
    assert "python -m services.fake fetch tiny" in told


# `fetch` prints where the weights are and nothing else, so that a script can use it.
def test_fetch(server: FileServer, tmp_path: Path) -> None:
    for arguments, variables in (
        (("--dir", str(tmp_path)), {}),
        ((), {"HOOKE_WEIGHTS_DIR": str(tmp_path / "other")}),
    ):
        done = call("fetch", "tiny", *arguments, FAKE_URL=server.url, **variables)
        assert done.returncode == 0, done.stderr
        assert Path(done.stdout.strip()).read_bytes() == CONTENT


# A name that there is none of is told with those that there are.
def test_unknown_name() -> None:
    done = call("fetch", "huge")
    assert done.returncode == 2
    assert "tiny, large" in " ".join(done.stderr.split())


# What cannot be had ends with 2 and a sentence, without a traceback.
def test_fetch_fails(server: FileServer, tmp_path: Path) -> None:
    server.status = 404
    done = call("fetch", "tiny", "--dir", str(tmp_path), FAKE_URL=server.url)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"hooke: {server.url} cannot be fetched: 404 Not Found"
    assert "Traceback" not in done.stderr


# Wrong settings end the service with 2 and one line for each faulty variable.
def test_wrong_settings() -> None:
    done = call(HOOKE_PORT="many", HOOKE_PRECISION="double")
    assert done.returncode == 2
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == [
        "hooke",
        "HOOKE_PORT",
        "HOOKE_PRECISION",
    ]


# A service whose weights are missing ends, names the file, and says what to type.
def test_missing_weights(tmp_path: Path) -> None:
    done = call(HOOKE_WEIGHTS_DIR=str(tmp_path), HOOKE_PORT="0")
    assert done.returncode == 2
    assert done.stderr.startswith("hooke: weights are missing or wrong\n")
    assert str(tmp_path / "tiny.pth") in done.stderr
    assert "python -m services.fake fetch tiny" in done.stderr
    assert "Traceback" not in done.stderr


# A service whose library is missing ends, names it, and says how to install it; before it looks for weights,
# which take hours to fetch.
def test_missing_library(tmp_path: Path) -> None:
    done = call(FAKE_LIBRARY="no_such_library", HOOKE_WEIGHTS_DIR=str(tmp_path), HOOKE_PORT="0")
    assert done.returncode == 2
    assert done.stderr.startswith("hooke: a library is missing\n")
    assert "fake needs no_such_library" in done.stderr
    assert "'.[fake]'" in done.stderr
    assert "Traceback" not in done.stderr


# Without an argument the command serves, here with weights that it may fetch, until SIGTERM.
def test_serves(server: FileServer, tmp_path: Path) -> None:
    port = free_port()
    variables = environment(
        HOOKE_PORT=str(port),
        HOOKE_WEIGHTS_DIR=str(tmp_path),
        HOOKE_WEIGHTS_DOWNLOAD="true",
        FAKE_URL=server.url,
    )
    with subprocess.Popen([sys.executable, str(SCRIPT)], env=variables) as process:
        try:
            while not serves(f"127.0.0.1:{port}"):
                assert process.poll() is None
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
    assert (tmp_path / "tiny.pth").read_bytes() == CONTENT
