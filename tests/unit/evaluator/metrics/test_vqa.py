"""Metrics of questions and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evaluator.metrics.answers import AnswerKind, Tolerance, no_answer, score_choice, score_number, score_text
from evaluator.metrics.catalogue import METRICS
from evaluator.metrics.comparison import compare
from evaluator.metrics.grading import score_grade
from evaluator.metrics.intervals import Statistic, estimate
from evaluator.metrics.quantities import score_quantity
from evaluator.metrics.vqa import VALUES, statistics
from evaluator.records import TaskKind


def statistics_of(answers: Sequence[Mapping[str, float]]) -> list[Statistic]:
    """Of the metrics of single questions."""
    columns = {name: np.array([each.get(name, np.nan) for each in answers]) for name in VALUES}
    return statistics(columns)


def estimates(answers):
    return {found.name: found for found in estimate(statistics_of(answers), [None] * len(answers))}


# Questions of all kinds, one of them without an answer: each metric is over those that have it.
def test_by_hand():
    answers = [
        score_choice("yes", "A", ["yes", "no"]).metrics,
        score_text(["fibres"], "fibers").metrics,
        score_number(10, "12", Tolerance(relative=0.25)).metrics,
        score_quantity(5, "µm", "5 mm").metrics,
        score_quantity(5, "µm", "7 µm").metrics,
        no_answer(AnswerKind.QUANTITY),
        score_grade("GRADE: B").metrics,
        score_grade("GRADE: D").metrics,
    ]
    found = estimates(answers)
    assert {name: (one.value, one.n) for name, one in found.items()} == {
        "accuracy": (2 / 8, 8),
        "anls_mean": (pytest.approx(1 - 2 / 6), 1),
        "within_tolerance": (1 / 4, 4),
        # Of 0.2, 999, 0.4 and 1; 999 stands at the end of the scale.
        "relative_error_median": (pytest.approx(0.7), 4),
        "unit_errors": (pytest.approx(1 / 3), 3),
        "grade_mean": (pytest.approx(1 / 3), 2),
    }
    assert found["accuracy"].method == "wilson"


# Shares are proportions of the questions that they are about: Wilson's interval has their number.
def test_shares_leave_out_other_questions():
    answers = [score_number(1, "1").metrics] * 3 + [score_number(1, "2").metrics] * 2
    found = estimates([*answers, *[score_text(["a"], "a").metrics] * 20])["within_tolerance"]
    expected = stats.binomtest(3, 5).proportion_ci(method="wilson")
    assert (found.low, found.high, found.n) == (pytest.approx(expected.low), pytest.approx(expected.high), 5)


# The median is that of NumPy up to its two digits, also of resamples and of an even number.
@settings(deadline=None, max_examples=100)
@given(st.lists(st.floats(0, 90, allow_subnormal=False), min_size=1, max_size=30))
def test_median_is_numpys(errors):
    found = estimates([{"relative_error": error} for error in errors])["relative_error_median"]
    assert found.value == pytest.approx(np.median(errors), rel=0.06, abs=6e-4)


# The median has an interval, and two models' medians can be compared.
def test_median_in_use():
    rng = np.random.default_rng(0)
    good, poor = rng.exponential(0.1, 80), rng.exponential(0.5, 80)
    first, second = (
        statistics_of([{"relative_error": error} for error in errors])[3] for errors in (good, poor)
    )
    (found,) = estimate([first], [None] * 80)
    assert found.low < found.value < found.high
    assert (found.method, found.higher_is_better) == ("bca", False)
    difference = compare(first, second, [None] * 80)
    assert difference.estimate.value == pytest.approx(np.median(good) - np.median(poor), abs=0.02)
    assert difference.p_value < 0.001


# What no question asks for has no value, and a note says so.
def test_nothing_to_measure():
    found = estimates([score_choice("yes", "B", ["yes", "no"]).metrics] * 6)
    assert found["accuracy"].value == 0
    assert all(found[name].value is None and found[name].note for name in found if name != "accuracy")


# The names are those of the catalogue, in its order.
def test_names_are_those_of_the_catalogue():
    assert [(s.name, s.higher_is_better) for s in statistics_of([])] == [
        (m.name, m.higher_is_better) for m in METRICS[TaskKind.VQA]
    ]
