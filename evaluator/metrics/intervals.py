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
NO_SAMPLE = "no sample has it"
"""Why a statistic is undefined that is of no sample."""
RESAMPLES = 2000
SEED = 2405_00876
"""The same resamples for every model, so that intervals are comparable and the same every time."""
FEWEST_UNITS = 5
"""A bootstrap of fewer independent units says nothing."""
INDEPENDENT = -1
"""The number of a cluster of samples that share nothing with others."""
CHUNK = 4_000_000
"""Most weights held in memory at once."""

_AT_ONCE = 250_000
"""Features of units that are looked at together."""

Floats = NDArray[np.float64]


class Derived:
    """Features that are computed from columns as they are needed, some samples at a time.

    Args:
        columns: of the same length; features themselves, or arrays of one dimension.
        width: columns of the result.
        make: from parts of the columns to features of those samples.
    """

    def __init__(self, columns: Sequence[Any], width: int, make: Callable[..., Any]) -> None:
        self._columns = columns
        self._make = make
        self.shape = (columns[0].shape[0], width)

    def __getitem__(self, rows: slice | NDArray[np.intp]) -> Any:
        """The features of some samples, dense or sparse."""
        return self._make(*(column[rows] for column in self._columns))


Features = Floats | sparse.csr_array[Any, Any] | Derived
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
    undefined: str = NO_SAMPLE
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


