"""How images are made, as far as it shows without an engine."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from deploy.compose import read_topology
from deploy.images import build_arguments
from deploy.supervisor import COMPOSE_FILE

ROOT = COMPOSE_FILE.parent
FOLDER = ROOT / "deploy" / "docker"
DOCKERFILE = (FOLDER / "Dockerfile").read_text()
INSTALL = (FOLDER / "install.sh").read_text()
SERVICES = read_topology(COMPOSE_FILE, {}).services


def images(*arguments: str, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    """The command behind `make images`."""
    command = [sys.executable, "-m", "deploy.images", *arguments]
    environment = {**os.environ, "PATH": path}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


# A service is built as the compose file says, and labelled with version and commit.
@pytest.mark.parametrize("name", SERVICES)
def test_build_arguments(name: str) -> None:
    target = "gpu" if name in {"sam", "cellpose", "llava"} else "cpu"
    extra = "postgres" if name == "evaluator" else name
    assert build_arguments(SERVICES[name], "abc") == (
        *(
            "build",
            "--file",
            "deploy/docker/Dockerfile",
            "--target",
            target,
            "--build-arg",
            f"SERVICE={extra}",
        ),
        *("--build-arg", "VERSION=0.1.0", "--build-arg", "REVISION=abc", "--tag", f"hooke/{name}:0.1.0", "."),
    )
    assert extra in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert f" AS {target}\n" in DOCKERFILE


# An image that is built without arguments has the version of the project.
def test_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert set(re.findall(r"^ARG VERSION=(.*)$", DOCKERFILE, re.MULTILINE)) == {version}


# Whatever the Dockerfile copies from the repository goes to the builder, and no secret does.
def test_context() -> None:
    ignored, *rules = [
        line for line in (FOLDER / "Dockerfile.dockerignore").read_text().splitlines() if line[0] != "#"
    ]
    assert ignored == "*"
    allowed = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    copied = {
        source
        for line in re.findall(r"^COPY ((?!--from).*)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    }
    assert all((ROOT / source).exists() for source in copied)
    assert all(any(fnmatch(source, rule) for rule in allowed) for source in copied)
    assert not any(
        fnmatch(secret, rule) for rule in allowed for secret in (".git", "secrets", "weights", ".env")
    )


# The stage that runs is made of nothing but copies: there is no shell in it, and it is nobody's.
def test_final_stages_run_nothing() -> None:
    stages = dict(
        re.findall(r"^FROM \S+ AS (\w[\w-]*)\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL)
    )
    assert re.search(r"^FROM scratch AS server$", DOCKERFILE, re.MULTILINE)
    for name in ("server", "gpu", "cpu"):
        assert not re.search(r"^RUN ", stages[name], re.MULTILINE)
    assert "USER 10001:10001" in stages["server"]


# The base has an exact version, and can be named with its digest.
def test_base_is_pinned() -> None:
    (base,) = re.findall(r"^ARG PYTHON=(.*)$", DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-\w+", base)
    outside = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) - set(
        re.findall(r" AS (\S+)$", DOCKERFILE, re.M)
    )
    assert outside == {"${PYTHON}", "scratch"}


# Codecs that images leave out are those that no file needs which Hooke reads.
def test_left_out_codecs_are_not_needed() -> None:
    (names,) = re.findall(r"imagecodecs/_\{([\w,]+)\}", INSTALL)
    modules = {f"imagecodecs._{name}" for name in names.split(",")}
    program = """
import sys
from hooke import codecs
from tests.sample_files import valid_files
for name, data in valid_files():
    codecs.decode(data)
print(*sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert {"imagecodecs._png", "imagecodecs._jpeg8"} <= loaded
    assert len(modules) == 4
    assert not modules & loaded


# What is not there is named, with what is.
def test_mistakes_are_named(tmp_path: Path) -> None:
    unknown = images("sma", "--engine", sys.executable)
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("there is no service sma; there are gateway, classical, sam")
    nothing = images(path=str(tmp_path))
    assert nothing.returncode == 1
    assert nothing.stderr == "There is no docker or podman here, which builds images.\n"


# Docker builds where its daemon answers, and podman where that does not; where neither can, it is said why.
def test_engine_that_answers(tmp_path: Path) -> None:
    def install(name: str, *, answers: bool) -> None:
        (tmp_path / name).write_text(
            f"#!{sys.executable}\nimport sys\nif sys.argv[1] == 'info': sys.exit({int(not answers)})\n"
            "print('[{\"Size\": 1500000}]')\n"
        )
        (tmp_path / name).chmod(0o755)

    git = shutil.which("git")
    assert git
    (tmp_path / "git").symlink_to(git)
    install("docker", answers=False)
    silent = images("gateway", path=str(tmp_path))
    assert silent.returncode == 1
    assert silent.stderr == (
        "docker does not answer, as `docker info` tells: start it, or install podman, which needs no daemon "
        "(--engine podman).\n"
    )
    install("podman", answers=True)
    assert "gateway: podman build --format=docker" in images("gateway", path=str(tmp_path)).stdout
    install("docker", answers=True)
    assert "gateway: docker build --file" in images("gateway", path=str(tmp_path)).stdout


# The engine is called once for each service, and its failure is said.
def test_builds_every_service(tmp_path: Path) -> None:
    engine = tmp_path / "podman"
    engine.write_text(
        f"#!{sys.executable}\nimport sys\nprint('[{{\"Size\": 1500000}}]')\n"
        "print(*sys.argv[1:], file=sys.stderr)\nsys.exit('SERVICE=gemini' in sys.argv)\n"
    )
    engine.chmod(0o755)
    done = images("gateway", "sam", "--engine", str(engine))
    assert "2 MB" in done.stdout
    built = [line for line in done.stderr.splitlines() if line.startswith("build --format=docker --file")]
    assert [re.findall(r"--tag (\S+)", line) for line in built] == [
        ["hooke/gateway:0.1.0"],
        ["hooke/sam:0.1.0"],
    ]
    failed = images("gemini", "--engine", str(engine))
    assert failed.returncode == 1
    assert failed.stderr.endswith(
        "the image of gemini was not built: " + f"{engine} ended with exit code 1\n"
    )
