"""Counting metrics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from evaluator.metrics.catalogue import METRICS
from evaluator.metrics.counting import statistics, within
from evaluator.metrics.intervals import estimate
from evaluator.records import TaskKind


def values(true, predicted):
    found = estimate(statistics(true, predicted), [None] * len(true))
    return {result.name: result.value for result in found}


# Four counts by hand.
def test_by_hand():
    result = values([10, 20, 0, 30], [11, 16, 0, 30])
    assert result["mae"] == 5 / 4
    assert result["rmse"] == pytest.approx((17 / 4) ** 0.5)
    assert result["bias"] == -3 / 4
    assert result["mape"] == pytest.approx((1 / 10 + 4 / 20 + 0) / 3)
    assert result["r2"] == pytest.approx(1 - 17 / 500)
    assert result["exact"] == 2 / 4
    assert result["within_10pct"] == 3 / 4


# Every metric is that of scikit-learn and SciPy.
@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(1, 300), st.integers(0, 400)), min_size=5, max_size=30))
def test_is_scikit_learns(pairs):
    true, predicted = zip(*pairs, strict=True)
    result = values(true, predicted)
    assert result["mae"] == pytest.approx(sk.mean_absolute_error(true, predicted))
    assert result["rmse"] == pytest.approx(sk.root_mean_squared_error(true, predicted))
    assert result["mape"] == pytest.approx(sk.mean_absolute_percentage_error(true, predicted))
    assert result["bias"] == pytest.approx(np.mean(predicted) - np.mean(true))
    if len(set(true)) == 1:
        assert result["r2"] is None
    else:
        assert result["r2"] == pytest.approx(sk.r2_score(true, predicted))
    if len(set(true)) == 1 or len(set(predicted)) == 1:
        assert result["pearson_r"] is None
    else:
        assert result["pearson_r"] == pytest.approx(stats.pearsonr(true, predicted).statistic)


# A constant bias leaves Pearson's r at 1 and pulls R2 down: r hides what R2 shows.
def test_r_hides_bias():
    true = list(range(10, 40))
    result = values(true, [count + 20 for count in true])
    assert result["pearson_r"] == pytest.approx(1)
    assert result["r2"] < -3
    assert result["bias"] == 20


# Where all true counts are equal, R2 and r are undefined and a note says so.
def test_constant_truth_is_undefined():
    found = {e.name: e for e in estimate(statistics([7] * 6, [5, 6, 7, 8, 9, 10]), [None] * 6)}
    assert found["r2"].value is found["pearson_r"].value is None
    assert "equal" in found["r2"].note
    assert found["mae"].value == 9 / 6


# Without truth above 0 there is no relative error.
def test_mape_needs_truth_above_zero():
    assert values([0, 0, 0], [0, 1, 2])["mape"] is None


# The tolerance of 10 % is computed without rounding: 33 of 30 is inside, 34 is not.
def test_within_ten_percent_is_exact():
    assert within(33, 30, 10)
    assert not within(34, 30, 10)
    assert within(0, 0, 10)
    assert not within(1, 0, 10)


# All metrics of the catalogue are there, in its order, and errors are better when lower.
def test_names_are_those_of_the_catalogue():
    found = statistics([1, 2], [1, 3])
    assert [(s.name, s.higher_is_better) for s in found] == [
        (m.name, m.higher_is_better) for m in METRICS[TaskKind.COUNTING]
    ]
