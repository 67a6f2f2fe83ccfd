"""Wilson and bootstrap intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evaluator.metrics.intervals import RESAMPLES, _weights, estimate, wilson
from evaluator.metrics.statistics import mean, proportion
from evaluator.records import TaskKind

COUNTING = TaskKind.COUNTING


def one(statistic, clusters):
    (result,) = estimate([statistic], clusters)
    return result


# The published figure: 138 right of 250 is 55.2 %, Wilson 49.0 to 61.2 %.
def test_wilson_of_the_paper():
    interval = wilson(138, 250)
    assert (round(100 * interval.low, 1), round(100 * interval.high, 1)) == (49.0, 61.2)


# Wilson's interval is that of SciPy and stays inside 0 to 1, also at the ends.
@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (0, 20), (20, 20), (3, 7), (999, 1000)])
def test_wilson_is_scipys(successes, n):
    expected = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    interval = wilson(successes, n)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert 0 <= interval.low <= interval.high <= 1


# The BCa interval of a mean is that of scipy.stats.bootstrap, up to the chance of resampling, at the level
# that Student's t and the factor (n - 1) / n of a resample's variance make of 95 %.
@pytest.mark.parametrize(("count", "level"), [(12, 0.9785), (60, 0.9563)])
def test_bca_is_scipys(count, level):
    values = np.random.default_rng(3).exponential(2.0, count)
    result = one(mean(COUNTING, "mae", values), [None] * count)
    reach = stats.t.ppf(0.975, count - 1) * np.sqrt(count / (count - 1))
    assert 1 - 2 * stats.norm.sf(reach) == pytest.approx(level, abs=1e-4)
    expected = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=20_000,
        method="BCa",
        confidence_level=level,
        rng=np.random.default_rng(4),
    ).confidence_interval
    assert result.method == "bca"
    assert result.value == pytest.approx(values.mean())
    width = expected.high - expected.low
    assert (result.low, result.high) == pytest.approx((expected.low, expected.high), abs=0.06 * width)


# The interval covers the true mean of skewed data in about 95 of 100 cases.
def test_bca_covers():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        result = one(mean(COUNTING, "mae", rng.exponential(1.0, 50)), [None] * 50)
        covered += result.low <= 1.0 <= result.high
    assert 0.88 <= covered / 200 <= 0.99


# Copies of one sample in one cluster say nothing new: the interval is that of the clusters alone.
def test_clusters_are_drawn_together():
    values = np.random.default_rng(5).normal(0, 1, 30)
    single = one(mean(COUNTING, "bias", values), [None] * 30)
    clusters = [f"patient {i}" for i in range(30) for _ in range(8)]
    tenfold = one(mean(COUNTING, "bias", np.repeat(values, 8)), clusters)
    naive = one(mean(COUNTING, "bias", np.repeat(values, 8)), [None] * 240)
    assert (tenfold.method, tenfold.n) == ("bca-clustered", 240)
    assert (tenfold.low, tenfold.high) == pytest.approx((single.low, single.high))
    assert naive.high - naive.low < 0.5 * (tenfold.high - tenfold.low)


# A proportion of dependent samples gets a clustered bootstrap, of independent ones Wilson's interval.
def test_proportions_mind_clusters():
    right = [True, False] * 20
    assert one(proportion(COUNTING, "exact", right), [None] * 40).method == "wilson"
    assert one(proportion(COUNTING, "exact", right), [str(i) for i in range(40)]).method == "wilson"
    clustered = one(proportion(COUNTING, "exact", right), [str(i // 4 * (i % 3)) for i in range(40)])
    assert clustered.method == "bca-clustered"
    assert clustered.value == 0.5


# The same data give the same interval, every time and in any company.
def test_intervals_are_deterministic():
    values = np.random.default_rng(6).normal(0, 1, 40)
    first = estimate([mean(COUNTING, "mae", values), mean(COUNTING, "bias", values)], [None] * 40)
    assert first[1] == one(mean(COUNTING, "bias", values), [None] * 40)


# Many samples are resampled in pieces: the draws are others, what they say is the same.
def test_large_sets_are_resampled_in_pieces(monkeypatch):
    values = np.random.default_rng(7).normal(0, 1, 500)
    whole = one(mean(COUNTING, "bias", values), [None] * 500)
    monkeypatch.setattr("evaluator.metrics.intervals.CHUNK", 500 * 333)
    pieces = one(mean(COUNTING, "bias", values), [None] * 500)
    assert pieces.value == pytest.approx(whole.value)
    width = whole.high - whole.low
    assert (pieces.low, pieces.high) == pytest.approx((whole.low, whole.high), abs=0.1 * width)
    drawn = [weights for _, weights in _weights(np.random.default_rng(1), 500, RESAMPLES)]
    assert len(drawn) > 1
    assert (np.hstack(drawn).sum(axis=1) == 500).all()


# Where nothing varies, or too little is there, a value stands without an interval and a note says why.
@pytest.mark.parametrize(
    ("values", "value", "note"),
    [
        ([], None, "no sample has it"),
        ([np.nan, np.nan], None, "no sample has it"),
        ([2.0], 2.0, "fewer than 5"),
        ([1.0, 2.0, 3.0, 4.0], 2.5, "fewer than 5"),
        ([7.0] * 20, 7.0, "alike"),
        ([*[np.nan] * 19, 3.0], 3.0, "undefined for parts"),
    ],
)
def test_degenerate_data(values, value, note):
    result = one(mean(COUNTING, "mae", values), [None] * len(values))
    assert result.value == value
    assert (result.low, result.high, result.method) == (None, None, "")
    assert note in result.note


# No sample is no proportion; a note says so.
def test_no_proportion_of_nothing():
    result = one(proportion(COUNTING, "exact", []), [])
    assert (result.value, result.low, result.n) == (None, None, 0)
    assert result.note


# Values that a sample lacks are left out of the mean and of n.
def test_missing_values_are_left_out():
    result = one(
        mean(COUNTING, "mape", [1.0, np.nan, 3.0, np.nan, 2.0, 2.0, 4.0, 0.0, 1.0, 3.0]), [None] * 10
    )
    assert (result.value, result.n) == (2.0, 8)
    assert result.low < 2 < result.high
