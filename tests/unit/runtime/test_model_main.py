"""The command lines of model services."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from runtime.fakes import FakeModel
from runtime.model_main import command_line
from runtime.settings import TorchServerSettings

ROOT = Path(__file__).parents[3]


# Where the library that fetches is not installed, the command says what to install.
def test_fetch_without_its_library() -> None:
    def fetch(name: str, folder: Path, console: Console) -> Path:
        """Fetch nothing."""
        raise ModuleNotFoundError("No module named 'a_library'", name="a_library")

    done = CliRunner().invoke(command_line(FakeModel, TorchServerSettings, fetch), ["fetch", "weights"])
    assert done.exit_code == 2
    assert "fake needs a_library, which is not installed" in done.output
    assert "'.[fake]'" in done.output


# A service without weights takes no arguments: it says so, and does not serve instead.
@pytest.mark.parametrize(
    ("arguments", "code", "told"), [(["--help"], 0, "Serve the model"), (["fetch", "x"], 2, "unrecognized")]
)
def test_arguments_of_a_service(arguments: list[str], code: int, told: str) -> None:
    command = [sys.executable, "-m", "services.classical", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code
    assert told in done.stdout + done.stderr
