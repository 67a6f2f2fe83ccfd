"""The plots of the report, one function each; see `charts` for what they are made of."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluator.report.charts import (
    LEFT,
    RIGHT,
    Chart,
    Datum,
    Rule,
    Series,
    Tick,
    crowd,
    marks,
    padded,
    value_range,
    x_scale,
    y_scale,
)
from evaluator.report.numbers import number

Pairs = Mapping[tuple[float, float], int]
"""(true, predicted) -> how many samples."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One model's values along an axis."""

    name: str
    style: int
    data: tuple[Datum, ...]


def scatter(name: str, style: int, pairs: Pairs, top: float) -> Chart:
    """Predicted against true counts with the identity line; both axes run from 0 to `top`."""
    low, high = padded((0.0, top))
    x, y = x_scale(low, high), y_scale(low, high)
    above = sum(count for (true, predicted), count in pairs.items() if predicted > true)
    below = sum(count for (true, predicted), count in pairs.items() if predicted < true)
    total = sum(pairs.values())
    return Chart(
        name,
        f"{total} answers: {above} predicted too high, {below} too low, {total - above - below} exactly.",
        "true count (objects)",
        "predicted count (objects)",
        x.ticks(),
        y.ticks(),
        (Series(name, style, crowd(x, y, pairs, ("true", "predicted"))),),
        (Rule(x(low), y(low), x(high), y(high), "", "identity"),),
    )


def bland_altman(name: str, style: int, pairs: Pairs) -> Chart:
    """Difference (predicted - true) against the mean of both, after Bland and Altman (1986).

    The lines are the mean difference and the limits of agreement, mean +- 1.96 standard deviations; the
    limits are left out below two samples.
    """
    points: Counter[tuple[float, float]] = Counter()
    for (true, predicted), count in pairs.items():
        points[(true + predicted) / 2, predicted - true] += count
    total = sum(points.values())
    mean = sum(difference * count for (_, difference), count in points.items()) / total
    lines = [("mean", mean)]
    if total > 1:
        squares = sum(count * (difference - mean) ** 2 for (_, difference), count in points.items())
        spread = 1.96 * math.sqrt(squares / (total - 1))
        lines += [("limit", mean + spread), ("limit", mean - spread)]
    x = x_scale(*padded([0.0, *(middle for middle, _ in points)]))
    y = y_scale(*padded([0.0, *(value for _, value in lines), *(difference for _, difference in points)]))
    limits = f" The limits of agreement are {lines[2][1]:+.2f} and {lines[1][1]:+.2f}." if total > 1 else ""
    return Chart(
        name,
        f"The mean difference is {mean:+.2f}.{limits}",
        "mean of true and predicted count (objects)",
        "predicted \N{MINUS SIGN} true (objects)",
        x.ticks(),
        y.ticks(),
        (Series(name, style, crowd(x, y, points, ("mean", "difference"))),),
        (
            Rule(LEFT, y(0), RIGHT, y(0), "", "identity"),
            *(Rule(LEFT, y(value), RIGHT, y(value), f"{value:+.1f}", kind) for kind, value in lines),
        ),
    )


def profile(
    title: str,
    axis: str,
    metric: str,
    profiles: Sequence[Profile],
    labels: Sequence[str] = (),
    *,
    joined: bool = True,
    y_range: tuple[float, float] | None = None,
    reference: float | None = None,
) -> Chart:
    """A metric with its intervals along an axis, the models side by side.

    Where the axis has categories, `labels` names them, at 0, 1, 2 and so on; without, it is a number. The
    metric runs over `y_range`, by default over all values; `reference` is a value of it to look at.
    """
    data = [datum for line in profiles for datum in line.data]
    x = x_scale(-0.5, len(labels) - 0.5) if labels else x_scale(*padded(datum.x for datum in data))
    y = y_scale(*(y_range or value_range(end for d in data for end in (d.y, d.low, d.high))))
    width = (x.high - x.low) / max(1, len({datum.x for datum in data}))
    step = min(0.6 * width / max(1, len(profiles)), 0.03 * (x.high - x.low))
    series = []
    for place, line in enumerate(profiles):
        shift = (place - (len(profiles) - 1) / 2) * step
        shifted = [Datum(d.x + shift, d.y, d.title, d.low, d.high) for d in line.data]
        series.append(Series(line.name, line.style, marks(x, y, shifted), joined))
    ticks = _category_ticks([Tick(x(i), label) for i, label in enumerate(labels)]) if labels else x.ticks()
    rules = () if reference is None else (Rule(LEFT, y(reference), RIGHT, y(reference), "", "identity"),)
    return Chart(title, _in_words(profiles), axis, metric, ticks, y.ticks(), tuple(series), rules)


def reliability(name: str, style: int, data: Sequence[Datum], count: int) -> Chart:
    """Share of right answers against stated confidence, with the line of perfect calibration."""
    x, y = x_scale(-0.03, 1.03), y_scale(-0.03, 1.03)
    return Chart(
        name,
        f"{number(count)} answers with probabilities.",
        "confidence",
        "share of right answers",
        x.ticks(),
        y.ticks(),
        (Series(name, style, marks(x, y, data), joined=True),),
        (Rule(x(0), y(0), x(1), y(1), "", "identity"),),
    )


def _category_ticks(ticks: Sequence[Tick]) -> tuple[Tick, ...]:
    """As many labels as fit beside each other, evenly chosen."""
    widest = max(len(tick.label) for tick in ticks)
    every = math.ceil(len(ticks) * (widest + 1) * 7 / (RIGHT - LEFT))
    return tuple(ticks[:: max(1, every)])


def _in_words(profiles: Sequence[Profile]) -> str:
    lines = []
    for line in profiles:
        if line.data:
            lowest, highest = (pick(line.data, key=lambda datum: datum.y).y for pick in (min, max))
            lines.append(f"{line.name}: {number(lowest)} to {number(highest)}.")
    return " ".join(lines)
