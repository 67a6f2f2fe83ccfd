"""`hooke evaluate`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from hooke import AsyncClient
from hooke.cli import gate, limits, options, report
from hooke.cli.following import follow
from hooke.cli.order import Order, order_of, request_id_of
from hooke.cli.session import ExitCode, Session, unreachable
from hooke.errors import HookeError, InvalidRequestError, UnavailableError
from hooke.types import Evaluation, EvaluationState, ReportFormat

Suite = Annotated[
    str | None,
    typer.Argument(
        metavar="SUITE",
        help="A suite file (YAML), or a suite of the evaluator; an unknown name is answered with those.",
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data", metavar="DIR", help="Folder of the dataset; the evaluator must see it at the same path."
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option("--model", "-m", metavar="NAME", help="Model to evaluate; may be repeated. Default: all."),
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="Most samples of each task.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="DIR", help="Folder for the report. Default: hooke-report/SUITE-ID."),
]
New = Annotated[bool, typer.Option("--new", help="Begin afresh, even if the same was evaluated before.")]
AddTo = Annotated[
    str | None,
    typer.Option(
        "--add-to",
        metavar="ID",
        help="Add models, tasks or samples to the evaluation of this id: only what is missing is done.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Say how many calls it would take, and what they cost; send nothing."),
]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Ask again what other evaluations have answers to already.")
]
Rescore = Annotated[
    str | None,
    typer.Option(
        "--rescore",
        metavar="ID",
        help="Compute the metrics of the evaluation of this id again instead, from the answers that it has.",
    ),
]
Cancel = Annotated[
    str | None,
    typer.Option("--cancel", metavar="ID", help="Stop the evaluation of this id instead."),
]
FailUnder = Annotated[
    list[str] | None,
    typer.Option(
        gate.UNDER,
        metavar="[TASK/[MODEL/]]METRIC=VALUE",
        help="Fail if this metric (strict) is below the value; may be repeated; * is any task or model.",
    ),
]
FailOver = Annotated[
    list[str] | None,
    typer.Option(
        gate.OVER,
        metavar="[TASK/[MODEL/]]METRIC=VALUE",
        help="Fail if this metric (strict), of which lower is better, is above the value; may be repeated.",
    ),
]

_REPORT_TIMEOUT_S = 15 * 60.0
"""A report with a page for each of many samples takes long to pack and to send."""


def evaluate(
    context: typer.Context,
    suite: Suite = None,
    data: Data = None,
    model: Models = None,
    limit: Limit = None,
    out: Out = None,
    new: New = False,
    add_to: AddTo = None,
    dry_run: DryRun = False,
    no_cache: NoCache = False,
    in_flight: limits.InFlight = None,
    per_minute: limits.PerMinute = None,
    max_cost_usd: limits.MaxCost = None,
    max_failed: limits.MaxFailed = None,
    max_minutes: limits.MaxMinutes = None,
    rescore: Rescore = None,
    cancel: Cancel = None,
    fail_under: FailUnder = None,
    fail_over: FailOver = None,
    address: options.Address = None,
    as_json: options.AsJson = False,
) -> None:
    """Evaluate models on a dataset, and fetch the report.

    The work is done by the evaluator: it goes on if this command is interrupted, and the same command again
    follows it, finishes what is missing, or shows the report of what is finished.

    What is not done when a limit is reached (--max-cost-usd, --max-failed, --max-minutes) is done by the same
    command with a greater one.

    With --fail-under and --fail-over it fails with exit code 4, once the report is there, if a figure is
    worse than what you allow, or undefined, or not in the report.

    \b
    Examples:
      hooke evaluate demo
      hooke evaluate suite.yaml --data /data/dsb2018 --model classical --limit 100
      hooke evaluate demo --new --out report
      hooke evaluate demo --fail-under seg_accuracy@0.5=0.7 --fail-over cell-counting/classical/mae=2
      hooke evaluate demo --model gemini --dry-run
      hooke evaluate demo --model gemini --max-cost-usd 2 --per-minute gemini=15
      hooke evaluate demo --model gemini --model sam --add-to eval-3f2a
      hooke evaluate --rescore eval-3f2a
      hooke evaluate --cancel eval-3f2a
    """
    session = options.session_of(context, address, as_json)
    if cancel is not None:
        with session.reporting():
            stopped = asyncio.run(_cancel(session, cancel))
            session.say(f"Evaluation {stopped.evaluation_id} is {_words(stopped.state)}.")
            session.show(stopped)
        return
    bounds = gate.bounds_of(fail_under or (), fail_over or ())
    if rescore is not None:
        with session.reporting():
            raise typer.Exit(asyncio.run(_rescore(session, rescore, out, bounds)))
    if suite is None:
        raise typer.BadParameter("name a suite, for example demo.", param_hint="SUITE")
    if new and add_to is not None:
        raise typer.BadParameter(
            "begin afresh or add to what there is, not both.", param_hint="--new, --add-to"
        )
    may_take = limits.limits_of(in_flight, per_minute, max_cost_usd, max_failed, max_minutes)
    order = replace(order_of(suite, data, model or [], limit), limits=may_take, reuse_answers=not no_cache)
    with session.reporting():
        if dry_run:
            asyncio.run(_estimate(session, order, bounds, new=new, add_to=add_to))
            return
        raise typer.Exit(asyncio.run(_evaluate(session, order, out, bounds, new=new, add_to=add_to)))


async def _cancel(session: Session, evaluation_id: str) -> Evaluation:
    async with session.client() as client:
        await client.serving(timeout_s=session.connect_s)
        return await client.cancel_evaluation(evaluation_id)


async def _estimate(
    session: Session, order: Order, bounds: Sequence[gate.Bound], *, new: bool, add_to: str | None
) -> None:
    async with session.client() as client:
        await client.serving(timeout_s=session.connect_s)
        request_id, _before = await request_id_of(client, order, new=new, add_to=add_to)
        estimates = await client.estimate_evaluation(**order.request(request_id))
    session.show({"estimates": estimates}, limits.table_of(estimates))
    session.say(limits.sum_of(estimates))
    tasks = [each.task for each in estimates]
    for bound in gate.without_task(bounds, tasks):  # no fault yet: answers that are imported take no calls
        session.say(
            f"{bound.option}: no model is asked about a task {bound.task!r}; {gate.listed(tasks)}.",
            "bold yellow",
        )


async def _rescore(
    session: Session, evaluation_id: str, out: Path | None, bounds: Sequence[gate.Bound]
) -> ExitCode:
    async with session.client() as client:
        await client.serving(timeout_s=session.connect_s)
        evaluation = await client.rescore_evaluation(evaluation_id)
        session.say(
            f"Computing the metrics of evaluation {evaluation.evaluation_id} again; no model is asked."
        )
        _evaluation, code = await _to_the_end(client, session, evaluation, out, bounds, "")
    return code


async def _evaluate(
    session: Session,
    order: Order,
    out: Path | None,
    bounds: Sequence[gate.Bound],
    *,
    new: bool,
    add_to: str | None,
) -> ExitCode:
    async with session.client() as client:
        await client.serving(timeout_s=session.connect_s)
        evaluation = await _create(client, session, order, new=new, add_to=add_to)
        without_new = ", without --new" if new else ""
        evaluation, code = await _to_the_end(client, session, evaluation, out, bounds, without_new)
    if evaluation.state is EvaluationState.FAILED and order.data_dir:
        session.say("Mind that the evaluator must see the folder of --data at the same path.")
    return code


async def _to_the_end(
    client: AsyncClient,
    session: Session,
    evaluation: Evaluation,
    out: Path | None,
    bounds: Sequence[gate.Bound],
    without_new: str,
) -> tuple[Evaluation, ExitCode]:
    """Follow an evaluation, and show its report."""
    try:
        evaluation = await follow(client, session, evaluation, bounds)
    except asyncio.CancelledError:
        session.say(
            f"Evaluation {evaluation.evaluation_id} goes on without this terminal.\n"
            f"To follow it again, run the same command{without_new}.\n"
            f"To stop it: hooke evaluate --cancel {evaluation.evaluation_id}"
        )
        raise
    except HookeError as error:
        if not unreachable(error):
            raise
        text = (
            f"{error.message.rstrip('.')}. Evaluation {evaluation.evaluation_id} goes on at the server; "
            f"to follow it again, run the same command{without_new}"
        )
        raise UnavailableError(text, request_id=error.request_id) from error
    passed = await _show(client, session, evaluation, out or _default_folder(evaluation), bounds)
    if evaluation.state is not EvaluationState.SUCCEEDED:
        return evaluation, ExitCode.FAILED
    return evaluation, ExitCode.OK if passed else ExitCode.GATE


async def _create(
    client: AsyncClient, session: Session, order: Order, *, new: bool, add_to: str | None
) -> Evaluation:
    """Start the evaluation, or take the newest one of the same order up again, and say which."""
    request_id, before = await request_id_of(client, order, new=new, add_to=add_to)
    evaluation = await client.create_evaluation(**order.request(request_id))
    name = f"evaluation {evaluation.evaluation_id} of suite {evaluation.suite_name}"
    if before is None:
        session.say(f"Started {name}.")
    elif add_to is not None:
        session.say(f"Adding to {name}. What is done is kept.")
    elif before.state is EvaluationState.SUCCEEDED and evaluation.state.ended:
        session.say(f"The same was evaluated before: {name}. To do it afresh, add --new.")
    elif before.state.ended:
        session.say(f"Took up {name} again, which had ended as {_words(before.state)}. What is done is kept.")
    else:
        session.say(f"Joined {name}, which is {_words(before.state)}.")
    return evaluation


async def _show(
    client: AsyncClient,
    session: Session,
    evaluation: Evaluation,
    folder: Path,
    bounds: Sequence[gate.Bound],
) -> bool:
    """Fetch and show the report; True if no bound is broken."""
    index: Path | None = None
    content = None
    if any(each.done_count for each in evaluation.task_progress):
        session.say("Fetching the report.")
        try:
            archive = await client.report(
                evaluation.evaluation_id,
                ReportFormat.HTML_ZIP,
                timeout_s=max(session.timeout_s, _REPORT_TIMEOUT_S),
            )
        except InvalidRequestError:
            pass  # it ended before a report was written; its message, which is shown below, says why
        else:
            index = report.unpack(archive, folder)
            content = report.read(folder)
    checks = gate.checks(bounds, content)
    session.show(
        {
            "evaluation": evaluation,
            "index_html": None if index is None else str(index),
            "report": content,
            "gate": checks,
        },
        *(() if content is None else report.tables(content)),
    )
    if evaluation.state is not EvaluationState.SUCCEEDED:
        session.say(
            f"The evaluation {_words(evaluation.state)}. {evaluation.state_message}".rstrip(), "bold red"
        )
    if index is not None:
        session.say(f"Report: {index}", "bold")
    broken = [check for check in checks if not check.passed]
    for check in broken:
        session.say(f"{check.bound.option}: {check}", "bold red")
    return not broken


def _words(state: EvaluationState) -> str:
    return state.replace("_", " ")


def _default_folder(evaluation: Evaluation) -> Path:
    name = f"{evaluation.suite_name}-{evaluation.evaluation_id}"
    return Path("hooke-report") / re.sub(r"[^\w.-]", "_", name).lstrip(".")
