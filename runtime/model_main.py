"""The command line of a model service whose weights are files: `python -m services.NAME`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Protocol, TypeVar

import typer
from rich.console import Console

from runtime import download
from runtime.service import NotInstalledError, serve_model
from runtime.settings import SettingsError, TorchServerSettings, load_settings
from runtime.tasks import Model
from runtime.weights import WeightsFile

SettingsT = TypeVar("SettingsT", bound=TorchServerSettings)


class Fetcher(Protocol):
    """Fetches weights by name.

    Its docstring is the help of `fetch`, shown line by line as it stands; it teaches what NAME may be.
    """

    __name__: str

    def __call__(self, name: str, folder: Path, console: Console) -> Path:
        """Fetch the weights called `name` into `folder` unless they are there; return where they are.

        Raises:
            WeightsError: they cannot be had.
        """


def model_main(
    kind: type[Model], settings_type: type[SettingsT], weights: Mapping[str, WeightsFile] | Fetcher
) -> None:
    """Be the command line of a model service: serve, or fetch weights.

    Exits with 2 where the settings are wrong or weights cannot be had, and says why.

    Args:
        kind: class of the model.
        settings_type: what its settings are made of.
        weights: the published files by name, or what fetches weights in another way.
    """
    command_line(kind, settings_type, weights)(prog_name=f"python -m services.{kind.name}")


def command_line(
    kind: type[Model], settings_type: type[SettingsT], weights: Mapping[str, WeightsFile] | Fetcher
) -> typer.Typer:
    """Build what `model_main` runs."""
    app = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    fetcher = _file_fetcher(weights, kind.name) if isinstance(weights, Mapping) else weights

    @app.callback(
        invoke_without_command=True,
        help=f"Serve the model {kind.name} by gRPC until SIGTERM, or fetch its weights.\n\n"
        "Settings are environment variables HOOKE_...: docs/settings.md lists them.",
    )
    def serve(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            serve_model(kind, settings_type)

    # A paragraph that begins with this mark keeps its lines.
    paragraphs = inspect.cleandoc(fetcher.__doc__ or "").split("\n\n")

    @app.command(help="\n\n".join(f"\b\n{paragraph}" for paragraph in paragraphs))
    def fetch(
        name: Annotated[str, typer.Argument(metavar="NAME", help="Which weights, see above.")],
        folder: Annotated[
            Path | None, typer.Option("--dir", metavar="FOLDER", help="Where to. Absent: HOOKE_WEIGHTS_DIR.")
        ] = None,
    ) -> None:
        console = Console(file=sys.stderr)
        try:
            try:
                path = fetcher(name, folder or load_settings(settings_type).weights_dir, console)
            except ModuleNotFoundError as error:
                raise NotInstalledError(kind, error.name) from error
        except SettingsError as error:
            typer.echo(f"hooke: {error}", err=True)
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            typer.echo("hooke: stopped; the same command goes on from here", err=True)
            raise typer.Exit(130) from None
        typer.echo(path)

    return app


def _file_fetcher(files: Mapping[str, WeightsFile], service: str) -> Fetcher:
    def fetch(name: str, folder: Path, console: Console) -> Path:
        if name not in files:
            raise typer.BadParameter(f"there is no {name!r}, only {', '.join(files)}", param_hint="NAME")
        return download.fetch(files[name], folder, console)

    width = max(len(name) for name in files)
    lines = [f"  {file.name:{width}}  {_size(file):>8}  {file.licence}" for file in files.values()]
    first = next(iter(files))
    fetch.__doc__ = "\n".join(
        [
            "Download weights, on from where it was cut, and refuse them if they are not",
            "what was published. Prints the path.",
            "",
            "NAME is one of:",
            *lines,
            "",
            "Example:",
            f"  python -m services.{service} fetch {first} --dir /data/weights",
        ]
    )
    return fetch


def _size(file: WeightsFile) -> str:
    return "?" if file.size_bytes is None else f"{file.size_bytes / 1000**2:,.0f} MB"
