"""How much of a model's headline metric is left when images are taken badly.

metric(severity) / metric(clean) of the same images, and the area under that curve. Both are functions of sums
over images, the clean and the struck ones side by side, so that their intervals are those of `intervals`,
paired by image and clustered as the samples are.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import integrate, sparse

from evaluator.corruptions.plan import variants
from evaluator.judging import Judged, statistics_of
from evaluator.metrics.comparison import side_by_side
from evaluator.metrics.intervals import Features, Floats, Statistic, estimate, whole
from evaluator.metrics.statistics import divide
from evaluator.suites import TaskSpec
from evaluator.summaries import Estimate, FaultCurve, Robustness, SeverityPoint

UNDEFINED = "the metric of the clean images is not above 0"
_NOTHING = "no image has every severity of a fault"


Shown = Mapping[int, int]
"""Number of an image -> the place of its answer, in one variant."""


@dataclass(frozen=True, slots=True, eq=False)
class _Paired:
    """A statistic with the numbers of its images, one for each row of its features."""

    statistic: Statistic
    images: tuple[int, ...]


_Value = Callable[[Shown, tuple[int, ...]], _Paired]
"""The headline metric of some images in a variant."""


@dataclass(frozen=True, slots=True, eq=False)
class _Struck:
    """One fault: severity -> the images that have it and are there clean as well."""

    fault: str
    severities: Mapping[int, Shown]


def robustness_of(task: TaskSpec, judged: Judged) -> Robustness:
    """Compare a model's struck images with its clean ones.

    Args:
        task: with its faults.
        judged: all that the model was asked and did not fail on, of a dataset as `corrupted` lists it.

    Returns:
        Curves of the faults that have struck an image. An image counts where it is there clean and in the
        severity; for an area, in every severity of the fault.
    """
    order = variants(task.corruption)
    shown: list[dict[int, int]] = [{} for _ in order]
    for row, position in enumerate(judged.positions.tolist()):
        image, place = divmod(position, len(order))
        if not place or image in shown[0]:  # answers come in the order of the dataset: clean ones first
            shown[place][image] = row
    clean = shown[0]
    faults = [
        _Struck(fault, {order[place].severity: shown[place] for place in places})
        for fault, places in itertools.groupby(range(1, len(order)), key=lambda place: order[place].fault)
    ]
    faults = [struck for struck in faults if any(struck.severities.values())]
    of = functools.partial(_value, task, judged)
    areas = [_area(of, clean, struck) for struck in faults]
    wanted = [of(clean, tuple(clean)), _mean(areas), *areas]
    for struck in faults:
        for images in struck.severities.values():
            wanted += [of(images, tuple(images)), _ratio(of, clean, images)]
    found = iter(_estimates(wanted, {image: int(judged.clusters[row]) for image, row in clean.items()}))
    of_clean, of_all, *of_faults = itertools.islice(found, 2 + len(areas))
    curves = tuple(
        FaultCurve(
            struck.fault,
            tuple(SeverityPoint(severity, next(found), next(found)) for severity in struck.severities),
            area,
        )
        for struck, area in zip(faults, of_faults, strict=True)
    )
    return Robustness(task.headline_metric, of_clean, curves, of_all)


def _value(task: TaskSpec, judged: Judged, shown: Shown, images: tuple[int, ...]) -> _Paired:
    """The headline metric of some of the images."""
    statistics = statistics_of(task, judged.choose(np.array([shown[image] for image in images], np.intp)))
    return _Paired(next(s for s in statistics if s.name == task.headline_metric), images)


def _ratio(of: _Value, clean: Shown, struck: Shown) -> _Paired:
    """The metric of struck images in parts of that of the same images clean."""

    def of_values(values: Sequence[Floats]) -> Floats:
        before, after = values
        return _relative(after, before)

    images = tuple(struck)
    parts = [of(shown, images) for shown in (clean, struck)]
    return _together(f"{parts[0].statistic.name} / clean", parts, images, of_values)


def _area(of: _Value, clean: Shown, struck: _Struck) -> _Paired:
    """The normalised area under the ratios, from severity 0 on."""
    severities = [0, *struck.severities]

    def of_values(values: Sequence[Floats]) -> Floats:
        before, *after = values
        ratios = [np.ones_like(before), *(_relative(value, before) for value in after)]
        return np.asarray(integrate.trapezoid(np.stack(ratios), severities, axis=0) / severities[-1])

    images = tuple(i for i in clean if all(i in shown for shown in struck.severities.values()))
    parts = [of(shown, images) for shown in (clean, *struck.severities.values())]
    return _together("area", parts, images, of_values)


def _mean(areas: Sequence[_Paired]) -> _Paired:
    """The mean of the areas of all faults, each of its own images."""

    def of_values(values: Sequence[Floats]) -> Floats:
        mean: Floats = np.mean(np.stack(values), axis=0)
        return mean

    images = tuple(sorted({image for area in areas for image in area.images}))
    if not images:
        nothing = Statistic("area", np.empty((0, 1)), lambda sums: sums[:, 0], 0, undefined=_NOTHING)
        return _Paired(nothing, ())
    return _together("area", areas, images, of_values)


def _together(
    name: str,
    parts: Sequence[_Paired],
    images: tuple[int, ...],
    of_values: Callable[[Sequence[Floats]], Floats],
) -> _Paired:
    """A statistic computed from the values of others.

    Args:
        name: its name.
        parts: the others.
        images: all of theirs; one that a part does not have adds nothing to its sums.
        of_values: from the values of the parts, each a row of numbers, to its own.
    """
    first = parts[0].statistic
    ends = list(itertools.accumulate(part.statistic.features.shape[1] for part in parts))
    starts = [0, *ends[:-1]]

    def of_sums(sums: Floats) -> Floats:
        return of_values(
            [
                part.statistic.of_sums(sums[:, start:end])
                for part, start, end in zip(parts, starts, ends, strict=True)
            ]
        )

    statistic = Statistic(
        name,
        side_by_side(*(_spread(part, images) for part in parts)),
        of_sums,
        n=len(images),
        higher_is_better=first.higher_is_better,
        undefined=UNDEFINED,
        note="; ".join(dict.fromkeys(part.statistic.note for part in parts if part.statistic.note)),
    )
    return _Paired(statistic, images)


def _spread(part: _Paired, images: tuple[int, ...]) -> Features:
    """The features of a part, with a row for each of the images."""
    if part.images == images:
        return part.statistic.features
    place = {image: row for row, image in enumerate(images)}
    rows = [place[image] for image in part.images]
    ones = (np.ones(len(rows)), (rows, np.arange(len(rows))))
    chosen: Any = sparse.csr_array(ones, shape=(len(images), len(rows)))
    spread: Features = chosen @ whole(part.statistic.features)
    return spread


def _relative(after: Floats, before: Floats) -> Floats:
    return divide(after, np.where(before > 0, before, 0.0))


def _estimates(wanted: Sequence[_Paired], clusters: Mapping[int, int]) -> list[Estimate]:
    """Every statistic with its interval; those of the same images share their resamples."""
    found: dict[int, Estimate] = {}
    order = sorted(range(len(wanted)), key=lambda place: wanted[place].images)
    for images, places in itertools.groupby(order, key=lambda place: wanted[place].images):
        group = list(places)
        estimates = estimate(
            [wanted[place].statistic for place in group], np.array([clusters[i] for i in images], np.int64)
        )
        found.update(zip(group, estimates, strict=True))
    return [found[place] for place in range(len(wanted))]
