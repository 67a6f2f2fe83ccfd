"""`hooke report compare`."""

from __future__ import annotations

import asyncio
import importlib
import io
import json
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from hooke.cli import options, report
from hooke.cli.session import Session
from hooke.errors import InvalidRequestError
from hooke.types import ReportFormat

First = Annotated[str, typer.Argument(metavar="RUN_A", help="Folder of a report, or id of an evaluation.")]
Second = Annotated[str, typer.Argument(metavar="RUN_B", help="The same of the run to compare with it.")]
Html = Annotated[
    Path | None,
    typer.Option(
        "--html", metavar="FILE", help="Write the comparison as a page, too; it needs no other file."
    ),
]

Markdown = Annotated[
    Path | None,
    typer.Option("--markdown", metavar="FILE", help="Write the comparison as Markdown, too."),
]

_TIMEOUT_S = 15 * 60.0
"""Tests on many samples take their time."""
_VERDICTS = {"better": "second is better", "worse": "second is worse", "alike": "cannot be told apart"}
_NONE = "-"


def compare(
    context: typer.Context,
    first: First,
    second: Second,
    html: Html = None,
    markdown: Markdown = None,
    address: options.Address = None,
    as_json: options.AsJson = False,
) -> None:
    """Compare two runs: every task and model that both have, sample by sample.

    Two folders of reports are compared here, if Hooke runs from a checkout with its extra "evaluator".
    Anything else is compared by the evaluator that keeps the evaluations: a folder stands for the evaluation
    that it is the report of. Differences are RUN_B minus RUN_A, on the samples that are the same in both.

    \b
    Examples:
      hooke report compare hooke-report/before hooke-report/after
      hooke report compare 3f2a 9c41 --html change.html --markdown change.md
    """
    session = options.session_of(context, address, as_json)
    with session.reporting():
        folders = [folder for name in (first, second) if (folder := Path(name).expanduser()).is_dir()]
        contrast = _contrast() if len(folders) == 2 else None
        if contrast is not None:
            files = _here(contrast, folders)
        else:
            files = asyncio.run(_there(session, _id_of(first), _id_of(second)))
        found = json.loads(files["comparison.json"])
        written = {name: path for name, path in (("index.html", html), ("comparison.md", markdown)) if path}
        for name, path in written.items():
            path.write_bytes(files[name])
        session.show(found, *_tables(found))
        for path in written.values():
            session.say(f"Written: {path}", "bold")


def _contrast() -> Any:
    """What compares folders: the client comes without it, a checkout has it. None: it is not here."""
    checkout = str(Path(__file__).resolve().parents[2])
    if checkout not in sys.path:
        sys.path.append(checkout)
    try:
        return importlib.import_module("evaluator.contrast")
    except ModuleNotFoundError:
        return None


def _here(contrast: Any, folders: Sequence[Path]) -> Mapping[str, bytes]:
    files: Mapping[str, bytes] = contrast.contrast_files(
        contrast.contrast(*(contrast.read_folder(folder) for folder in folders))
    )
    return files


def _id_of(run: str) -> str:
    """Id of an evaluation that is named by itself or by the folder of its report."""
    folder = Path(run).expanduser()
    if not folder.is_dir():
        return run
    found = report.read(folder)
    if found is None:
        raise InvalidRequestError(f"{folder} holds no report of this version: report.json cannot be read")
    return str(found["evaluation_id"])


async def _there(session: Session, first: str, second: str) -> Mapping[str, bytes]:
    if first == second:
        raise InvalidRequestError(
            f"both are of the evaluation {first}, of which its evaluator keeps one state; two reports of it "
            "are compared by a checkout of Hooke that is installed with its extra 'evaluator'"
        )
    async with session.client() as client:
        await client.serving(timeout_s=session.connect_s)
        archive = await client.report(
            second,
            ReportFormat.HTML_ZIP,
            compared_to=first,
            timeout_s=max(session.timeout_s, _TIMEOUT_S),
        )
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        return {name: files.read(name) for name in ("comparison.json", "comparison.md", "index.html")}


def _tables(found: Mapping[str, Any]) -> Iterator[Table]:
    """Yield the headline metrics, then all metrics of each task and model, then what was not the same."""
    title = f"{found['first']['evaluation_id']} (first) and {found['second']['evaluation_id']} (second)"
    table = _table(title, "Task", "Model", "Metric", "So")
    table.caption = (
        "First and Second are of the whole runs, Difference and p of the n samples that both have."
    )
    table.caption_justify = "left"
    for each in found["contrasts"]:
        told = _VERDICTS[each["verdict"]] if each["shared_count"] else "not the same samples"
        table.add_row(
            *map(Text, (each["task"], each["model"], each["headline"], told)),
            *_figures(each["changes"][0], "adjusted_p_value"),
            str(each["shared_count"]),
        )
    yield table
    for each in found["contrasts"]:
        table = _table(f"{each['task']}, {each['model']}", "Metric")
        for change in each["changes"]:
            table.add_row(
                Text(change["metric"]), *_figures(change, "p_value"), str(change["difference"]["n"])
            )
        yield table
    table = Table(title="What was not the same", title_justify="left")
    for column in ("Of", "What", "First", "Second"):
        table.add_column(column, overflow="fold")
    for each in found["provenance"]:
        table.add_row(*(Text(each[key]) for key in ("topic", "what", "first", "second")))
    yield table


def _table(title: str, *names: str) -> Table:
    table = Table(title=Text(title), title_justify="left")
    for name in names:
        table.add_column(name)
    for name in ("First", "Second", "Difference", "p", "n"):
        table.add_column(name, justify="right")
    return table


def _figures(change: Mapping[str, Any], p_value: str) -> Iterator[str]:
    for key in ("first", "second", "difference"):
        yield _estimate(change[key])
    yield _NONE if change[p_value] is None else f"{change[p_value]:.2g}"


def _estimate(estimate: Mapping[str, Any]) -> str:
    if estimate["value"] is None:
        return "undefined"
    if estimate["low"] is None or estimate["high"] is None:
        return f"{estimate['value']:.3g}"
    return f"{estimate['value']:.3g} ({estimate['low']:.3g} to {estimate['high']:.3g})"
