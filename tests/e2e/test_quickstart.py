"""docs/quickstart.md, run as it stands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.supervisor import Stack

from .conftest import BIN, ROOT, blocks

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]  # a busy machine starts processes slowly


# Every command of the page works, in the order of the page, and leaves the files that the page speaks of.
def test_quickstart(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with Stack(home=tmp_path / "home", variables={"HOOKE_DATA_DIR": str(tmp_path / "data")}) as stack:
        environment = {
            **os.environ,
            "HOOKE_ADDRESS": stack.address,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }
        for block in blocks("quickstart.md"):
            code = block.code.replace("localhost:50051", stack.address)
            if block.kind == "write":
                (tmp_path / block.name).write_text(code)
                continue
            command = [sys.executable, "-c", code] if block.name == "python" else ["bash", "-euc", code]
            done = subprocess.run(
                command,
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert done.returncode == 0, f"{block.name}: {done.stdout}{done.stderr}"
    for path in (
        "results",
        "counts.csv",
        "labels.tif",
        "report/index.html",
        "report/report.json",
    ):
        assert (tmp_path / path).exists(), path
    assert len(list((tmp_path / "results").glob("*_labels.tif"))) == 4
