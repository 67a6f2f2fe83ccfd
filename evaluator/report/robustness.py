"""What is left of each model's headline metric under faults of acquisition, for pages and texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evaluator.corruptions import FAULTS
from evaluator.report.charts import Chart, Datum, value_range
from evaluator.report.numbers import find, interval, is_defined, number
from evaluator.report.pages import Line, TaskPage
from evaluator.report.plots import Profile, profile
from evaluator.summaries import Estimate, FaultCurve, ModelSummary, TaskSummary

_NONE = Estimate("area", None, None, None, "", 0, note="this model was not asked about the fault")


@dataclass(frozen=True, slots=True)
class AreaRow:
    """The areas of one fault, or of all: one for each model in the order of the page."""

    title: str
    scale: str
    areas: tuple[Estimate, ...]


@dataclass(frozen=True, slots=True)
class RatioRow:
    """One severity of one fault, with a ratio for each model."""

    title: str
    severity: int
    ratios: tuple[Estimate, ...]


@dataclass(frozen=True, slots=True)
class RobustnessSection:
    """What a task page says of robustness; `worst` is the highest severity."""

    text: str
    worst: int
    charts: tuple[Chart, ...]
    areas: tuple[AreaRow, ...]
    ratios: tuple[RatioRow, ...]


def robustness_section(page: TaskPage) -> RobustnessSection | None:
    """Curves, areas and the numbers behind them; None where no fault has struck an image."""
    faults = fault_names(page.task)
    if not faults:
        return None
    models = [line.model for line in page.lines]
    return RobustnessSection(
        meaning(page.task),
        max(severity for fault in faults for severity in severities(page.task, fault)),
        tuple(_chart(page, fault) for fault in faults),
        (
            *(AreaRow(title(f), scale(f), tuple(area(model, f) for model in models)) for f in faults),
            AreaRow("all faults", "mean of their areas", tuple(whole_area(model) for model in models)),
        ),
        tuple(
            RatioRow(title(fault), severity, tuple(ratio(model, fault, severity) for model in models))
            for fault in faults
            for severity in severities(page.task, fault)
        ),
    )


def fault_names(task: TaskSummary) -> tuple[str, ...]:
    """The faults that have struck an image of any model, in the order of the suite."""
    curves = (curve for model in task.models for curve in _curves(model))
    return tuple(dict.fromkeys(curve.fault for curve in curves))


def severities(task: TaskSummary, fault: str) -> tuple[int, ...]:
    """The severities of a fault, ascending."""
    curves = (_curve(model, fault) for model in task.models)
    return tuple(sorted({point.severity for curve in curves if curve for point in curve.points}))


def title(fault: str) -> str:
    """A fault for a heading; one that this version does not know goes by its name."""
    return FAULTS[fault].title if fault in FAULTS else fault


def scale(fault: str) -> str:
    """What the five severities of a fault are."""
    return FAULTS[fault].scale if fault in FAULTS else ""


def meaning(task: TaskSummary) -> str:
    """How to read ratios and areas."""
    better = {find(model.strict, task.headline).higher_is_better for model in task.models}
    harm = ", below it there is" if better == {True} else ", above it there is" if better == {False} else ""
    return (
        f"{task.headline} (strict) of the images with a fault, divided by that of the same ones without it: "
        f"at 1 there is no harm{harm}. The area is the mean height of the curve from severity 0 to the last. "
        "Intervals are paired by image."
    )


def area(model: ModelSummary, fault: str) -> Estimate:
    """The area of one fault; an undefined one where the model has no curve."""
    curve = _curve(model, fault)
    return _NONE if curve is None else curve.area


def whole_area(model: ModelSummary) -> Estimate:
    """The mean area of all faults."""
    return _NONE if model.robustness is None else model.robustness.area


def ratio(model: ModelSummary, fault: str, severity: int) -> Estimate:
    """The ratio at one severity; an undefined one where the model has none."""
    curve = _curve(model, fault)
    points = () if curve is None else curve.points
    return next((point.ratio for point in points if point.severity == severity), _NONE)


def _curves(model: ModelSummary) -> Sequence[FaultCurve]:
    return () if model.robustness is None else model.robustness.curves


def _curve(model: ModelSummary, fault: str) -> FaultCurve | None:
    return next((curve for curve in _curves(model) if curve.fault == fault), None)


def _chart(page: TaskPage, fault: str) -> Chart:
    """One line a model; where higher is better all faults have one scale, so that charts can be compared."""
    shared = fault_names(page.task) if page.direction == "higher is better" else (fault,)
    curves = [_curve(line.model, name) for line in page.lines for name in shared]
    ratios = [point.ratio for curve in curves if curve for point in curve.points]
    chart = profile(
        title(fault),
        "severity",
        f"{page.task.headline} / clean",
        [_profile(line, fault) for line in page.lines],
        y_range=value_range([1.0, *(end for e in ratios for end in (e.value, e.low, e.high))]),
        reference=1.0,
    )
    return replace(chart, summary=f"{scale(fault)}. {chart.summary}".removeprefix(". "))


def _profile(line: Line, fault: str) -> Profile:
    curve = _curve(line.model, fault)
    data = [Datum(0.0, 1.0, f"{line.model.model}, clean: 1")]
    for point in () if curve is None else curve.points:
        e = point.ratio
        if is_defined(e.value):
            words = f"{line.model.model}, severity {point.severity}: {number(e.value)} {interval(e)} n {e.n}"
            data.append(Datum(point.severity, e.value, words, e.low, e.high))
    return Profile(line.model.model, line.style, tuple(data) if len(data) > 1 else ())
