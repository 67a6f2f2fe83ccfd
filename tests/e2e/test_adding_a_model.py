"""docs/adding-a-model.md, followed to the letter."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

import hooke
from deploy.local import free_port
from tests.file_server import serving_file

from .conftest import BIN, ROOT, blocks, started

pytestmark = [pytest.mark.e2e, pytest.mark.torch, pytest.mark.timeout(400)]

PAGE = "adding-a-model.md"
PUBLISHED = "https://example.org/spots.pt"
MODELS = {"otsu": "50060", "spots": "50063", "tone": "50062"}
"""The models of the page, and the ports that it starts them on."""


@pytest.fixture
def ports() -> Mapping[str, str]:
    """For each port of the page a free one."""
    free: dict[str, str] = {}
    for port in MODELS.values():
        free[port] = str(free_port({int(taken) for taken in free.values()}))
    return free


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the page's models and their tests beside those of the repository, and an image."""
    for folder in ("services", "tests/contract", "tests/fakes", "tests/tiny"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for block in blocks(PAGE):
        if block.kind == "file":
            path = tmp_path / block.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.code)
    image = np.full((60, 60), 10, np.uint8)
    image[5:15, 5:15] = image[30:50, 30:50] = 200
    Image.fromarray(image).save(tmp_path / "cells.png")
    return tmp_path


def environment_of(checkout: Path) -> dict[str, str]:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": f"{checkout}{os.pathsep}{ROOT}"}


def run(checkout: Path, *command: str) -> str:
    """Run a command in the checkout; return what it prints."""
    done = subprocess.run(
        command,
        cwd=checkout,
        env=environment_of(checkout),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def published(checkout: Path) -> Iterator[None]:
    """A server of the weights of `spots`, whose address takes the place of that in the page."""
    program = "import sys, pathlib, tests.tiny.spots as tiny; tiny.write_weights(pathlib.Path(sys.argv[1]))"
    run(checkout, sys.executable, "-c", program, str(checkout))
    weights = checkout / "spots.pt"
    with serving_file(weights.read_bytes()) as server:
        weights.unlink()
        source = checkout / "services" / "spots" / "weights.py"
        assert PUBLISHED in source.read_text()
        source.write_text(source.read_text().replace(PUBLISHED, server.url))
        yield


# Every command of the page works, in its order: the services start, and answer what the page says.
@pytest.mark.usefixtures("published")
def test_the_page_makes_services(checkout: Path, ports: Mapping[str, str]) -> None:
    printed: list[str] = []
    with ExitStack() as services:
        for block in blocks(PAGE):
            code = re.sub(rf"\b(?:{'|'.join(ports)})\b", lambda match: ports[match.group()], block.code)
            if block.kind != "run":
                continue
            if block.name == "service":
                (port,) = set(ports.values()) & set(re.findall(r"\d+", code))
                command = ["bash", "-c", f"exec env {code}"]
                address = f"127.0.0.1:{port}"
                environment = environment_of(checkout)
                services.enter_context(
                    started(command, cwd=checkout, environment=environment, address=address)
                )
            elif block.name == "python":
                printed.append(run(checkout, sys.executable, "-c", code))
            else:
                printed.append(run(checkout, "bash", "-euc", code))
        with hooke.Client(f"127.0.0.1:{ports['50060']}") as client:
            assert client.count(np.zeros((9, 9), np.uint8), model="otsu").count == 0
    otsu, fetched, spots, tone = printed
    assert "cells.png" in otsu
    assert int(tifffile.imread(checkout / "hooke-results" / "cells_labels.tif").max()) == 2
    assert Path(checkout, fetched.strip()) == checkout / "weights" / "spots.pt"
    assert re.search(r"\b2\b", spots)
    assert tone.splitlines() == ["Answer: dark", "dark", "1"]


# The contract tests find the page's models by themselves, and they keep what every model promises.
def test_the_page_keeps_the_contract(checkout: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", " or ".join(MODELS)]
    told = run(checkout, *command, "tests/contract")
    assert " passed" in told
    assert "failed" not in told
