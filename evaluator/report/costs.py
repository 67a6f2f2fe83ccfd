"""What the answers of a task cost, against how good they were."""

from __future__ import annotations

from dataclasses import dataclass

from evaluator.report.charts import Chart, Datum, Series, marks, padded, value_range, x_scale, y_scale
from evaluator.report.numbers import NONE, dollars, interval, is_defined, number, with_unit
from evaluator.report.pages import TaskPage
from evaluator.summaries import ModelSummary, TaskSummary, Usage

COST_MEANING = (
    "Of every answer that was asked for; what failed, and answers used again, are left out. Models that "
    "nobody charges for stand at 0: the machines they run on are not counted. Where a provider charges and "
    "its price is not known, no cost is shown."
)
UNKNOWN = "price unknown"


@dataclass(frozen=True, slots=True)
class CostSection:
    """What a task page says of cost; no chart where no model has both a known cost and a figure."""

    chart: Chart | None
    missing: tuple[str, ...]
    """Models that the chart leaves out, since their price is not known."""


def has_costs(task: TaskSummary) -> bool:
    """True if any model counts tokens or is charged for."""
    return any(_charged(model.usage) for model in task.models)


def cost_section(page: TaskPage) -> CostSection | None:
    """The headline metric against the cost of 1,000 answers; None where no model has tokens or costs."""
    if not has_costs(page.task):
        return None
    missing = tuple(
        line.model.model for line in page.lines if line.model.usage and cost_per_1000(line.model) is None
    )
    return CostSection(_chart(page), missing)


def cost_per_1000(model: ModelSummary) -> float | None:
    """Millionths of a US dollar for 1,000 answers, by the answers whose price is known; None: it never is."""
    usage = model.usage
    if usage is None or usage.answer_count == usage.price_missing_count:
        return None
    return 1000 * usage.cost_micro_usd / (usage.answer_count - usage.price_missing_count)


def cost_in_words(model: ModelSummary) -> str:
    """The cost of 1,000 answers to three digits, and of how many answers it is not known."""
    cost, usage = cost_per_1000(model), model.usage
    if usage is None:
        return NONE
    if cost is None:
        return UNKNOWN
    told = dollars(round(float(f"{cost:.3g}")))
    if not usage.price_missing_count:
        return told
    return f"{told}, price unknown of {number(usage.price_missing_count)} answers"


def _charged(usage: Usage | None) -> bool:
    if usage is None:
        return False
    return bool(usage.input_token_count or usage.cost_micro_usd or usage.price_missing_count)


def _chart(page: TaskPage) -> Chart | None:
    data: list[tuple[str, int, Datum]] = []
    for line in page.lines:
        cost, e = cost_per_1000(line.model), line.strict
        if cost is not None and is_defined(e.value):
            title = f"{line.model.model}: {number(e.value)} {interval(e)} at {cost_in_words(line.model)}"
            data.append((line.model.model, line.style, Datum(cost / 1e6, e.value, title, e.low, e.high)))
    if not data:
        return None
    x = x_scale(*padded([0.0, *(datum.x for _, _, datum in data)]))
    y = y_scale(*value_range(end for _, _, d in data for end in (d.y, d.low, d.high)))
    return Chart(
        f"{page.task.headline} against cost",
        " ".join(datum.title + "." for _, _, datum in data),
        "US dollars for 1,000 answers",
        with_unit(page.task.kind, page.task.headline),
        x.ticks(),
        y.ticks(),
        tuple(Series(name, style, marks(x, y, [datum])) for name, style, datum in data),
    )
