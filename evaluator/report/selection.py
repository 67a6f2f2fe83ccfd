"""Which samples of a large task get a page.

A page is two pictures and a file of HTML: a million of them would take days to write, and nobody would read
them. Numbers, plots and `samples.parquet` are of all samples whatever their number.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from evaluator.records import SampleRow, SampleScore, TaskKind
from evaluator.report.collect import badness
from evaluator.report.pages import WORST_BY

ALL_PAGES = 10_000
"""Samples of a task that all get a page."""
WORST_PAGES = 1_000
"""Samples of each model that get one where a task has more: the worst, those without an answer first."""

PAGES_MEANING = (
    f"Of a task with more than {ALL_PAGES:,} samples only the {WORST_PAGES:,} worst of each model have a "
    "page, those without an answer first. Numbers and plots are of all samples, and samples.parquet has all "
    "answers."
)


def worst_positions(
    kind: TaskKind, models: Iterable[Iterable[tuple[SampleRow, SampleScore]]], most: int = WORST_PAGES
) -> Sequence[int]:
    """Places in the dataset of the samples that get a page, in order.

    Args:
        kind: of the task.
        models: the answers of each model.
        most: samples of each model.
    """
    metric = WORST_BY[kind]
    chosen: set[int] = set()
    for answers in models:
        ranks = (badness(row.index, score, metric) for row, score in answers if not score.tuned_on)
        chosen |= {index for *_, index in heapq.nsmallest(most, ranks)}
    return sorted(chosen)
