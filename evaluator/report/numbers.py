"""How numbers are written for people: the same in HTML and in Markdown."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeGuard

from evaluator.metrics.catalogue import METRICS
from evaluator.metrics.intervals import NO_SAMPLE
from evaluator.records import TaskKind
from evaluator.summaries import Comparison, Estimate, ModelSummary, TaskSummary
from hooke.types import SampleOutcome

UNDEFINED = "undefined"
NONE = "\N{EN DASH}"
"""Where there is nothing to say."""

STRICT_MEANING = (
    "Strict: abstained and unparsed samples count as wrong. Failed ones, lost by the infrastructure, are in "
    "the coverage only."
)

COMPARISON_MEANING = (
    "Two models on the same samples: the difference of their headline metric (first minus second, strict) "
    "with its paired 95 % interval. Models whose difference may well be chance, p of 0.05 or more after "
    "Holm's correction over the run, cannot be told apart and share a rank."
)

TIED_MEANING = "Models that cannot be told apart are tied: they share a rank."

LATENCY_MEANING = "Latency is that of the answers: its median (p50) and its 99th percentile (p99)."

REPEATS_MEANING = (
    "Each sample was asked about several times. Every figure is over all answers, to which each sample adds "
    "as many, and its interval knows that answers to one sample are dependent: asking again makes no figure "
    "more general. Here n is the number of samples, elsewhere that of answers."
)

MORE_IMAGES_MEANING = (
    "About how many images beside those of now would tell the two apart, in four of five repetitions, if the "
    "difference is as it seems. It is as uncertain as that: it tells twenty from twenty thousand, no better."
)

_METHODS = {"wilson": "Wilson", "bca": "BCa bootstrap", "bca-clustered": "BCa bootstrap, clustered"}

OUTCOMES = tuple(outcome.value for outcome in SampleOutcome)
"""The order in which outcomes are shown: scored, abstained, unparsed, failed."""


def is_defined(value: float | None) -> TypeGuard[float]:
    """True if there is a number to show."""
    return value is not None and math.isfinite(value)


def number(value: float | None) -> str:
    """Three decimals below 10, fewer above, so that columns stay narrow; "undefined" where it is."""
    if not is_defined(value):
        return UNDEFINED
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value)
    decimals = 3 if size < 10 else 2 if size < 100 else 1 if size < 1000 else 0
    return f"{value:,.{decimals}f}"


def short(value: float | None) -> str:
    """A number of a single sample: a whole one without decimals."""
    return number(int(value) if is_defined(value) and value == int(value) else value)


def interval(estimate: Estimate) -> str:
    """The 95 % interval, for example "[0.812, 0.879]"; empty where there is none."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"[{number(estimate.low)}, {number(estimate.high)}]"


def method(estimate: Estimate) -> str:
    """How the interval came about, and of how many samples the number is."""
    how = f"95 % interval: {_METHODS.get(estimate.method, estimate.method)}; " if estimate.method else ""
    return f"{how}n = {number(estimate.n)}"


def methods(estimates: Iterable[Estimate]) -> str:
    """How the intervals of several numbers came about, for example "Wilson, BCa bootstrap"."""
    used = dict.fromkeys(e.method for e in estimates if e.method)
    return ", ".join(_METHODS.get(name, name) for name in used)


def with_unit(kind: TaskKind, name: str) -> str:
    """A metric for the axis of a chart: "mae (objects)"; its name alone where it has no unit."""
    unit = next((metric.unit for metric in METRICS[kind] if metric.name == name), "")
    return f"{name} ({unit})" if unit else name


@dataclass(frozen=True, slots=True)
class Remark:
    """Why numbers of a metric are undefined, have no interval or leave something out; and whose they are."""

    metric: str
    note: str
    models: tuple[str, ...]


def remarks(task: TaskSummary) -> tuple[Remark, ...]:
    """What there is to say of single numbers of a task beside themselves."""
    names = metric_names(task)
    found: dict[tuple[str, str], dict[str, None]] = {}
    for model in ranked(task):
        for estimate in (*model.strict, *model.answered):
            if estimate.note and estimate.name in names:
                found.setdefault((estimate.name, estimate.note), {})[model.model] = None
    return tuple(Remark(metric, note, tuple(names)) for (metric, note), names in found.items())


def probability(value: float | None) -> str:
    """A p-value; below what three decimals can say, a bound."""
    return "< 0.001" if is_defined(value) and value < 0.001 else number(value)


def verdict(comparison: Comparison) -> str:
    """What a comparison says, in words."""
    return f"{comparison.better} is better" if comparison.better else "cannot be told apart"


