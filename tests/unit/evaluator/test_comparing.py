"""What a report says of two models: which is better, and how many more images would tell."""

from __future__ import annotations

from evaluator.comparing import correct
from evaluator.metrics.power import images_for_mcnemar
from evaluator.records import SampleScore, TaskKind
from evaluator.summaries import TaskSummary
from tests.unit.evaluator.scored import class_scores, rows_of, summarise, task_of

TASK = task_of(TaskKind.CLASSIFICATION, headline="accuracy")


def right(count: int, total: int) -> list[SampleScore]:
    """Scores of cats of which the first `count` are seen to be cats."""
    return class_scores(["cat"] * total, ["cat"] * count + ["dog"] * (total - count))


def compared(first: int, second: int, total: int, family: int | None = None) -> TaskSummary:
    scores = {"first": right(first, total), "second": right(second, total)}
    summary = summarise(TASK, "made up", rows_of(total), scores, {}, family)
    return correct([summary])[0]


# Models that cannot be told apart come with the images that would tell them apart: those that the test needs,
# less those that there are.
def test_more_images() -> None:
    (pair,) = compared(52, 50, 100).comparisons
    assert pair.better is None
    needed = images_for_mcnemar(0.02, 0.0)
    assert needed is not None
    assert pair.more_images == needed - 100


# What is told apart already needs none, and what shows no difference at all lets nobody say how many.
def test_nothing_to_say() -> None:
    (apart,), (alike,) = compared(90, 50, 100).comparisons, compared(50, 50, 100).comparisons
    assert (apart.better, apart.more_images) == ("first", None)
    assert (alike.better, alike.more_images) == (None, None)


# The more comparisons a run has, the more images it takes, since p-values are corrected for their number.
def test_family() -> None:
    alone, of_many = (compared(54, 50, 100, family).comparisons[0].more_images for family in (None, 20))
    assert alone is not None
    assert of_many is not None
    assert of_many > alone > 0
