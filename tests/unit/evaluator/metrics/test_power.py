"""How many more images would settle a comparison."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from evaluator.metrics import classification, counting
from evaluator.metrics.power import images_for_mcnemar, more_images, units_for_difference
from evaluator.metrics.statistics import mean, proportion
from evaluator.records import TaskKind

COUNTING = TaskKind.COUNTING


def errors(values):
    return mean(COUNTING, "mae", values)


def rights(count, first_only, second_only):
    """Two models, of which each has so many images right that the other has not."""
    first = np.arange(count) < first_only
    second = (np.arange(count) >= first_only) & (np.arange(count) < first_only + second_only)
    return proportion(COUNTING, "exact", first), proportion(COUNTING, "exact", second)


# With as many pairs as are asked for, Student's paired test has a power of 80 %, at any alpha.
@pytest.mark.parametrize(
    ("difference", "alpha"), [(1.2, 0.05), (0.5, 0.05), (0.1, 0.05), (0.5, 0.005), (0.1, 0.001)]
)
def test_mean_differences_get_their_power(difference, alpha):
    n = units_for_difference(difference, 1.0, alpha)
    limit = stats.t.ppf(1 - alpha / 2, n - 1)
    power = stats.nct.sf(limit, n - 1, difference * math.sqrt(n))
    assert 0.79 <= power <= 0.87 if n < 30 else 0.795 <= power <= 0.82


# With as many images as are asked for, the exact test of McNemar has a power of at least 79 %, and with a
# quarter less not 80 %.
@pytest.mark.parametrize("alpha", [0.05, 0.005])
@pytest.mark.parametrize(
    ("first_only", "second_only"), [(0.1, 0.05), (0.2, 0.1), (0.3, 0.1), (0.05, 0.02), (0.4, 0.3)]
)
def test_mcnemar_gets_its_power(first_only, second_only, alpha):
    def power(n: int) -> float:
        """Exactly: over the numbers of images that only one has right, and how they are divided."""
        discordant = np.arange(n + 1)
        chance = stats.binom.pmf(discordant, n, first_only + second_only)
        limit = stats.binom.ppf(alpha / 2, discordant, 0.5)
        limit -= 2 * stats.binom.cdf(limit, discordant, 0.5) > alpha
        share = first_only / (first_only + second_only)
        low, high = (stats.binom.cdf(limit, discordant, p) for p in (share, 1 - share))
        return float((chance * (low + high)).sum())

    n = images_for_mcnemar(first_only, second_only, alpha)
    assert 0.79 <= power(n) <= 0.85
    assert power(n * 3 // 4) < 0.78


# What is asked for is what is needed less what is there, of the differences that were seen.
def test_from_what_was_seen():
    rng = np.random.default_rng(0)
    first, second = rng.exponential(1, 50), rng.exponential(1.2, 50)
    gap = first - second
    needed = units_for_difference(gap.mean(), gap.std(ddof=1))
    found = more_images(errors(first), errors(second), [None] * 50)
    assert found == pytest.approx(needed - 50, rel=0.1)
    assert more_images(*rights(100, 12, 6), [None] * 100) == images_for_mcnemar(0.12, 0.06) - 100


# A difference that is plain needs no more images.
def test_enough():
    rng = np.random.default_rng(1)
    assert more_images(errors(rng.normal(0, 1, 60)), errors(rng.normal(3, 1, 60)), [None] * 60) == 0
    assert more_images(*rights(100, 60, 5), [None] * 100) == 0


# The more comparisons, the more images.
def test_holms_factor():
    alone, among = (more_images(*rights(100, 12, 6), [None] * 100, factor) for factor in (1, 10))
    assert among == images_for_mcnemar(0.12, 0.06, 0.005) - 100
    assert among > 1.5 * alone


# Copies of images in one cluster settle nothing: as many more clusters are needed as without the copies.
def test_clusters_count_as_one():
    rng = np.random.default_rng(2)
    first, second = rng.exponential(1, 40), rng.exponential(1.3, 40)
    single = more_images(errors(first), errors(second), [None] * 40)
    patients = [f"patient {i}" for i in range(40) for _ in range(5)]
    copied = more_images(errors(np.repeat(first, 5)), errors(np.repeat(second, 5)), patients)
    assert copied == pytest.approx(5 * single, abs=5)
    right, wrong = rng.random(40) < 0.6, rng.random(40) < 0.5
    pair = [proportion(COUNTING, "exact", np.repeat(values, 5)) for values in (right, wrong)]
    assert more_images(*pair, patients) > 100


# Statistics that are no means are settled too.
def test_any_statistic():
    rng = np.random.default_rng(3)
    true = rng.integers(0, 3, 80).tolist()
    answers = [[t if rng.random() < share else 0 for t in true] for share in (0.75, 0.7)]
    first, second = (classification.statistics(true, given, 3)[2] for given in answers)
    assert first.name == "macro_f1"
    assert more_images(first, second, [None] * 80) > 80
    counts = rng.integers(5, 50, 60)
    first, second = (
        counting.statistics(counts.tolist(), (counts + rng.normal(0, spread, 60)).round().tolist())[4]
        for spread in (5, 5.5)
    )
    assert first.name == "r2"
    assert more_images(first, second, [None] * 60) > 0


# Where nothing can be said, nothing is.
def test_undefined():
    values = np.random.default_rng(4).exponential(1, 20)
    none = [None] * 20
    assert more_images(errors(values), errors(values), none) is None
    assert more_images(*rights(20, 3, 3), none) is None
    assert more_images(*rights(20, 0, 0), none) is None
    assert more_images(errors(values[:4]), errors(values[4:8]), none[:4]) is None
    assert more_images(errors([]), errors([]), []) is None
    lonely = [np.nan] * 19
    assert more_images(errors([*lonely, 1.0]), errors([*lonely, 2.0]), none) is None


# Differences that are all alike still need as many images as a permutation test must have.
def test_no_spread():
    assert units_for_difference(1.0, 0.0) == 6
    assert units_for_difference(1.0, 0.0, 0.001) == 11
    assert stats.permutation_test(
        (np.ones(6),), np.mean, permutation_type="samples", n_resamples=np.inf
    ).pvalue == pytest.approx(2**-5)
