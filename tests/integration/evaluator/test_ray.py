"""The same suite on a Ray cluster of one machine, in a network and a process space of its own.

Ray listens on every interface, and a new process space ends with all its processes: nothing of it is left.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.postgres import Postgres, binaries

ROOT = Path(__file__).parents[3]
ALONE = ["unshare", "--map-root-user", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
MOST_S = 400


def why_not() -> str | None:
    if importlib.util.find_spec("ray") is None:
        return "Ray is not installed"
    try:
        done = subprocess.run([*ALONE, "ip", "link", "set", "lo", "up"], capture_output=True, check=False)
    except FileNotFoundError as error:
        return f"there is no {error.filename}"
    return None if done.returncode == 0 else "unshare is not allowed, or there is no ip"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Any:
    """What `on_one_machine` says; its command keeps its records in PostgreSQL where that is installed."""
    if reason := why_not():
        pytest.skip(reason)
    url = ""
    if binaries() is not None:
        postgres: Postgres = request.getfixturevalue("postgres")
        url = postgres.socket_url(postgres.new_database())
    folder = tmp_path_factory.mktemp("ray")
    script = 'ip link set lo up && exec "$0" -m tests.integration.evaluator.on_one_machine "$1" "$2"'
    done = subprocess.run(
        [
            *(*ALONE, "timeout", "--signal=KILL", str(MOST_S), "bash", "-c", script),
            *(sys.executable, str(folder), url),
        ],
        cwd=ROOT,
        env={**os.environ, "HOME": str(folder), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return {"postgresql": bool(url), **json.loads((folder / "found.json").read_text())}


pytestmark = [pytest.mark.slow, pytest.mark.timeout(MOST_S + 30)]


# Figures are those of the asyncio engine, and every image was asked about as often.
def test_same_figures(found: Any) -> None:
    assert found["states"] == ["succeeded", "succeeded"]
    assert found["same_figures"]
    assert found["same_questions"]


# The command is killed, and the same again finishes what is missing: nothing that was written is asked again.
# Its images lie in a folder, its records in PostgreSQL.
def test_driver_dies(found: Any) -> None:
    assert 0 < found["driver_killed_after"] < found["images"]
    assert found["driver_again"] == 0
    assert found["driver_lines"] == found["images"]
    assert found["driver_asked_twice"] == []
    assert found["driver_out"]
    assert ("runs.sqlite" not in found["driver_folder"]) is found["postgresql"]


# A model of which too many samples fail is asked no more, on whatever machine; the others go on.
def test_failures(found: Any) -> None:
    assert "model: 3 of its samples failed, 2 may." in found["failing_message"]
    assert 3 <= found["failing_asked"] < found["samples"] / 2


# A worker that dies loses what it had not sent, and nothing else: the run ends as if nothing had happened.
def test_worker_dies(found: Any) -> None:
    assert found["killed"]
    assert found["killed_state"] == "succeeded"
    assert found["killed_same_figures"]
    assert found["killed_lines"] == found["samples"]


# A run that was interrupted goes on where it was: nothing that was written is asked again.
def test_goes_on(found: Any) -> None:
    assert 0 < found["interrupted_after"] < found["samples"]
    assert found["resumed_state"] == "succeeded"
    assert found["resumed_lines"] == found["samples"]
    assert found["resumed_same_figures"]
