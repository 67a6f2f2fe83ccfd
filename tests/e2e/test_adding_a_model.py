"""docs/adding-a-model.md, followed to the letter."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hooke
from deploy.local import free_port

from .conftest import BIN, ROOT, blocks, started

pytestmark = pytest.mark.e2e


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder whose `services` has the page's model beside those of the repository."""
    shutil.copytree(ROOT / "services", tmp_path / "services", ignore=shutil.ignore_patterns("__pycache__"))
    for block in blocks("adding-a-model.md"):
        if block.kind == "file":
            path = tmp_path / block.name
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.code)
    return tmp_path


# The files of the page are a service that finds objects and counts them.
def test_the_page_makes_a_service(checkout: Path) -> None:
    (command,) = [block.code for block in blocks("adding-a-model.md") if block.name == "service"]
    port = free_port()
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    address = f"127.0.0.1:{port}"
    image = np.full((60, 60), 10, np.uint8)
    image[5:15, 5:15] = image[30:50, 30:50] = 200
    with (
        started(
            ["bash", "-c", "exec env " + command.replace("50060", str(port))],
            cwd=checkout,
            environment=environment,
            address=address,
        ),
        hooke.Client(address) as client,
    ):
        result = client.segment(image, model="otsu")
        assert [instance.area_px for instance in result.instances] == [100, 400]
        assert client.count(image, model="otsu").count == 2
        assert client.count(np.zeros((9, 9), np.uint8), model="otsu").count == 0


# The contract tests find the page's model by themselves, and it keeps what every model promises.
def test_the_page_keeps_the_contract(checkout: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "otsu"]
    command += ["-o", f"pythonpath={checkout} {ROOT}", str(ROOT / "tests" / "contract")]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
