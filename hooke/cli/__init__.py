"""The command line: `hooke`."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from hooke import Tls
from hooke._channel import DEFAULT_ADDRESS, DEFAULT_TIMEOUT_S
from hooke.cli.ask import ask
from hooke.cli.classify import classify
from hooke.cli.compare import compare
from hooke.cli.count import count
from hooke.cli.doctor import doctor
from hooke.cli.evaluate import evaluate
from hooke.cli.models import models
from hooke.cli.segment import segment
from hooke.cli.session import Session

app = typer.Typer(
    name="hooke",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (models, segment, count, classify, ask, evaluate, doctor):
    app.command()(command)

reports = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Work with reports of evaluations.")
reports.command()(compare)
app.add_typer(reports, name="report")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hooke {version('hooke')}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    address: Annotated[
        str,
        typer.Option(metavar="HOST:PORT", envvar="HOOKE_ADDRESS", help="Gateway or model service."),
    ] = DEFAULT_ADDRESS,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document and nothing else; messages go to stderr.")
    ] = False,
    timeout_s: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=0.1, help="Deadline of each request.")
    ] = DEFAULT_TIMEOUT_S,
    tls: Annotated[bool, typer.Option("--tls", help="Speak TLS, trusting the public authorities.")] = False,
    tls_ca: Annotated[
        Path | None,
        typer.Option(metavar="FILE", exists=True, dir_okay=False, help="Speak TLS, trusting this PEM file."),
    ] = None,
    tls_cert: Annotated[
        Path | None,
        typer.Option(metavar="FILE", exists=True, dir_okay=False, help="PEM certificate of this client."),
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(metavar="FILE", exists=True, dir_okay=False, help="Its PEM private key.")
    ] = None,
    show_version: Annotated[  # noqa: ARG001  (done by its callback)
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Ask models about micrographs: find objects, count, classify, answer in words; and evaluate them.

    \b
    Begin with:
      hooke doctor                           is a server there, and does it answer?
      hooke models                           what can be asked?
      hooke segment cells.tif                masks, outlines and measurements
      hooke ask cells.png "What is shown?"   an answer in words
      hooke evaluate demo                    how good are the models?
      hooke report compare BEFORE AFTER      what has changed between two runs?

    \b
    Exit codes:
      0    all went well
      1    something failed, for some or all inputs
      2    the command line is wrong
      3    no server answers at the address
      4    a figure is beyond what --fail-under or --fail-over allow
      130  interrupted
    """
    if (tls_cert is None) != (tls_key is None):
        raise typer.BadParameter("these belong together; give both.", param_hint="--tls-cert, --tls-key")
    wanted = tls or tls_ca is not None or tls_cert is not None
    context.obj = Session(address, Tls(tls_ca, tls_cert, tls_key) if wanted else None, timeout_s, as_json)


def main() -> None:
    """Run the command line; the entry point of `hooke`."""
    # gRPC's core would write notes on lost connections between ours; errors arrive as exceptions anyway.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    app()
