"""Which code a run says that it was carried out by."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import evaluator

ASK = "import json; from evaluator.provenance import code; print(json.dumps(code()))"
COMMIT = ("-c", "user.name=n", "-c", "user.email=e@localhost", "commit", "-qm", "c")


# The commit of a checkout is that of the code only if it holds the code: an environment inside of somebody
# else's checkout says nothing.
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@pytest.mark.parametrize("tracked", [True, False])
def test_commit_is_that_of_the_code(tracked: bool, tmp_path: Path) -> None:
    root = Path(evaluator.__path__[0])
    shutil.copytree(root, tmp_path / "lib" / "evaluator", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "notes.txt").write_text("something else")
    for arguments in (("init", "-q"), ("add", "." if tracked else "notes.txt"), COMMIT):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path / 'lib'}{os.pathsep}{root.parent}"}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    done = subprocess.run(
        [sys.executable, "-c", ASK], cwd=tmp_path, env=environment, check=True, capture_output=True
    )
    code = json.loads(done.stdout)
    assert (code["git_commit"] is not None) == tracked
    assert code["git_dirty"] == (False if tracked else None)
