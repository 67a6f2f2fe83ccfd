"""The files around the code say what is true."""

import importlib
import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins(name: str) -> dict[str, str]:
    """Package -> version of a file of constraints/."""
    lines = (ROOT / "constraints" / name).read_text().splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    for requirement in requirements:
        assert requirement.url is None
        assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), f"{requirement} is no exact pin"
    return {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in requirements}


def installed_closure(extra: str) -> dict[str, str]:
    """Package -> version of everything that an extra of ours installs, followed through what is installed."""
    waiting = [*map(Requirement, PROJECT["dependencies"]), Requirement(f"hooke[{extra}]")]
    found: dict[str, str] = {}
    seen = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        key = (name, frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        if name == "hooke":
            waiting += [
                Requirement(text)
                for own in requirement.extras
                for text in PROJECT["optional-dependencies"][own]
            ]
            continue
        found[name] = metadata.version(name)
        for text in metadata.requires(name) or []:
            dependency = Requirement(text)
            extras = ["", *requirement.extras]
            if not dependency.marker or any(dependency.marker.evaluate({"extra": e}) for e in extras):
                waiting.append(dependency)
    return found


# Everything that `make setup` and `make test` install has an exact pin, and that is what is installed.
@pytest.mark.parametrize("extra", ["dev", pytest.param("dev-torch", marks=pytest.mark.torch)])
def test_everything_is_pinned(extra: str) -> None:
    closure = installed_closure(extra)
    pinned = pins("base.txt")
    assert {name: pinned.get(name) for name in closure} == closure


# What `make setup` installs is without the libraries that take gigabytes.
def test_setup_is_light() -> None:
    assert not {"torch", "torchvision", "transformers", "cellpose"} & installed_closure("dev").keys()


# Every service can be installed alone: its extra is one of those that development installs.
def test_every_service_has_its_extra() -> None:
    services = {path.parent.name for path in ROOT.glob("services/*/__main__.py")}
    extras = PROJECT["optional-dependencies"]
    assert services <= extras.keys()
    installed = {
        own for extra in ("dev", "dev-torch") for text in extras[extra] for own in Requirement(text).extras
    }
    assert services <= installed


# Stubs are made by the oldest gRPC and protobuf that the wheel accepts, which is what makes it true that
# it works with them: generated code refuses an older runtime.
@pytest.mark.parametrize(("package", "generator"), [("grpcio", "grpcio-tools"), ("protobuf", "protobuf")])
def test_generator_is_the_oldest_promised(package: str, generator: str) -> None:
    (promised,) = [r for r in map(Requirement, PROJECT["dependencies"]) if r.name == package]
    oldest = pins("protos.txt")[generator]
    assert promised.specifier.contains(oldest)
    lower = str(promised.specifier).removeprefix(">=")
    assert oldest == lower or oldest.startswith(f"{lower}.")


# The pages that are made from the code are those that the code makes now.
@pytest.mark.parametrize("page", ["errors", "api", "settings"])
def test_generated_pages_are_fresh(page: str) -> None:
    module = importlib.import_module("docs.generate")
    made = getattr(module, f"{page}_page")()
    assert made == (ROOT / "docs" / f"{page}.md").read_text()


def documents() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


# Every link between the pages leads to a file that is there.
@pytest.mark.parametrize("page", documents(), ids=lambda path: path.name)
def test_links(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


# `make` alone lists every target that the pages tell a reader to run.
def test_help_lists_every_target() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    offered = set(re.findall(r"make ([a-z-]+)", listed))
    told = {
        target
        for page in documents()
        for target in re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(), re.M)
    }
    assert told <= offered
    assert {"help", "setup", "demo", "up", "down", "test", "test-fast", "lint", "protos", "bench"} <= offered


# No file names a package registry, so that any mirror serves.
def test_no_registry_is_named() -> None:
    files = [
        ROOT / "Makefile",
        ROOT / ".ci" / "run",
        ROOT / "pyproject.toml",
        *(ROOT / "constraints").iterdir(),
    ]
    for file in files:
        assert not re.search(r"https?://|index-url|find-links", file.read_text()), file
