"""How a model answers when it is asked the same again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evaluator.judging import judge
from evaluator.records import TaskKind
from evaluator.stability import spread_of, stability_of
from hooke.types import SampleOutcome
from tests.unit.evaluator.scored import count_scores, rows_of, task_of

ABSTAINED, FAILED = SampleOutcome.ABSTAINED, SampleOutcome.FAILED
COUNTS = task_of(TaskKind.COUNTING, repeats=3)


def judged(*answers: tuple[object, object, object]):
    """Three answers to each sample, of which each really has ten objects."""
    rows = rows_of(len(answers))
    by_repeat = [
        [replace(score, repeat=repeat) for score in count_scores([10] * len(answers), list(said))]
        for repeat, said in enumerate(zip(*answers, strict=True))
    ]
    told = [(row, scores[place]) for place, row in enumerate(rows) for scores in by_repeat]
    return judge(COUNTS, told, COUNTS.repeats)


# A sample is stable if every answer is the same, none among them; one with a failure says nothing of that.
def test_stability() -> None:
    found = stability_of(
        COUNTS,
        judged((7, 7, 7), (7, 7, 8), (ABSTAINED, ABSTAINED, ABSTAINED), (7, 7, ABSTAINED), (7, 7, FAILED)),
    )
    assert (found.value, found.n, found.method) == (0.5, 4, "wilson")


# The spread is the root of the mean variance within samples, whatever the samples' own counts are; an answer
# that is none is no count.
def test_spread() -> None:
    found = spread_of(judged((4, 6, 5), (50, 50, 50), (9, 11, ABSTAINED), (3, ABSTAINED, ABSTAINED)))
    assert found.value == pytest.approx(((2 * 1 + 2 * 0 + 1 * 2) / 5) ** 0.5)
    assert (found.n, found.higher_is_better) == (3, False)


# Of many samples it has an interval that holds it; of a model that always says the same it is 0, and of one
# that was counted once each it is undefined.
def test_intervals() -> None:
    varied = spread_of(judged(*[(10 + place % 3, 10, 10 - place % 2) for place in range(40)]))
    assert varied.low is not None
    assert varied.high is not None
    assert varied.low < varied.value < varied.high
    assert spread_of(judged(*[(place, place, place) for place in range(20)])).value == 0
    once = spread_of(judged(*[(place, ABSTAINED, FAILED) for place in range(20)]))
    assert (once.value, once.note) == (None, "no sample was counted more than once")
