"""One run of the command line: where it asks, and how it speaks to people and to programs."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from hooke import AsyncClient, Tls, errors
from hooke.errors import HookeError, Reason

CONNECT_S = 5.0
"""Seconds to wait for a server before saying that there is none."""
_PIPE_WIDTH = 160
"""Columns of a table that no terminal shows."""

_HINTS: Mapping[str, str] = {
    Reason.UNKNOWN_MODEL: "`hooke models` lists the models.",
    Reason.TASK_NOT_SUPPORTED: "`hooke models` shows what each model can do.",
    Reason.EXAMPLES_REQUIRED: (
        "Give a folder with one folder of images for each class: --examples DIR. "
        "Models that answer in words take --labels without any: name one with --model; `hooke models` lists "
        "them, with the task ask."
    ),
    Reason.DEADLINE_EXCEEDED: "`hooke --timeout SECONDS` sets the deadline.",
    "timeout_s": "`hooke --timeout SECONDS` sets the deadline.",
    "expected_diameter_um": "Say how large a pixel is with --pixel-size-um, or use --diameter-px.",
    "data_dir": "The evaluator must see the folder of --data at the same path, below its data root.",
    "axes": "Say what the pages are with --axes, such as ZYX, and what to look at with --z or --project.",
    "view": "Choose what to look at with --channel, --z, --project or --time.",
}
"""What to do on the command line about an error: by its reason, or by a part of the path that it names."""


class ExitCode(IntEnum):
    """What the exit code of `hooke` means."""

    OK = 0
    FAILED = 1
    """Something failed, for some or all inputs."""
    USAGE = 2
    """The command line is wrong."""
    UNREACHABLE = 3
    """No server answers at the address."""
    GATE = 4
    """A figure is beyond what --fail-under or --fail-over allow."""
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Session:
    """What the options that every command shares say.

    Results go to standard output; with `as_json` one JSON document and nothing else. Progress and messages
    go to standard error.
    """

    address: str
    tls: Tls | None
    timeout_s: float
    as_json: bool

    def client(self) -> AsyncClient:
        """Open a client; asynchronous, since gRPC's other one may hang if Ctrl-C comes at a bad moment."""
        return AsyncClient(self.address, tls=self.tls, timeout_s=self.timeout_s)

    @property
    def connect_s(self) -> float:
        """Seconds to wait for the server's first sign of life."""
        return min(CONNECT_S, self.timeout_s)

    def show(self, document: Any, *tables: Table) -> None:
        """Print a result: the document where JSON is asked for, else the tables."""
        if self.as_json:
            typer.echo(json.dumps(plain(document), indent=2, ensure_ascii=False, allow_nan=False))
            return
        console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
        for table in tables:
            if table.row_count:
                console.print(table)

    def say(self, text: str, style: str = "") -> None:
        """Print a message to standard error; nothing in it is markup."""
        _stderr().print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    def progress(self) -> Progress:
        """A progress display on standard error; silent where that is no terminal."""
        console = _stderr()
        return Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Turn what goes wrong into one line and an exit code."""
        try:
            yield
        except HookeError as error:
            if self.as_json:
                self.show({"error": error_document(error)})
            self.say(f"Error: {describe(error)}", "bold red")
            raise typer.Exit(exit_code(error)) from error
        except OSError as error:
            self.say(f"Error: {describe(error)}", "bold red")
            raise typer.Exit(ExitCode.FAILED) from error
        except KeyboardInterrupt:
            self.say("Interrupted.")
            raise typer.Exit(ExitCode.INTERRUPTED) from None


def unreachable(error: HookeError) -> bool:
    """True if nobody answered at the address, as opposed to somebody who said no."""
    return isinstance(error, errors.UnavailableError) and error.reason is None


def exit_code(error: HookeError) -> ExitCode:
    """The exit code that stands for an error."""
    return ExitCode.UNREACHABLE if unreachable(error) else ExitCode.FAILED


def describe(error: HookeError | OSError) -> str:
    """Return what went wrong and what to do about it, in one line."""
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror or error}"
    text = " ".join(error.message.split())
    if len(error.violations) > 1:
        faults = [f"{fault.field}: {fault.description}" for fault in error.violations]
        text = "; ".join([text, *(fault for fault in faults if fault not in text)])
    if isinstance(error, errors.InternalError) and error.request_id and error.request_id not in text:
        text += f" (request id {error.request_id})"
    parts = [part for fault in error.violations for part in re.split(r"[.\[\]]", fault.field)]
    keys = dict.fromkeys([str(error.reason), *parts])
    hints = [_HINTS[key] for key in keys if key in _HINTS]
    return " ".join([text if text.endswith((".", "?")) else f"{text}.", *hints])


def error_document(error: HookeError | OSError) -> dict[str, Any]:
    """Return an error as a program reads it."""
    if isinstance(error, OSError):
        return {"reason": None, "message": describe(error)}
    return {
        "reason": error.metadata.get("reason") or error.reason,
        "message": error.message,
        "violations": error.violations,
        "request_id": error.request_id,
    }


def plain(value: Any) -> Any:  # noqa: PLR0911  (one return for each kind of value)
    """Return a value as what JSON knows: arrays are left out, numbers that are not finite become null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: plain(item) for name, item in fields if not isinstance(item, np.ndarray)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items() if not isinstance(item, np.ndarray)}
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("ascii", "replace")
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(plain(item) for item in value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _stderr() -> Console:
    return Console(stderr=True)
