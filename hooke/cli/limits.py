"""What `hooke evaluate` lets an evaluation take, and what it says that one would take."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

import typer
from rich.table import Table

from hooke.cli import options
from hooke.types import EvaluationLimits, TaskEstimate

N = TypeVar("N", int, float)

InFlight = Annotated[
    list[str] | None,
    typer.Option("--in-flight", metavar="MODEL=N", help="Most calls to a model at a time; may be repeated."),
]
PerMinute = Annotated[
    list[str] | None,
    typer.Option("--per-minute", metavar="MODEL=N", help="Most calls to a model a minute; may be repeated."),
]
MaxCost = Annotated[
    float | None,
    typer.Option("--max-cost-usd", metavar="USD", help="Stop before answers cost more than that in all."),
]
MaxFailed = Annotated[
    str | None,
    typer.Option(
        "--max-failed",
        metavar="N|P%",
        help="Stop asking a model of which more samples than that fail, as a number or as a share.",
    ),
]
MaxMinutes = Annotated[
    float | None,
    typer.Option("--max-minutes", metavar="MINUTES", help="Send no more samples after that time."),
]


def limits_of(
    in_flight: Sequence[str] | None,
    per_minute: Sequence[str] | None,
    max_cost_usd: float | None,
    max_failed: str | None,
    max_minutes: float | None,
) -> EvaluationLimits | None:
    """Read the options; None if there are none.

    Raises:
        typer.BadParameter: one is not of its form.
    """
    if max_cost_usd is not None and not 0 <= max_cost_usd < math.inf:
        raise typer.BadParameter(f"{max_cost_usd} is no amount of money.", param_hint="--max-cost-usd")
    count, fraction = None, None
    if max_failed is not None and max_failed.endswith("%"):
        percent = _number(float, max_failed[:-1], "--max-failed", "a number, or a share like 20%")
        if not 0 <= percent <= 100:
            raise typer.BadParameter(f"{max_failed} is not from 0% to 100%.", param_hint="--max-failed")
        fraction = percent / 100
    elif max_failed is not None:
        count = _number(int, max_failed, "--max-failed", "a number, or a share like 20%")
        if count < 0:
            raise typer.BadParameter(f"{max_failed} is below 0.", param_hint="--max-failed")
    limits = EvaluationLimits(
        max_in_flight=_by_model("--in-flight", in_flight or ()),
        requests_per_minute=_by_model("--per-minute", per_minute or ()),
        max_cost_micro_usd=None if max_cost_usd is None else round(max_cost_usd * 1e6),
        max_failed_count=count,
        max_failed_fraction=fraction,
        max_sending_s=None if max_minutes is None else 60 * options.positive("--max-minutes", max_minutes),
    )
    return None if limits == EvaluationLimits() else limits


def _by_model(option: str, values: Sequence[str]) -> dict[str, int]:
    found = {}
    for value in values:
        model, _, text = value.rpartition("=")
        if not model:
            raise typer.BadParameter(f"{value!r} is not of the form MODEL=N.", param_hint=option)
        found[model] = _number(int, text, option, "a whole number")
        if found[model] < 1:
            raise typer.BadParameter(f"{value!r} is below 1.", param_hint=option)
    return found


def _number(kind: Callable[[str], N], text: str, option: str, form: str) -> N:
    try:
        return kind(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not {form}.", param_hint=option) from error


def table_of(estimates: Sequence[TaskEstimate]) -> Table:
    """What every task would take with every model, for a person."""
    table = Table(title="What the evaluation would take; nothing was sent")
    table.add_column("Task")
    table.add_column("Model")
    for name in ("Samples", "Have", "Reuse", "Calls", "Tokens in", "Tokens out", "Cost", "Minutes"):
        table.add_column(name, justify="right")
    for each in estimates:
        table.add_row(
            each.task,
            each.model,
            *(f"{n:,}" for n in (each.sample_count, each.kept_count, each.reused_count, each.call_count)),
            _or_unknown(each.input_token_count, each),
            _or_unknown(each.output_token_count, each),
            "unknown" if each.cost_micro_usd is None else f"${each.cost_micro_usd / 1e6:,.4f}",
            _minutes(each),
        )
    return table


def _or_unknown(tokens: int | None, estimate: TaskEstimate) -> str:
    if tokens is None:
        return "none" if estimate.known_answer_count else "unknown"
    return f"{tokens:,}"


def _minutes(estimate: TaskEstimate) -> str:
    if estimate.shortest_s is None or estimate.longest_s is None:
        return "unknown"
    return f"{estimate.shortest_s / 60:.1f} to {estimate.longest_s / 60:.1f}"


def sum_of(estimates: Sequence[TaskEstimate]) -> str:
    """The whole in a sentence."""
    calls = sum(each.call_count for each in estimates)
    costs = [each.cost_micro_usd for each in estimates]
    known = [cost for cost in costs if cost is not None]
    told = f"{calls:,} calls would be made" + (f", for ${sum(known) / 1e6:,.4f}" if known else "")
    if len(known) == len(costs):
        return f"{told}."
    rows = f"of {len(costs) - len(known)} of the {len(costs)} rows " if known else ""
    return f"{told}; the cost {rows}is unknown until a few samples were asked, as with --limit 5."
