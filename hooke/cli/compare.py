"""`hooke report compare`."""

from __future__ import annotations

import asyncio
import importlib
import io
import json
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from hooke.cli import options
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

_TIMEOUT_S = 15 * 60.0
"""Tests on many samples take their time."""
_VERDICTS = {"better": "second is better", "worse": "second is worse", "alike": "cannot be told apart"}
_NONE = "-"


def compare(
    context: typer.Context,
    first: First,
    second: Second,
    html: Html = None,
    address: options.Address = None,
    as_json: options.AsJson = False,
) -> None:
    """Compare two runs: every task and model that both have, sample by sample.

    Two folders of reports are compared here, which needs a checkout of Hooke with its extra "evaluator";
    two ids of evaluations are compared by the evaluator that keeps them. Differences are RUN_B minus RUN_A,
    on the samples that are the same in both.

    \b
    Examples:
      hooke report compare hooke-report/before hooke-report/after
      hooke report compare 3f2a 9c41 --html change.html
    """
    session = options.session_of(context, address, as_json)
    folders = [path for path in (Path(first).expanduser(), Path(second).expanduser()) if path.is_dir()]
    if len(folders) == 1:
        text = f"{folders[0]} is a folder and the other is not; name two folders, or two ids."
        raise typer.BadParameter(text, param_hint="RUN_A, RUN_B")
    with session.reporting():
        files = _here(*folders) if folders else asyncio.run(_there(session, first, second))
        found = json.loads(files["comparison.json"])
        if html is not None:
            html.write_bytes(files["index.html"])
        session.show(found, *_tables(found))
        if html is not None:
            session.say(f"Page: {html}", "bold")


def _here(first: Path, second: Path) -> Mapping[str, bytes]:
    """Compare two folders. The client is installed without the evaluator, which a checkout has beside it."""
    checkout = str(Path(__file__).resolve().parents[2])
    if checkout not in sys.path:
        sys.path.append(checkout)
    try:
        contrast: Any = importlib.import_module("evaluator.contrast")
    except ModuleNotFoundError as error:
        raise InvalidRequestError(
            f"comparing folders needs the evaluator ({error}): use a checkout of Hooke, installed with its "
            "extra 'evaluator', or name the ids of two evaluations"
        ) from error
    runs = [contrast.read_folder(folder) for folder in (first, second)]
    files: Mapping[str, bytes] = contrast.contrast_files(contrast.contrast(*runs))
    return files


async def _there(session: Session, first: str, second: str) -> Mapping[str, bytes]:
    async with session.client() as client:
        await client.serving(timeout_s=session.connect_s)
        archive = await client.report(
            second,
            ReportFormat.HTML_ZIP,
            compared_to=first,
            timeout_s=max(session.timeout_s, _TIMEOUT_S),
        )
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        return {name: files.read(name) for name in ("comparison.json", "index.html")}


def _tables(found: Mapping[str, Any]) -> Iterator[Table]:
    """Yield the headline metrics, then all metrics of each task and model, then what was not the same."""
    title = f"{found['first']['evaluation_id']} (first) and {found['second']['evaluation_id']} (second)"
    table = _table(title, "Task", "Model", "Metric", "So")
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
