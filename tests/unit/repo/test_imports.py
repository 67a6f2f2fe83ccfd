"""What importing a package drags in."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SERVICES = sorted(f"services.{path.parent.name}" for path in ROOT.glob("services/*/__main__.py"))
PACKAGES = ["hooke", "runtime", "gateway", "evaluator", *SERVICES]
HEAVY = {
    "accelerate",
    "bitsandbytes",
    "cellpose",
    "cv2",
    "google.genai",
    "huggingface_hub",
    "openai",
    "segment_anything",
    "torch",
    "torchvision",
    "transformers",
}

# Every module of the package, not only those that its __init__ imports; __main__ would start it.
IMPORT_ALL = """\
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(*sorted(sys.modules), sep="\\n")
"""


def imported_by(package: str) -> set[str]:
    """Names of all modules that are there after importing every module of a package."""
    command = [sys.executable, "-c", IMPORT_ALL, package]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


# No package imports a library that is there for a single model, not even that model's own: it does so in
# `load`, so that its settings, its parameters and its help are there without.
@pytest.mark.parametrize("package", PACKAGES)
def test_light(package: str) -> None:
    modules = imported_by(package)
    assert package in modules
    assert modules.isdisjoint(HEAVY)


# A lab that installs `hooke` alone gets no server: nothing of one is needed to import all of it.
def test_client_alone() -> None:
    servers = {"runtime", "gateway", "evaluator", "services", "skimage", "sklearn", "scipy", "matplotlib"}
    assert imported_by("hooke").isdisjoint(servers | {"pydantic", "prometheus_client", "structlog", "yaml"})
