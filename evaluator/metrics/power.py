"""How many more images would settle whether two models differ.

Asked of two models that cannot be told apart: if the difference that was seen were the true one, this many
images would show it in four of five repetitions. It is as uncertain as that difference, so it tells whether
to take twenty images more or twenty thousand, and no better.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from evaluator.metrics.comparison import difference_of, only_one_right
from evaluator.metrics.intervals import FEWEST_UNITS, Clusters, Statistic, Units, resample

ALPHA = 0.05
POWER = 0.8


def more_images(
    first: Statistic, second: Statistic, clusters: Clusters, holm_factor: float = 1
) -> int | None:
    """How many images there have to be beside those that there are; 0 where there are enough.

    Counts for the test that `comparison.compare` makes: McNemar's of independent proportions, and else the
    permutation test, with the variance that the bootstrap finds for the difference.

    Args:
        first: of one model.
        second: the same statistic of the other, over the same samples in the same order.
        clusters: for each sample what it shares with dependent ones. New images are taken to
            come in clusters of the size of these on average.
        holm_factor: what Holm's correction multiplies the p-value by, at least 1.

    Returns:
        None where nothing can be said: no difference was seen, it is undefined for parts of the samples, or
            there are fewer than 5 independent samples.
    """
    units = Units.of(clusters)
    if units.count < FEWEST_UNITS:
        return None
    alpha = ALPHA / holm_factor
    samples = units.samples
    if first.proportion and not units.clustered:
        wins, losses = only_one_right(first, second)
        needed = images_for_mcnemar(wins / samples, losses / samples, alpha)
        return None if needed is None else max(0, needed - samples)
    (found,) = resample([difference_of(first, second)], units)
    if math.isnan(found.value) or np.isnan(found.resampled).any():
        return None
    # Resamples vary as means of n units do that scatter by this much, and too little by (n - 1) / n.
    deviation = float(found.resampled.std()) * units.count / math.sqrt(units.count - 1)
    needed = units_for_difference(found.value, deviation, alpha)
    return None if needed is None else max(0, math.ceil((needed - units.count) * samples / units.count))


def units_for_difference(difference: float, deviation: float, alpha: float = ALPHA) -> int | None:
    """Independent pairs that show a mean difference with a power of 80 %.

    By the normal approximation with Guenther's correction for Student's t (American Statistician 35, 1981),
    and at least as many as a permutation test needs to be able to come out below `alpha`.

    Args:
        difference: mean of the differences.
        deviation: their standard deviation.
        alpha: of the two-sided test.
    """
    if abs(difference) <= 1e-12 * deviation or difference == 0:
        return None
    level, reach = _quantiles(alpha)
    needed = ((level + reach) * deviation / difference) ** 2 + level**2 / 2
    return math.ceil(max(needed, 1 + math.log2(1 / alpha)))


def images_for_mcnemar(first_only: float, second_only: float, alpha: float = ALPHA) -> int | None:
    """Images that show a difference of two shares by McNemar's test with a power of 80 %.

    Connor's formula (Biometrics 43, 1987) solved with Edwards' correction for continuity, without which the
    exact test falls short of the power.

    Args:
        first_only: share of the images that only the first model has right.
        second_only: share that only the second has right.
        alpha: of the two-sided test.
    """
    difference, discordant = abs(first_only - second_only), first_only + second_only
    if not difference:
        return None
    level, reach = _quantiles(alpha)
    spread = level * math.sqrt(discordant) + reach * math.sqrt(discordant - difference**2)
    # The n with n * difference - 1 = sqrt(n) * spread.
    return math.ceil(((spread + math.sqrt(spread**2 + 4 * difference)) / (2 * difference)) ** 2)


def _quantiles(alpha: float) -> tuple[float, float]:
    """How many standard errors the test asks for, and how many more the power."""
    return float(special.ndtri(1 - alpha / 2)), float(special.ndtri(POWER))
