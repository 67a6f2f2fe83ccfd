"""`python -m services.openai`: a process with its real settings and logs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import hooke
from hooke import errors
from hooke.types import ModelState
from tests.fakes.openai import KEY, TEXT, FakeOpenai

ROOT = Path(__file__).parents[4]


class Service:
    """The process, its port and, at the end, its log."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.log = ""
        assert process.stderr is not None
        for line in process.stderr:
            self.log += line
            if "serving" in line and (port := re.search(r'"port": (\d+)', self.log)):
                self.port = port[1]
                return

    def stop(self) -> None:
        self._process.terminate()
        self.log += self._process.communicate(timeout=30)[1]


@contextmanager
def started(**settings: str) -> Iterator[Service]:
    service = Service(
        subprocess.Popen(
            [sys.executable, "-m", "services.openai"],
            cwd=ROOT,
            env=environment(settings),
            stderr=subprocess.PIPE,
            text=True,
        )
    )
    try:
        yield service
    finally:
        service.stop()


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("HOOKE_", "OPENAI_"))}
    return {**bare, "HOOKE_PORT": "0", **settings}


# It serves with a key from a file, and also where all that there is to log is logged, the key, the question
# and the image do not stand in it.
def test_it_serves_and_its_log_keeps_secrets(fake: FakeOpenai, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n", encoding="utf-8")
    with (
        started(
            HOOKE_LOG_LEVEL="debug",
            HOOKE_OPENAI_BASE_URL=f"{fake.address}/v1",
            HOOKE_OPENAI_API_KEY_FILE=str(tmp_path / "key"),
        ) as service,
        hooke.Client(f"127.0.0.1:{service.port}") as client,
    ):
        assert client.ask(np.eye(16, dtype=np.uint8), "Nobody's business?").text == TEXT
    assert '"code": "OK"' in service.log
    assert KEY not in service.log
    assert "business" not in service.log
    assert "base64" not in service.log


# A key that is rejected is an alarm in the log that does not show it.
def test_a_rejected_key(fake: FakeOpenai) -> None:
    settings = {"HOOKE_OPENAI_BASE_URL": f"{fake.address}/v1", "HOOKE_OPENAI_API_KEY": "sk-another-key"}
    with (
        started(**settings) as service,
        hooke.Client(f"127.0.0.1:{service.port}") as client,
        pytest.raises(errors.CredentialsRejectedError),
    ):
        client.ask(np.eye(16, dtype=np.uint8), "?")
    assert '"level": "error"' in service.log
    assert "CREDENTIALS_REJECTED" in service.log
    assert "sk-another-key" not in service.log


# Without a key it starts all the same, and says what is missing.
def test_without_a_key() -> None:
    with started() as service, hooke.Client(f"127.0.0.1:{service.port}") as client:
        info = client.model("openai")
        assert info.state is ModelState.UNAVAILABLE
        assert "HOOKE_OPENAI_API_KEY" in info.state_message
        with pytest.raises(errors.CredentialsMissingError):
            client.ask(np.eye(16, dtype=np.uint8), "?")


# Wrong settings are one line for each, before any port opens.
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOOKE_OPENAI_API_KEY_FILE", "/nowhere/key"),
        ("HOOKE_OPENAI_BASE_URL", "localhost"),
        ("HOOKE_OPENAI_API", "soap"),
        ("HOOKE_PRICES_FILE", "/nowhere/prices.yaml"),
    ],
)
def test_wrong_settings(name: str, value: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services.openai"],
        cwd=ROOT,
        env=environment({name: value}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert name in done.stderr
    assert "Traceback" not in done.stderr
