from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from hooke.cli.doctor import LIBRARIES

ROOT = Path(__file__).parents[3]

SERVER_PARTS = {"runtime", "services", "gateway", "evaluator", "deploy"}
SERVER_LIBRARIES = {
    "matplotlib",
    "prometheus_client",
    "pydantic",
    "pydantic_settings",
    "scipy",
    "skimage",
    "sklearn",
    "structlog",
    "torch",
    "yaml",
}
USED_LATER = {"PIL", "imagecodecs", "tifffile"}


def modules_after(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after a statement."""
    code = f"{statement}; import json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


# Importing the client brings no part of a server, and no library before it is used.
@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import hooke", SERVER_PARTS | SERVER_LIBRARIES | USED_LATER | {"typer", "rich"}),
        ("import hooke.cli", SERVER_PARTS | SERVER_LIBRARIES | USED_LATER),
        ("import hooke.codecs, hooke.masks", SERVER_PARTS | SERVER_LIBRARIES),
    ],
)
def test_imports_are_light(statement: str, unwanted: set[str]) -> None:
    loaded = modules_after(statement)
    assert "hooke" in loaded
    assert loaded & unwanted == set()


# The wheel holds the client, its stubs and its types, and nothing else; it asks for no server part.
@pytest.mark.slow
def test_wheel(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("hooke", "evaluator", "gateway", "runtime", "services", "deploy"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, source)
    (source / "README.md").write_text("The description is not what this is about.")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, source],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        requirements = HeaderParser().parsestr(archive.read(metadata).decode()).get_all("Requires-Dist", [])
        (entries,) = (name for name in names if name.endswith("entry_points.txt"))
        assert "hooke = hooke.cli:main" in archive.read(entries).decode()
    packaged = {name for name in names if ".dist-info/" not in name}
    expected = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "hooke").rglob("*")
        if path.suffix in {".py", ".pyi", ".typed"}
    }
    assert packaged == expected
    assert "hooke/py.typed" in packaged
    assert "hooke/v1/image_pb2.pyi" in packaged
    always = {requirement for requirement in requirements if "extra ==" not in requirement}
    assert any(requirement.startswith("grpcio") for requirement in always)
    assert not any(requirement.lower().startswith(tuple(SERVER_LIBRARIES)) for requirement in always)


# `hooke doctor` asks for versions of what the wheel brings, so it works where nothing else is installed.
def test_doctor_needs_the_wheel_alone() -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert set(LIBRARIES) <= {Requirement(text).name for text in dependencies}
