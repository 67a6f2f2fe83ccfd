"""Whether tests and intervals keep what they promise, in simulated evaluations whose truth is known.

Every limit leaves room for the chance of the simulation: a band of 99.9 % for the rate of false alarms, and
for the coverage so many runs that its standard error is 0.35 % (of the median 0.7 %).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from scipy import stats

from evaluator.metrics import classification, counting, vqa
from evaluator.metrics.comparison import compare
from evaluator.metrics.intervals import Statistic, estimate, wilson
from evaluator.metrics.statistics import mean, proportion
from evaluator.records import TaskKind

pytestmark = pytest.mark.slow

COUNTING = TaskKind.COUNTING
ALPHA = 0.05
RUNS = 400
COVERAGE_RUNS = 4000
AT_ONCE = 200
"""Statistics that are estimated with the same resamples."""
PATIENTS = [f"patient {i}" for i in range(50) for _ in range(4)]

Draw = Callable[[np.random.Generator], Statistic]


def errors(values: np.ndarray) -> Statistic:
    return mean(COUNTING, "mae", values)


def independent(rng: np.random.Generator) -> tuple[Statistic, Statistic, Sequence[str | None]]:
    """Absolute errors of two like models on 50 images, some of which are harder for both."""
    hard = rng.exponential(1, 50)
    return errors(hard * rng.exponential(1, 50)), errors(hard * rng.exponential(1, 50)), [None] * 50


def clustered(rng: np.random.Generator) -> tuple[Statistic, Statistic, Sequence[str | None]]:
    """Errors of two like models on four images of each of 50 patients, some of whom are bad for one model."""
    first, second = (np.repeat(rng.normal(0, 1, 50), 4) + rng.normal(0, 1, 200) for _ in range(2))
    return errors(first), errors(second), PATIENTS


def right_or_wrong(rng: np.random.Generator) -> tuple[Statistic, Statistic, Sequence[str | None]]:
    """Whether two like models are right on 250 images of all difficulties."""
    easy = rng.beta(2, 1, 250)
    first, second = (proportion(COUNTING, "exact", rng.random(250) < easy) for _ in range(2))
    return first, second, [None] * 250


# Models that are alike come out significant in about 5 % of the runs.
@pytest.mark.parametrize(
    ("draw", "method"),
    [
        (right_or_wrong, "mcnemar"),
        (independent, "permutation"),
        (clustered, "permutation-clustered"),
    ],
)
def test_false_alarms(draw, method):
    rng = np.random.default_rng(2024)
    found = [compare(*draw(rng)) for _ in range(RUNS)]
    assert {one.method for one in found} == {method}
    alarms = sum(one.p_value < ALPHA for one in found)
    low, high = stats.binom.interval(0.999, RUNS, ALPHA)
    assert low <= alarms <= high, f"{alarms / RUNS:.1%}"


# Images of a patient that were taken for independent would raise false alarms: the simulation would notice.
def test_dependence_would_be_noticed():
    rng = np.random.default_rng(2025)
    drawn = [clustered(rng)[:2] for _ in range(RUNS // 4)]
    alarms = sum(compare(first, second, [None] * 200).p_value < ALPHA for first, second in drawn)
    assert alarms > stats.binom.ppf(0.9995, RUNS // 4, ALPHA)


def coverage(draw: Draw, truth: float, clusters: Sequence[str | None], runs: int = COVERAGE_RUNS) -> float:
    """The share of intervals that hold the truth."""
    rng = np.random.default_rng(7)
    inside = 0
    for _ in range(runs // AT_ONCE):
        found = estimate([draw(rng) for _ in range(AT_ONCE)], clusters)
        inside += sum(one.low is not None and one.low <= truth <= one.high for one in found)
    return inside / runs


def f1_of_three(rng: np.random.Generator) -> Statistic:
    """Macro-F1 of 50 answers, a share of 0.8 of them right."""
    true = rng.integers(0, 3, 50)
    given = np.where(rng.random(50) < 0.8, true, (true + rng.integers(1, 3, 50)) % 3)
    return classification.statistics(true.tolist(), given.tolist(), 3)[2]


def pearson(rng: np.random.Generator) -> Statistic:
    """The correlation of 50 counts and answers, in truth 0.8."""
    true = rng.normal(100, 15, 50)
    given = 0.8 * true + rng.normal(0, 0.6 * 15, 50)
    return counting.statistics(true.tolist(), given.tolist())[5]


def median_error(rng: np.random.Generator) -> Statistic:
    nothing = dict.fromkeys(vqa.VALUES, np.full(50, np.nan))
    return vqa.statistics({**nothing, "relative_error": rng.exponential(0.3, 50)})[3]


# 95 % intervals of about 50 images cover the truth in 93 to 97 % of the runs: of errors that are symmetric or
# skewed, of overlaps between 0 and 1, of what is no mean.
@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        (lambda rng: mean(COUNTING, "bias", rng.normal(3, 5, 50)), 3),
        (lambda rng: errors(np.abs(rng.normal(0, 1, 50))), np.sqrt(2 / np.pi)),
        (lambda rng: errors(rng.exponential(1, 50)), 1),
        (lambda rng: errors(rng.beta(6, 2, 50)), 0.75),
        (f1_of_three, 0.8),
        (pearson, 0.8),
    ],
    ids=["bias", "absolute errors", "skewed errors", "overlaps", "macro-F1", "Pearson"],
)
def test_bca_covers(draw, truth):
    assert 0.93 <= coverage(draw, truth, [None] * 50) <= 0.97


# So do those of a median, of fewer runs, since each takes longer.
def test_medians_are_covered():
    assert 0.93 <= coverage(median_error, 0.3 * np.log(2), [None] * 50, COVERAGE_RUNS // 4) <= 0.97


# So do those of dependent images, of means and of proportions, by clusters.
@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        (lambda rng: errors(np.repeat(rng.normal(0, 1, 50), 4) + rng.normal(0, 1, 200)), 0),
        (lambda rng: errors(np.repeat(rng.beta(4, 2, 50), 4) * rng.beta(6, 2, 200)), 0.5),
        (
            lambda rng: proportion(COUNTING, "exact", rng.random(200) < np.repeat(rng.beta(4, 2, 50), 4)),
            2 / 3,
        ),
    ],
    ids=["errors", "overlaps", "proportions"],
)
def test_clustered_bca_covers(draw, truth):
    assert 0.93 <= coverage(draw, truth, PATIENTS) <= 0.97


# The paired interval of a difference covers it as well.
def test_paired_differences_are_covered():
    rng = np.random.default_rng(8)
    inside = 0
    for _ in range(RUNS):
        hard = rng.exponential(1, 50)
        found = compare(
            errors(hard + rng.exponential(1, 50)), errors(hard + rng.exponential(0.5, 50)), [None] * 50
        )
        inside += found.estimate.low <= 0.5 <= found.estimate.high
    low, high = stats.binom.interval(0.999, RUNS, 0.95)
    assert low <= inside <= high


# Wilson's interval covers the truth in 93 to 97 % of all samples, whatever the share between a tenth and nine
# tenths: computed from the binomial distribution, not simulated.
@pytest.mark.parametrize("n", [50, 100, 250])
def test_wilson_covers(n):
    intervals = [wilson(successes, n) for successes in range(n + 1)]
    low = np.array([interval.low for interval in intervals])
    high = np.array([interval.high for interval in intervals])
    shares = np.linspace(0.1, 0.9, 161)
    covered = np.array(
        [stats.binom.pmf(np.arange(n + 1), n, p)[(low <= p) & (p <= high)].sum() for p in shares]
    )
    assert 0.945 <= covered.mean() <= 0.955
    assert covered.min() >= 0.92
    assert np.mean((covered >= 0.93) & (covered <= 0.97)) > 0.9
