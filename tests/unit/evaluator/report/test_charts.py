"""Plots as geometry."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.report.charts import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Chart,
    Datum,
    padded,
    value_range,
    x_scale,
    y_scale,
)
from evaluator.report.plots import Profile, bland_altman, profile, reliability, scatter

numbers = st.floats(-1e9, 1e9, allow_nan=False)


def assert_inside(chart: Chart) -> None:
    """Everything stands within the frame."""
    for series in chart.series:
        for mark in series.marks:
            assert LEFT <= mark.x <= RIGHT
            assert all(TOP <= y <= BOTTOM for y in (mark.y, mark.low, mark.high) if y is not None)
    for rule in chart.rules:
        assert LEFT <= min(rule.x1, rule.x2) <= max(rule.x1, rule.x2) <= RIGHT
        assert TOP <= min(rule.y1, rule.y2) <= max(rule.y1, rule.y2) <= BOTTOM


# Ticks are round, ascending, within the axis and between three and ten in number, whatever the range.
@given(numbers, st.floats(1e-6, 1e9))
def test_ticks(low: float, width: float) -> None:
    if low + width * 1e-5 == low:
        return  # numbers that lie closer together than a tenth of a pixel can be told
    ticks = x_scale(low, low + width).ticks()
    assert 3 <= len(ticks) <= 10
    assert [tick.at for tick in ticks] == sorted(tick.at for tick in ticks)
    assert all(LEFT - 0.1 <= tick.at <= RIGHT + 0.1 for tick in ticks)
    assert len({tick.label for tick in ticks}) == len(ticks)


# Shares always get the whole axis from 0 to 1; other values a range that holds them and 0.
@given(st.lists(st.one_of(st.none(), numbers), max_size=8))
def test_value_range(ends: list[float | None]) -> None:
    low, high = value_range(ends)
    assert low < high
    known = [end for end in ends if end is not None]
    assert all(low <= end <= high for end in [0.0, *known])
    assert ((low, high) == (0.0, 1.0)) == all(0 <= end <= 1 for end in known)


# Values that are all equal, or none at all, still give an axis.
@pytest.mark.parametrize("values", [[], [5.0], [5.0, 5.0], [math.nan], [math.inf, 2.0]])
def test_padded(values: list[float]) -> None:
    low, high = padded(values)
    assert math.isfinite(low)
    assert low < high


# A scatter plot puts what is right onto the identity line, and says how many are too high and too low.
def test_scatter() -> None:
    chart = scatter("m", 0, {(0.0, 0.0): 1, (10.0, 10.0): 2, (5.0, 8.0): 1, (6.0, 1.0): 3}, 10.0)
    assert_inside(chart)
    assert chart.summary == "7 answers: 1 predicted too high, 3 too low, 3 exactly."
    (identity,) = chart.rules
    slope = (identity.y2 - identity.y1) / (identity.x2 - identity.x1)
    right = [mark for mark in chart.series[0].marks if mark.title.startswith(("true 0,", "true 10,"))]
    assert len(right) == 2
    for mark in right:
        assert mark.y == pytest.approx(identity.y1 + slope * (mark.x - identity.x1), abs=0.2)


# However many samples there are, a scatter plot has no more marks than it has room for.
def test_scatter_is_bounded() -> None:
    pairs = Counter({(i * 0.37 % 1000, i * 0.73 % 1000): 1 for i in range(30_000)})
    chart = scatter("m", 0, pairs, 1000.0)
    titles = [mark.title for mark in chart.series[0].marks]
    assert len(titles) < 7000
    counts = [int(title.split(": ")[1].split()[0]) if ": " in title else 1 for title in titles]
    assert sum(counts) == 30_000


# The lines of a Bland-Altman plot are the mean difference and 1.96 sample standard deviations around it.
def test_bland_altman() -> None:
    chart = bland_altman("m", 0, {(10.0, 12.0): 1, (20.0, 20.0): 1, (30.0, 31.0): 1})
    assert_inside(chart)
    assert chart.summary == "The mean difference is +1.00. The limits of agreement are -0.96 and +2.96."
    assert [(rule.kind, rule.label) for rule in chart.rules] == [
        ("identity", ""),
        ("mean", "+1.0"),
        ("limit", "+3.0"),
        ("limit", "-1.0"),
    ]


# One sample has a difference but no spread.
def test_bland_altman_of_one() -> None:
    chart = bland_altman("m", 0, {(3.0, 5.0): 1})
    assert_inside(chart)
    assert [rule.kind for rule in chart.rules] == ["identity", "mean"]


# Models stand side by side in each category, in their order, and never on top of each other.
@pytest.mark.parametrize("count", [1, 2, 7])
def test_profile_of_categories(count: int) -> None:
    data = tuple(Datum(float(x), 0.5, "t", 0.4, 0.6) for x in range(3))
    profiles = [Profile(f"m{i}", i, data) for i in range(count)]
    chart = profile("t", "axis", "metric", profiles, ["a", "b", "c"])
    assert_inside(chart)
    assert [tick.label for tick in chart.x_ticks] == ["a", "b", "c"]
    places = [mark.x for x in range(3) for mark in (series.marks[x] for series in chart.series)]
    assert places == sorted(set(places))


# Where category names do not fit beside each other, some are left out rather than drawn over each other.
def test_profile_of_many_categories() -> None:
    labels = [f"a long category {i}" for i in range(40)]
    data = tuple(Datum(float(i), i / 40, "t") for i in range(40))
    chart = profile("t", "axis", "metric", [Profile("m", 0, data)], labels)
    assert_inside(chart)
    assert len(chart.series[0].marks) == 40
    assert 1 <= len(chart.x_ticks) <= 4


# Along numbers, marks stand where the numbers are.
def test_profile_of_numbers() -> None:
    data = tuple(Datum(x, 1 - x, "t") for x in (0.5, 0.75, 0.9))
    chart = profile("t", "IoU", "metric", [Profile("m", 0, data)])
    assert_inside(chart)
    first, second, third = (mark.x for mark in chart.series[0].marks)
    assert (second - first) / (third - second) == pytest.approx(0.25 / 0.15, rel=0.01)


# Perfect calibration lies on the line of a reliability plot.
def test_reliability() -> None:
    chart = reliability("m", 0, [Datum(0.2, 0.2, "t", 0.1, 0.4), Datum(0.9, 0.9, "t", 0.5, 1.0)], 20)
    assert_inside(chart)
    (line,) = chart.rules
    for mark in chart.series[0].marks:
        share = (mark.x - line.x1) / (line.x2 - line.x1)
        assert mark.y == pytest.approx(line.y1 + share * (line.y2 - line.y1), abs=0.2)


# The vertical axis runs upwards.
def test_up_is_up() -> None:
    scale = y_scale(0, 10)
    assert scale(10) < scale(0)
