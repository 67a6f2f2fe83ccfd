"""Charts as plain geometry: data in, pixel coordinates out; `chart.jinja` draws them as inline SVG.

Their colours come from the style sheet, so that they follow light and dark and print sharply. Nothing
here knows of colours or fonts, nor of what is plotted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evaluator.report.numbers import is_defined, short

WIDTH, HEIGHT = 440, 320
LEFT, RIGHT, TOP, BOTTOM = 56, 428, 12, 272
"""The frame, in user units of the SVG; tick labels and axis titles stand outside."""

CELL = 4.0
"""Points in one square of this side are drawn as one larger point: a chart stays small at any number."""


@dataclass(frozen=True, slots=True)
class Datum:
    """A point in data units; its interval is `low` to `high`, both None where it has none."""

    x: float
    y: float
    title: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis, in user units, and what stands beside it."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A point in user units; `title` says it in words."""

    x: float
    y: float
    low: float | None
    high: float | None
    radius: float
    title: str


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one model; `style` numbers its colour and marker, `joined` draws a line through them."""

    name: str
    style: int
    marks: tuple[Mark, ...]
    joined: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A reference line with its label; `kind` is "identity", "mean" or "limit"."""

    x1: float
    y1: float
    x2: float
    y2: float
    label: str
    kind: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What the template draws; `summary` says it in words, for those who do not see it."""

    title: str
    summary: str
    x_title: str
    y_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    series: tuple[Series, ...]
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear mapping from data to user units."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Where a value stands, to a tenth of a unit."""
        return round(self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start), 1)

    def ticks(self) -> tuple[Tick, ...]:
        """About five round numbers."""
        raw = (self.high - self.low) / 5
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= 0.66 * raw)
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return tuple(Tick(self(i * step), f"{i * step:,.{decimals}f}") for i in range(first, last + 1))


def x_scale(low: float, high: float) -> Scale:
    """From left to right."""
    return Scale(low, high, LEFT, RIGHT)


def y_scale(low: float, high: float) -> Scale:
    """From bottom to top."""
    return Scale(low, high, BOTTOM, TOP)


def padded(values: Iterable[float]) -> tuple[float, float]:
    """A range that holds all values with a little air; one of width 1 where all are equal."""
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    air = 0.04 * (high - low) if high > low else 0.5
    return low - air, high + air


def value_range(ends: Iterable[float | None]) -> tuple[float, float]:
    """From 0 to 1 where all values are shares, else a range that holds 0 and all of them."""
    finite = [0.0, *(end for end in ends if is_defined(end))]
    if min(finite) >= 0 and max(finite) <= 1:
        return 0.0, 1.0
    low, high = padded(finite)
    return (low if min(finite) < 0 else 0.0), (high if max(finite) > 0 else 0.0)


def marks(x: Scale, y: Scale, data: Iterable[Datum]) -> tuple[Mark, ...]:
    """Every datum as a mark of its own."""
    return tuple(
        Mark(
            x(datum.x),
            y(datum.y),
            None if datum.low is None else y(datum.low),
            None if datum.high is None else y(datum.high),
            4.0,
            datum.title,
        )
        for datum in data
    )


def crowd(
    x: Scale, y: Scale, counts: Mapping[tuple[float, float], int], names: tuple[str, str]
) -> tuple[Mark, ...]:
    """Many points, (x, y) -> how often; those that fall into one cell become one mark, larger for more."""
    cells: dict[tuple[int, int], list[tuple[float, float, int]]] = {}
    for (px, py), count in counts.items():
        cells.setdefault((int(x(px) // CELL), int(y(py) // CELL)), []).append((px, py, count))
    drawn = []
    for members in cells.values():
        total = sum(count for _, _, count in members)
        mean_x = sum(px * count for px, _, count in members) / total
        mean_y = sum(py * count for _, py, count in members) / total
        title = f"{names[0]} {short(mean_x)}, {names[1]} {short(mean_y)}"
        title += f": {total} answers" if total > 1 else ""
        radius = round(3.0 + min(4.0, 0.7 * math.log2(total)), 1)
        drawn.append(Mark(x(mean_x), y(mean_y), None, None, radius, title))
    return tuple(drawn)