def reading_meaning(task: TaskSummary) -> str:
    """How the answers of a task with filters were read, and what its further filters are."""
    told = f"What models wrote is read through the filter {task.filter!r}."
    if not any(model.filtered for model in task.models):
        return told
    return (
        f"{told} Below are the same answers, read through the other filters of the task. They are neither "
        "ranked nor tested: whoever picks the best of several readings finds more than there is."
    )


def repeated(task: TaskSummary) -> bool:
    """True if a model was asked about each sample more than once."""
    return any(model.stability for model in task.models)


def left_out(model: ModelSummary) -> str:
    """What the figures of a model leave out, as it was tuned on it."""
    told = f"{model.model}: tuned on, left out: {number(model.tuned_count)}."
    if not model.tuned_count:
        return f"{told} Its parameters were tuned on other samples than these."
    return (
        f"{told} Its parameters were tuned on these samples, or on others of their clusters; its figures are "
        f"of the other {number(model.sample_count)}."
    )


def more_images(comparison: Comparison) -> str:
    """How many more images would settle a comparison, to two digits; a dash where that is not to be said."""
    count = comparison.more_images
    if count is None:
        return NONE
    return f"about {int(float(f'{count:.2g}')):,}" if count else "a few"


def percent(share: float) -> str:
    """A share as per cent; 100.0 % only where nothing is missing, 0.0 % only where nothing is there."""
    rounded = round(100 * share, 1)
    if rounded == 100 and share < 1:
        return "> 99.9 %"
    if rounded == 0 and share > 0:
        return "< 0.1 %"
    return f"{rounded:.1f} %"


def seconds(value: float | None) -> str:
    """A duration in milliseconds below one second, in seconds above; an en dash where there is none."""
    if not is_defined(value):
        return "\N{EN DASH}"
    if value < 1:
        return f"{1000 * value:.0f} ms" if value >= 0.01 else f"{1000 * value:.1f} ms"
    return f"{value:.1f} s"


def dollars(micro_usd: int) -> str:
    """Millionths of a US dollar for people, as far as they are not zero."""
    return f"{micro_usd / 1e6:.6f}".rstrip("0").rstrip(".") + " USD"


def moment(time: str) -> str:
    """An RFC 3339 time for people, to the second; what is no such time is left as it is."""
    try:
        return datetime.fromisoformat(time).strftime("%Y-%m-%d %H:%M:%S %Z").strip()
    except ValueError:
        return time


def find(estimates: tuple[Estimate, ...], name: str) -> Estimate:
    """The estimate of that name; an undefined one where it is missing."""
    for estimate in estimates:
        if estimate.name == name:
            return estimate
    return Estimate(name, None, None, None, "", 0, note="not computed")


def metric_names(task: TaskSummary) -> tuple[str, ...]:
    """Names of the headline metric of a task and of those that a sample has, as they were first given."""
    estimates = (e for model in task.models for e in (*model.strict, *model.answered))
    shown = (e for e in estimates if not e.note.endswith(NO_SAMPLE) or e.name == task.headline)
    return tuple(dict.fromkeys(e.name for e in shown))


def slice_axes(task: TaskSummary) -> tuple[str, ...]:
    """The axes by which a task's results are broken down."""
    return tuple(dict.fromkeys(axis for model in task.models for axis in model.by_slice))


def slice_values(task: TaskSummary, axis: str) -> tuple[str, ...]:
    """The values of an axis in natural order: "2" before "10"."""
    values = {value for model in task.models for value in model.by_slice.get(axis, {})}
    return tuple(sorted(values, key=natural))


def natural(text: str) -> tuple[tuple[bool, float, str], ...]:
    """A key that sorts the numbers inside texts as numbers."""
    parts = re.split(r"(\d+(?:\.\d+)?)", text)
    return tuple((i % 2 == 0, float(part) if i % 2 else 0.0, part) for i, part in enumerate(parts) if part)


def ranked(task: TaskSummary) -> tuple[ModelSummary, ...]:
    """The models of a task, best headline number (strict) first, undefined ones last."""

    def key(model: ModelSummary) -> tuple[bool, float]:
        estimate = find(model.strict, task.headline)
        if not is_defined(estimate.value):
            return (True, 0.0)
        if estimate.higher_is_better is None:
            return (False, abs(estimate.value))
        return (False, -estimate.value if estimate.higher_is_better else estimate.value)

    return tuple(sorted(task.models, key=key))


FILTERS = {
    write.__name__: write
    for write in (
        *(dollars, interval, left_out, method, methods, moment, more_images, number),
        *(percent, probability, seconds, short, verdict),
    )
}
"""What templates write numbers with."""