def whole(features: Features) -> Any:
    """The features of all samples, dense or sparse."""
    return features[:] if isinstance(features, Derived) else features


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """What is independent of each other: samples, or clusters of them.

    Attributes:
        samples: how many there are.
        count: units.
        order: places of the samples, unit by unit; empty where each sample is a unit.
        starts: where each unit begins in `order`, and its end.
    """

    samples: int
    count: int
    order: NDArray[np.intp]
    starts: NDArray[np.intp]

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
            nothing = np.empty(0, np.intp)
            return cls(clusters.size, clusters.size, nothing, nothing)
        keys = np.where(alone, -2 - np.arange(clusters.size), clusters)
        _, first, of_sample = np.unique(keys, return_index=True, return_inverse=True)
        of_sample = np.argsort(np.argsort(first))[of_sample]
        starts = np.concatenate([[0], np.cumsum(np.bincount(of_sample))])
        return cls(clusters.size, first.size, np.argsort(of_sample, kind="stable"), starts)

    @property
    def clustered(self) -> bool:
        """True if some samples share a unit."""
        return self.count < self.samples

    def sum(self, features: Features, first: int = 0, last: int | None = None) -> Any:
        """Sum the features of each of some units: units x columns, dense or sparse as they are."""
        last = self.count if last is None else min(last, self.count)
        if not self.clustered:
            return features[first:last]
        starts = self.starts[first : last + 1]
        rows = self.order[starts[0] : starts[-1]]
        ones = (np.ones(rows.size), np.arange(rows.size), starts - starts[0])
        return sparse.csr_array(ones, shape=(last - first, rows.size)) @ features[rows]

    def blocks(self, features: Features) -> Iterator[Any]:
        """The sums of all units, some at a time."""
        step = max(1, _AT_ONCE // max(1, features.shape[1]))
        for first in range(0, self.count, step):
            yield self.sum(features, first, first + step)


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """What the bootstrap found of a statistic.

    Attributes:
        statistic, units: of what.
        total: its sums over all units, one row.
        resampled: of RESAMPLES draws of as many units; NaN where it is undefined.
    """

    statistic: Statistic
    units: Units
    total: Floats
    resampled: Floats

    @property
    def value(self) -> float:
        """Of all units; NaN where there is none."""
        return float(self.statistic.of_sums(self.total)[0]) if self.units.count else math.nan

    def left_out(self) -> Floats:
        """Without each unit."""
        return np.concatenate(
            [
                self.statistic.of_sums(
                    self.total - (part if isinstance(part, np.ndarray) else part.toarray())
                )
                for part in self.units.blocks(self.statistic.features)
            ]
        )


def resample(statistics: Sequence[Statistic], units: Units) -> list[Distribution]:
    """Draw units with replacement, the same ones for every statistic; without units there is nothing.

    Some draws and some units at a time, so that no more is in memory however many there are.
    """
    size = units.count
    if not statistics or not size:
        return [Distribution(statistic, units, np.empty((1, 0)), np.empty(0)) for statistic in statistics]
    rng = np.random.Generator(np.random.PCG64(SEED))
    step = max(1, CHUNK // max(statistic.features.shape[1] for statistic in statistics))
    resampled: list[list[Floats]] = [[] for _ in statistics]
    for start in range(0, RESAMPLES, step):
        drawn: list[Any] = [0.0] * len(statistics)
        for first, weights in _weights(rng, size, min(step, RESAMPLES - start)):
            for place, statistic in enumerate(statistics):
                drawn[place] += weights @ units.sum(statistic.features, first, first + weights.shape[1])
        for place, statistic in enumerate(statistics):
            resampled[place].append(statistic.of_sums(drawn[place]))
    return [
        Distribution(statistic, units, _total(statistic, units), np.concatenate(resampled[place]))
        for place, statistic in enumerate(statistics)
    ]


def _total(statistic: Statistic, units: Units) -> Floats:
    parts = [np.ones((1, part.shape[0])) @ part for part in units.blocks(statistic.features)]
    total: Floats = np.sum(parts, axis=0)
    return total


def _weights(rng: np.random.Generator, size: int, rows: int) -> Iterator[tuple[int, Floats]]:
    """How often each unit was drawn, for so many draws of as many units as there are.

    Yields:
        The number of the first of some units, and rows x these units. How many of a draw fall on them is
        drawn first, then which of them.
    """
    step = max(1, CHUNK // rows)
    sizes = np.array([min(step, size - first) for first in range(0, size, step)])
    alone = sizes.size == 1  # then nothing is drawn
    counts = np.full((rows, 1), size) if alone else rng.multinomial(size, sizes / size, rows)
    for block, count in enumerate(sizes):
        drawn = rng.integers(0, count, counts[:, block].sum())
        drawn += np.repeat(count * np.arange(rows), counts[:, block])
        weights = np.bincount(drawn, minlength=rows * count).reshape(rows, count)
        yield block * step, weights.astype(np.float64)


def _bca(statistic: Statistic, found: Distribution, method: str) -> Estimate:
    value = found.value
    if math.isnan(value):
        return _without_interval(statistic, None, statistic.undefined)
    if found.units.count < FEWEST_UNITS:
        return _without_interval(
            statistic, value, f"no interval: fewer than {FEWEST_UNITS} independent samples"
        )
    drawn = found.resampled[~np.isnan(found.resampled)]
    left_out = found.left_out()
    if drawn.size < 0.9 * RESAMPLES or np.isnan(left_out).any():
        return _without_interval(statistic, value, "no interval: undefined for parts of the samples")
    if np.ptp(drawn) <= 1e-12 * max(1.0, abs(value)):
        return _without_interval(statistic, value, "no interval: all samples are alike")
    below = ((drawn < value).sum() + 0.5 * (drawn == value).sum()) / drawn.size
    bias = special.ndtri(below)
    left_out -= left_out.mean()
    squares = left_out**2
    spread = squares.sum() ** 1.5
    if not np.isfinite(bias):
        return _without_interval(statistic, value, "no interval: the resamples are degenerate")
    # A median may be the same without any one unit, which tells nothing of acceleration.
    squares *= left_out
    acceleration = -squares.sum() / (6 * spread) if spread else 0.0
    z = bias + _reach(found.units.count) * np.array([-1.0, 1.0])
    shares = special.ndtr(bias + z / (1 - acceleration * z))
    low, high = np.quantile(drawn, shares)
    return Estimate(
        name=statistic.name,
        value=value,
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
    successes = round(float(whole(statistic.features)[:, 0].sum()))
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
