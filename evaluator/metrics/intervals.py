"""Numbers with 95 % intervals.

Every statistic here is a function of sums over samples: a mean, a ratio, R-squared, the macro-F1 of a
confusion matrix. A bootstrap resample is then one row of weights, and a few thousand resamples are one
matrix product. Samples that share a patient, plate or field are summed first and drawn together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, special

from evaluator.summaries import Estimate

CONFIDENCE = 0.95
RESAMPLES = 2000
SEED = 2405_00876
"""The same resamples for every model, so that intervals are comparable and the same every time."""
FEWEST_UNITS = 5
"""A bootstrap of fewer independent units says nothing."""
INDEPENDENT = -1
"""The number of a cluster of samples that share nothing with others."""
CHUNK = 4_000_000
"""Most weights held in memory at once."""

Floats = NDArray[np.float64]
Features = Floats | sparse.csr_array[Any, Any]
Clusters = Sequence[str | None] | NDArray[np.int64]
"""What each sample shares with others: a name, None for nothing; or a number, INDEPENDENT for nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Statistic:
    """A number computed from sums over samples.

    Attributes:
        name: as in the catalogue.
        features: samples x columns, dense or a sparse array.
        of_sums: from rows of column sums to one number a row; NaN where it is undefined.
        n: samples behind it.
        higher_is_better: None where neither end is better.
        proportion: the number is the mean of the first column, which is 0 or 1.
        undefined: why it may be undefined, for the reader.
        note: what else the reader must know.
        swappable: the sums mean the same of two models, so that their answers to a sample can be swapped.
    """

    name: str
    features: Features
    of_sums: Callable[[Floats], Floats]
    n: int
    higher_is_better: bool | None = True
    proportion: bool = False
    undefined: str = "no sample has it"
    note: str = ""
    swappable: bool = True


@dataclass(frozen=True, slots=True)
class Interval:
    """Two ends."""

    low: float
    high: float


def wilson(successes: int, n: int) -> Interval:
    """Wilson's score interval of a proportion (Wilson, JASA 22, 1927), n > 0."""
    z = float(special.ndtri(0.5 + CONFIDENCE / 2))
    share = successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def estimate(statistics: Sequence[Statistic], clusters: Clusters) -> tuple[Estimate, ...]:
    """Compute every statistic with its interval.

    Proportions of independent samples get Wilson's interval, everything else the bias-corrected and
    accelerated bootstrap (Efron, JASA 82, 1987), its quantiles widened for small numbers (Hesterberg,
    American Statistician 69, 2015). Where no interval can be given, the note says why.

    Args:
        statistics: over the same samples.
        clusters: for each sample what it shares with dependent ones.
    """
    units = Units.of(clusters)
    bootstrapped = [s for s in statistics if not s.proportion or units.clustered]
    distributions = iter(resample(bootstrapped, units))
    method = "bca-clustered" if units.clustered else "bca"
    return tuple(
        _bca(statistic, next(distributions), method)
        if not statistic.proportion or units.clustered
        else _proportion(statistic)
        for statistic in statistics
    )


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """What is independent of each other: samples, or clusters of them.

    Attributes:
        of_sample: number of each sample's unit.
        count: units.
    """

    of_sample: NDArray[np.intp]
    count: int

    @classmethod
    def of(cls, clusters: Clusters) -> Units:
        """Number the units in the order in which they come; samples of one cluster have the same one."""
        if not isinstance(clusters, np.ndarray):
            known: dict[str, int] = {}
            clusters = np.array(
                [INDEPENDENT if c is None else known.setdefault(c, len(known)) for c in clusters], np.int64
            )
        alone = clusters == INDEPENDENT
        if alone.all():
            return cls(np.arange(clusters.size), clusters.size)
        keys = np.where(alone, -2 - np.arange(clusters.size), clusters)
        _, first, of_sample = np.unique(keys, return_index=True, return_inverse=True)
        order = np.argsort(np.argsort(first))
        return cls(order[of_sample], first.size)

    @property
    def clustered(self) -> bool:
        """True if some samples share a unit."""
        return self.count < self.of_sample.size

    def sum(self, features: Features) -> Any:
        """Sum the features of each unit: units x columns, dense or sparse as they are."""
        samples = self.of_sample.size
        if not self.clustered:
            return features
        ones = (np.ones(samples), (self.of_sample, np.arange(samples)))
        return sparse.csr_array(ones, shape=(self.count, samples)) @ features


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """What the bootstrap found of a statistic.

    Attributes:
        value: of all units.
        resampled: of RESAMPLES draws of as many units; NaN where it is undefined.
        left_out: without each unit.
    """

    value: float
    resampled: Floats
    left_out: Floats


