"""Try the containers of `docker-compose.yml`: start, drain, crash, run out of memory, and lose nothing.

Starts gateway, `classical` and evaluator with podman as the compose file describes them, with its limits,
user, read-only root, dropped capabilities and health checks, on a network of their own; the gateway answers
on a free port of 127.0.0.1. Then it

\b
  1. says how large the images are
  2. looks how each container is confined
  3. evaluates the suite `demo` through the gateway
  4. stops each service while it has work: nothing may be lost, nor killed
  5. kills services while clients ask: the restart policy brings them back
  6. lets the model run out of memory while clients ask
  7. kills the evaluator in mid-run, and compares its figures with those of a run that nobody disturbed
  8. stops everything

and prints a table. A call counts as lost where the client got anything but the right answer, with the SDK as
it comes and nothing around it that repeats calls. The exit code is 1 if anything failed.

\b
Examples:
  make images                            # build what is tried
  sudo .venv/bin/python -m deploy.trial
  sudo .venv/bin/python -m deploy.trial --markdown >> results.md
"""  # noqa: D301  (\b keeps the lines of lists in --help)

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.compose import ComposeError, read_topology
from deploy.images import image_bytes
from deploy.local import free_port
from deploy.supervisor import COMPOSE_FILE, ENTRY
from deploy.trial import steps
from deploy.trial.containers import Podman, TrialError, require_podman
from deploy.trial.steps import Row

app = typer.Typer(add_completion=False, rich_markup_mode=None)
progress = Console(stderr=True)


@app.command(help=__doc__)
def trial(
    markdown: Annotated[bool, typer.Option(help="Print the table as Markdown.")] = False,
    keep: Annotated[
        bool, typer.Option(help="Leave the containers for a look; the next trial removes them.")
    ] = False,
) -> None:
    """See the docstring of the module."""
    require_podman()
    topology = read_topology(COMPOSE_FILE, {})
    names = topology.running([])
    images = [topology.services[name].image for name in names]
    missing = [image for image in images if image_bytes("podman", image) is None]
    if missing:
        raise TrialError(f"There is no image {', '.join(sorted(missing))}. Build it first: make images")
    rows: list[Row] = []

    def note(found: Iterable[Row]) -> None:
        for row in found:
            rows.append(row)
            progress.print(
                f"{mark(row):<6} {escape(row.what)}: {escape(row.found)}", soft_wrap=True, highlight=False
            )

    port = free_port()
    address = f"127.0.0.1:{port}"
    (inside,) = [each.container for each in topology.services[ENTRY].ports if each.published == 50051]
    with tempfile.TemporaryDirectory(prefix="hooke-trial-") as home:
        podman = Podman(topology, home=Path(home), published={(ENTRY, inside): port})
        try:
            podman.prepare()
            note(steps.image_sizes(topology))
            note(steps.start(podman, topology, names))
            note(steps.demo(address, lambda said: progress.print(f"       {said}")))
            note(steps.drains(podman, address, topology))
            note(steps.crashes(podman, address))
            note(steps.memory(podman, address))
            note(steps.evaluator_is_killed(podman, address))
            note(steps.stop(podman, topology, names))
        finally:
            if not keep:
                podman.remove()
    sys.stdout.write(as_markdown(rows)) if markdown else Console().print(as_table(rows))
    raise typer.Exit(any(row.passed is False for row in rows))


def mark(row: Row) -> str:
    """A word for how it went."""
    return {True: "ok", False: "FAILED", None: ""}[row.passed]


def as_table(rows: Iterable[Row]) -> Table:
    """The table for a terminal."""
    table = Table("", "what", "found")
    for row in rows:
        table.add_row(
            mark(row), escape(row.what), escape(row.found), style="red" if row.passed is False else None
        )
    return table


def as_markdown(rows: Iterable[Row]) -> str:
    """The table for a page."""
    lines = (f"| {row.what} | {row.found} | {mark(row)} |" for row in rows)
    return "\n".join(["| what | found | |", "|---|---|---|", *lines, ""])


def main() -> None:
    """Run the command line; what the user can mend is a message, not a traceback."""
    try:
        app()
    except (ComposeError, TrialError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
