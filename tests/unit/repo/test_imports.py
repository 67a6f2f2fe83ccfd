"""What importing a package drags in."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # starts a process for each package

ROOT = Path(__file__).parents[3]
PACKAGES = ["hooke", "runtime", "gateway", "evaluator", "services.classical"]
STARTS = sorted(f"services.{path.parent.name}.__main__" for path in ROOT.glob("services/*/__main__.py"))
HEAVY = {
    "accelerate",
    "bitsandbytes",
    "cellpose",
    "google.genai",
    "huggingface_hub",
    "openai",
    "segment_anything",
    "torch",
    "torchvision",
    "transformers",
}

# Every module of the package, not only those that its __init__ imports; __main__ would start it, and env is a
# script that Alembic runs.
IMPORT_ALL = """\
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith(("__main__", "migrations.env")):
        importlib.import_module(module.name)
print(*sorted(sys.modules), sep="\\n")
"""


def imported_by(name: str, program: str) -> set[str]:
    """Names of all modules that are there after a program that imports something."""
    command = [sys.executable, "-c", program, name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


# No module that runs without a model's own library imports it.
@pytest.mark.parametrize("package", PACKAGES)
def test_light(package: str) -> None:
    modules = imported_by(package, IMPORT_ALL)
    assert package in modules
    assert modules.isdisjoint(HEAVY)


# A service imports the library of its model in `load`, not even its own at the start: settings, help and the
# fetching of weights are there without it.
@pytest.mark.parametrize("start", STARTS)
def test_light_start(start: str) -> None:
    modules = imported_by(
        start, "import importlib, sys; importlib.import_module(sys.argv[1]); print(*sys.modules)"
    )
    assert start.replace("__main__", "model") in modules
    assert modules.isdisjoint(HEAVY)


# A lab that installs `hooke` alone gets no server: nothing of one is needed to import all of it.
def test_client_alone() -> None:
    servers = {"runtime", "gateway", "evaluator", "services", "skimage", "sklearn", "scipy", "matplotlib"}
    assert imported_by("hooke", IMPORT_ALL).isdisjoint(
        servers | {"pydantic", "prometheus_client", "structlog", "yaml"}
    )