def resample(statistics: Sequence[Statistic], units: Units) -> list[Distribution]:
    """Draw units with replacement, the same ones for every statistic; without units there is nothing."""
    size = units.count
    if not statistics or not size:
        return [Distribution(math.nan, np.empty(0), np.empty(0)) for _ in statistics]
    by_unit = [units.sum(statistic.features) for statistic in statistics]
    totals: list[Floats] = [np.ones((1, size)) @ sums for sums in by_unit]
    resampled: list[list[Floats]] = [[] for _ in statistics]
    left_out: list[list[Floats]] = [[] for _ in statistics]
    for weights in _weights(size):
        for place, (statistic, sums) in enumerate(zip(statistics, by_unit, strict=True)):
            resampled[place].append(statistic.of_sums(weights @ sums))
    for place, (statistic, sums) in enumerate(zip(statistics, by_unit, strict=True)):
        step = max(1, CHUNK // max(1, sums.shape[1]))
        for start in range(0, size, step):
            block = sums[start : start + step]
            dense: Floats = block if isinstance(block, np.ndarray) else block.toarray()
            left_out[place].append(statistic.of_sums(totals[place] - dense))
    return [
        Distribution(
            value=float(statistic.of_sums(total)[0]),
            resampled=np.concatenate(resampled[place]),
            left_out=np.concatenate(left_out[place]),
        )
        for place, (statistic, total) in enumerate(zip(statistics, totals, strict=True))
    ]


def _weights(size: int) -> Iterator[Floats]:
    """Rows that say how often each unit was drawn, RESAMPLES in all."""
    rng = np.random.Generator(np.random.PCG64(SEED))
    step = max(1, CHUNK // size)
    for start in range(0, RESAMPLES, step):
        rows = min(step, RESAMPLES - start)
        drawn = rng.integers(0, size, (rows, size)) + size * np.arange(rows)[:, np.newaxis]
        yield np.bincount(drawn.ravel(), minlength=rows * size).reshape(rows, size).astype(np.float64)


def _bca(statistic: Statistic, found: Distribution, method: str) -> Estimate:
    if math.isnan(found.value):
        return _without_interval(statistic, None, statistic.undefined)
    if found.left_out.size < FEWEST_UNITS:
        return _without_interval(
            statistic, found.value, f"no interval: fewer than {FEWEST_UNITS} independent samples"
        )
    drawn = found.resampled[~np.isnan(found.resampled)]
    left_out = found.left_out[~np.isnan(found.left_out)]
    if drawn.size < 0.9 * RESAMPLES or left_out.size < found.left_out.size:
        return _without_interval(statistic, found.value, "no interval: undefined for parts of the samples")
    if np.ptp(drawn) <= 1e-12 * max(1.0, abs(found.value)):
        return _without_interval(statistic, found.value, "no interval: all samples are alike")
    below = ((drawn < found.value).sum() + 0.5 * (drawn == found.value).sum()) / drawn.size
    bias = special.ndtri(below)
    deviation = left_out.mean() - left_out
    spread = (deviation**2).sum() ** 1.5
    if not np.isfinite(bias):
        return _without_interval(statistic, found.value, "no interval: the resamples are degenerate")
    # A median may be the same without any one unit, which tells nothing of acceleration.
    acceleration = (deviation**3).sum() / (6 * spread) if spread else 0.0
    z = bias + _reach(found.left_out.size) * np.array([-1.0, 1.0])
    shares = special.ndtr(bias + z / (1 - acceleration * z))
    low, high = np.quantile(drawn, shares)
    return Estimate(
        name=statistic.name,
        value=found.value,
        low=float(low),
        high=float(high),
        method=method,
        n=statistic.n,
        higher_is_better=statistic.higher_is_better,
        note=statistic.note,
    )


def _reach(units: int) -> float:
    """How far the ends of an interval are from its middle, in standard errors of the bootstrap.

    A resample varies as if its mean were known: by a factor of (n - 1) / n too little. And the spread of few
    units is itself uncertain, which Student's t allows for. Of 10 patients, normal quantiles would cover the
    truth in 90 % instead of 95 %.
    """
    t = float(special.stdtrit(units - 1, 0.5 + CONFIDENCE / 2))
    return t * math.sqrt(units / (units - 1))


def _proportion(statistic: Statistic) -> Estimate:
    if not statistic.n:
        return _without_interval(statistic, None, statistic.undefined)
    successes = round(float(statistic.features[:, 0].sum()))
    interval = wilson(successes, statistic.n)
    return Estimate(
        name=statistic.name,
        value=successes / statistic.n,
        low=interval.low,
        high=interval.high,
        method="wilson",
        n=statistic.n,
        higher_is_better=statistic.higher_is_better,
        note=statistic.note,
    )


def _without_interval(statistic: Statistic, value: float | None, reason: str) -> Estimate:
    return Estimate(
        name=statistic.name,
        value=value,
        low=None,
        high=None,
        method="",
        n=statistic.n,
        higher_is_better=statistic.higher_is_better,
        note="; ".join(filter(None, (statistic.note, reason))),
    )
