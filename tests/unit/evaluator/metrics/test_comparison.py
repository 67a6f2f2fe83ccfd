"""Whether two models differ, on the same samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evaluator.metrics import classification, counting
from evaluator.metrics.comparison import compare, holm
from evaluator.metrics.statistics import mean, proportion
from evaluator.records import TaskKind

COUNTING = TaskKind.COUNTING


def errors(values):
    return mean(COUNTING, "mae", values)


def difference(first, second, clusters=None):
    return compare(errors(first), errors(second), clusters or [None] * len(first))


# The difference is first minus second, and its interval is that of the single differences.
def test_the_interval_is_paired():
    rng = np.random.default_rng(0)
    hard = rng.uniform(0, 50, 40)
    first, second = hard + rng.uniform(0, 1, 40), hard + rng.uniform(1, 2, 40)
    found = difference(first, second)
    assert found.estimate.value == pytest.approx(np.mean(first - second))
    expected = stats.bootstrap((first - second,), np.mean, rng=np.random.default_rng(1)).confidence_interval
    assert (found.estimate.low, found.estimate.high) == pytest.approx(tuple(expected), abs=0.05)
    assert found.p_value == pytest.approx(1 / 10_000)


# The p-value is that of SciPy's paired permutation test.
@pytest.mark.parametrize("shift", [0.0, 0.3, 0.6])
def test_permutation_is_scipys(shift):
    rng = np.random.default_rng(2)
    first, second = rng.exponential(1, 30), rng.exponential(1, 30) + shift
    expected = stats.permutation_test(
        (first, second), lambda a, b: np.mean(a - b), permutation_type="samples", rng=np.random.default_rng(3)
    )
    found = difference(first, second)
    assert found.method == "permutation"
    assert found.p_value == pytest.approx(expected.pvalue, abs=0.02)


# Equal models have no difference, no interval, and a p-value of 1.
def test_equal_models():
    values = np.random.default_rng(4).exponential(1, 20)
    found = difference(values, values)
    assert (found.estimate.value, found.estimate.low, found.p_value) == (0, None, 1.0)


# Proportions get the exact McNemar test: only samples that one of the two has right count.
@pytest.mark.parametrize(
    ("wins", "losses", "p_value"), [(8, 0, 2 / 2**8), (5, 5, 1.0), (0, 0, 1.0), (1, 9, 22 / 2**10)]
)
def test_mcnemar(wins, losses, p_value):
    first = [True] * wins + [False] * losses + [True, False] * 10
    second = [False] * wins + [True] * losses + [True, False] * 10
    statistics = [proportion(COUNTING, "exact", right) for right in (first, second)]
    found = compare(*statistics, [None] * len(first))
    assert found.method == "mcnemar"
    assert found.p_value == pytest.approx(p_value)
    assert found.estimate.value == pytest.approx((wins - losses) / len(first))


# Samples of one patient are swapped together, so copies of a patient's images prove nothing.
def test_clusters_are_swapped_together():
    rng = np.random.default_rng(5)
    first, second = rng.normal(0, 1, 12), rng.normal(0.5, 1, 12)
    single = difference(first, second)
    patients = [f"patient {i}" for i in range(12) for _ in range(20)]
    copied = difference(np.repeat(first, 20), np.repeat(second, 20), patients)
    naive = difference(np.repeat(first, 20), np.repeat(second, 20))
    assert copied.method == "permutation-clustered"
    assert copied.p_value == pytest.approx(single.p_value, abs=0.02)
    assert naive.p_value < copied.p_value / 10


# Alike models are told apart in about 5 of 100 cases.
def test_false_alarms_are_rare():
    rng = np.random.default_rng(6)
    p_values = [difference(*rng.exponential(1, (2, 20))).p_value for _ in range(100)]
    assert sum(p < 0.05 for p in p_values) <= 12
    assert min(p_values) > 0


# Any statistic can be compared, also those of a confusion matrix or of moments.
def test_any_statistic():
    true = [0, 1, 2] * 10
    good, poor = [*true[:27], 0, 0, 0], [0] * 30
    pairs = zip(
        classification.statistics(true, good, 3), classification.statistics(true, poor, 3), strict=True
    )
    found = {first.name: compare(first, second, [None] * 30) for first, second in pairs}
    assert found["macro_f1"].estimate.value == pytest.approx(0.934 - 1 / 6, abs=0.01)
    assert found["macro_f1"].p_value < 0.001
    assert found["mcc"].p_value is None
    counts = list(range(1, 31))
    first, second = (
        next(s for s in counting.statistics(counts, answers) if s.name == "r2")
        for answers in (counts, [c + c % 5 for c in counts])
    )
    assert compare(first, second, [None] * 30).estimate.value > 0


# Without common samples there is nothing to compare.
def test_nothing_in_common():
    found = difference([], [])
    assert (found.estimate.value, found.p_value) == (None, None)


# Holm's adjustment by hand: the smallest of three times 3, never less than one before it, never above 1.
def test_holm():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, None, 0.9]) == [1.0, None, 1.0]
    assert holm([]) == []
