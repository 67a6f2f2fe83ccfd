"""Builds the image of every service of the compose file, and says how large it is: `make images`."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.compose import ComposeError, Service, read_topology
from deploy.supervisor import COMPOSE_FILE

ROOT = COMPOSE_FILE.parent
app = typer.Typer(add_completion=False, rich_markup_mode=None)
console = Console()


def build_arguments(service: Service, revision: str) -> tuple[str, ...]:
    """Return the arguments of docker or podman that build the image of a service from a commit."""
    labels = {**service.build.args, "VERSION": service.image.rpartition(":")[2], "REVISION": revision}
    return (
        *("build", "--file", service.build.dockerfile, "--target", service.build.target),
        *(word for key, value in labels.items() for word in ("--build-arg", f"{key}={value}")),
        *("--tag", service.image, service.build.context),
    )


def image_bytes(engine: str, image: str) -> int | None:
    """Size of an image, its base included; None where it is not there."""
    done = subprocess.run((engine, "image", "inspect", image), capture_output=True, text=True, check=False)
    return int(json.loads(done.stdout)[0]["Size"]) if done.returncode == 0 else None


def found_engine() -> str:
    """Return docker, or podman where docker is not there or its daemon does not answer.

    Raises:
        ComposeError: neither can build.
    """
    there = [program for program in ("docker", "podman") if shutil.which(program)]
    if not there:
        raise ComposeError("There is no docker or podman here, which builds images.")
    for program in there:
        if subprocess.run((program, "info"), capture_output=True, check=False).returncode == 0:
            return program
    other = "" if "podman" in there else ", or install podman, which needs no daemon (--engine podman)"
    raise ComposeError(f"{there[0]} does not answer, as `{there[0]} info` tells: start it{other}.")


@app.command()
def images(
    service: Annotated[
        list[str] | None, typer.Argument(help="Services to build. Default: all of them.")
    ] = None,
    engine: Annotated[str | None, typer.Option(help="docker or podman. Default: whichever answers.")] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="Handed to `build` as well, such as --pull=never.")
    ] = None,
) -> None:
    """Build the images of the services of docker-compose.yml, and say how large they are.

    Those of sam, cellpose and llava download some 3 GB once, and take 6 GB of disk together.
    """
    if engine is not None and shutil.which(engine) is None:
        raise ComposeError(f"There is no {engine} here, which builds images.")
    program = engine or found_engine()
    services = read_topology(COMPOSE_FILE, {}).services
    names = service or list(services)
    if unknown := sorted(set(names) - services.keys()):
        raise ComposeError(f"there is no service {', '.join(unknown)}; there are {', '.join(services)}")
    # A health check is part of Docker's format of images alone.
    options = [*(["--format=docker"] if program.endswith("podman") else []), *(option or [])]
    table = Table("image", "size")
    for name in names:
        command = (program, *build_arguments(services[name], _revision()))
        command = (*command[:2], *options, *command[2:])
        console.print(f"[bold]{name}[/bold]: {shlex.join(command)}", soft_wrap=True, highlight=False)
        if code := subprocess.run(command, cwd=ROOT, check=False).returncode:
            raise ComposeError(f"the image of {name} was not built: {program} ended with exit code {code}")
        size = image_bytes(program, services[name].image)
        table.add_row(services[name].image, "?" if size is None else f"{size / 1e6:.0f} MB")
    console.print(table)


def _revision() -> str:
    """The commit of this checkout, with a mark where files differ from it."""
    command = ("git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def main() -> None:
    """Run the command line; what the user can mend is a message, not a traceback."""
    try:
        app()
    except ComposeError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
