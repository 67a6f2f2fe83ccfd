"""Published figures as they stand below a leaderboard: a row for whose they are, a column for each metric."""

from __future__ import annotations

from dataclasses import dataclass

from evaluator.report.numbers import NONE
from evaluator.summaries import Reference, TaskSummary

REFERENCE_MEANING = (
    "Figures that others published for this question. They are no models of this run: nothing was tested "
    "against them, and their images and rules of scoring may differ."
)


@dataclass(frozen=True, slots=True)
class Published:
    """One row: whose figures, one for each metric of the table, of how many samples, and from where."""

    name: str
    figures: tuple[str, ...]
    n: int | None
    source: str


@dataclass(frozen=True, slots=True)
class ReferenceTable:
    """The published figures of a task; the headline metric comes first."""

    metrics: tuple[str, ...]
    rows: tuple[Published, ...]


def reference_table(task: TaskSummary) -> ReferenceTable | None:
    """The published figures of a task in the order of the suite; None where there are none."""
    if not task.references:
        return None
    named = dict.fromkeys(reference.metric for reference in task.references)
    metrics = tuple(sorted(named, key=lambda metric: metric != task.headline))
    found: dict[tuple[str, int | None, str], dict[str, Reference]] = {}
    for reference in task.references:
        found.setdefault((reference.name, reference.n, reference.source), {})[reference.metric] = reference
    return ReferenceTable(
        metrics,
        tuple(
            Published(name, tuple(_figure(by_metric.get(metric)) for metric in metrics), n, source)
            for (name, n, source), by_metric in found.items()
        ),
    )


def _figure(reference: Reference | None) -> str:
    """A figure with as many digits as were published."""
    if reference is None:
        return NONE
    upper = "" if reference.upper is None else f" to {reference.upper:g}"
    return f"{reference.value:g}{upper}"
