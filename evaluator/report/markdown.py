"""`report.md`: the summary as Markdown that reads well in a terminal and in a pull request."""

from __future__ import annotations

from evaluator.report import robustness
from evaluator.report.costs import COST_MEANING, cost_in_words, cost_per_1000, has_costs
from evaluator.report.numbers import (
    COMPARISON_MEANING,
    NONE,
    OUTCOMES,
    REPEATS_MEANING,
    STRICT_MEANING,
    dollars,
    find,
    left_out,
    metric_names,
    more_images,
    number,
    percent,
    probability,
    ranked,
    reading_meaning,
    repeated,
    seconds,
    slice_axes,
    slice_values,
    verdict,
)
from evaluator.report.references import REFERENCE_MEANING, reference_table
from evaluator.report.tables import figure, plain, table
from evaluator.summaries import ModelSummary, RunSummary, TaskSummary, Usage


def render_markdown(summary: RunSummary) -> str:
    """Head, then for each task a leaderboard, all metrics and the headline metric by slice."""
    parts = [
        f"# {plain(summary.suite)}",
        f"Evaluation {plain(summary.evaluation_id)}, {plain(summary.create_time)}, "
        f"{plain(summary.state.replace('_', ' '))}. "
        f"Square brackets hold 95 % intervals. {STRICT_MEANING}",
    ]
    for task in summary.tasks:
        parts += _task(task)
    return "\n\n".join(parts) + "\n"


def _task(task: TaskSummary) -> list[str]:
    faults = robustness.fault_names(task)
    parts = [
        f"## {plain(task.task)}",
        f"{plain(task.description)} Dataset: {plain(task.dataset)}, {number(task.sample_count)} samples.",
        _leaderboard(task),
        *(["### Published figures", REFERENCE_MEANING, _references(task)] if task.references else []),
        *(["### Which models differ", COMPARISON_MEANING, _comparisons(task)] if task.comparisons else []),
        *(["### Cost against quality", COST_MEANING, _costs(task)] if has_costs(task) else []),
        *(["### Asked again", REPEATS_MEANING, _stability(task)] if repeated(task) else []),
        *(plain(left_out(model)) for model in ranked(task) if model.tuned_count is not None),
        *(["### Robustness", plain(robustness.meaning(task)), _robustness(task)] if faults else []),
        "### All metrics",
        _all_metrics(task),
        *(["### Read otherwise", plain(reading_meaning(task))] if task.filter else []),
        *([_readings(task)] if any(model.filtered for model in task.models) else []),
    ]
    for axis in slice_axes(task):
        parts += [f"### {plain(task.headline)} by {plain(axis)} (strict)", _slices(task, axis)]
    return parts


def _leaderboard(task: TaskSummary) -> str:
    ranks = ["rank"] if task.comparisons else []
    strict = f"{plain(task.headline)}, strict"
    head = ["model", *ranks, strict, "answered only", "coverage", *OUTCOMES, "p50", "p99"]
    rows = [
        [
            plain(model.model),
            *(str(task.rank(model.model)) for _ in ranks),
            figure(find(model.strict, task.headline)),
            figure(find(model.answered, task.headline)),
            percent(model.coverage),
            *(number(model.outcome_counts.get(outcome, 0)) for outcome in OUTCOMES),
            seconds(model.latency_p50_s),
            seconds(model.latency_p99_s),
        ]
        for model in ranked(task)
    ]
    return table(head, rows)


def _stability(task: TaskSummary) -> str:
    models = [model for model in ranked(task) if model.stability]
    counts = any(model.within_sample_sd for model in models)
    head = ["model", "same answer every time", "n", *(["SD within a sample, objects"] if counts else [])]
    rows = [
        [
            plain(model.model),
            figure(model.stability),
            number(model.stability.n),
            *([figure(model.within_sample_sd)] if model.within_sample_sd else [NONE] if counts else []),
        ]
        for model in models
        if model.stability
    ]
    return table(head, rows)


def _references(task: TaskSummary) -> str:
    published = reference_table(task)
    assert published is not None
    head = ["whose", *map(plain, published.metrics), "n", "source"]
    rows = [
        [plain(row.name), *row.figures, NONE if row.n is None else number(row.n), plain(row.source)]
        for row in published.rows
    ]
    return table(head, rows)


def _all_metrics(task: TaskSummary) -> str:
    head = ["metric", "model", "strict", "answered only", "coverage"]
    rows = [
        [
            plain(name),
            plain(model.model),
            figure(find(model.strict, name)),
            figure(find(model.answered, name)),
            percent(model.coverage),
        ]
        for name in metric_names(task)
        for model in ranked(task)
    ]
    return table(head, rows, names=2)


def _readings(task: TaskSummary) -> str:
    head = ["filter", "model", f"{plain(task.headline)}, strict", "answered only", *OUTCOMES]
    rows = [
        [
            plain(each.filter),
            plain(model.model),
            figure(find(each.strict, task.headline)),
            figure(find(each.answered, task.headline)),
            *(number(each.outcome_counts.get(outcome, 0)) for outcome in OUTCOMES),
        ]
        for model in ranked(task)
        for each in model.filtered
    ]
    return table(head, rows, names=2)


def _comparisons(task: TaskSummary) -> str:
    head = ["first", "second", "difference", "n", "p", "p, corrected", "so", "more images to tell"]
    rows = [
        [
            plain(pair.first),
            plain(pair.second),
            figure(pair.difference),
            number(pair.difference.n),
            probability(pair.p_value),
            probability(pair.adjusted_p_value),
            plain(verdict(pair)),
            more_images(pair),
        ]
        for pair in task.comparisons
    ]
    return table(head, rows, names=2)


def _costs(task: TaskSummary) -> str:
    strict = f"{plain(task.headline)}, strict"
    head = ["model", strict, "cost of 1,000 answers", "cost", "tokens read", "written", "p50", "p99"]
    rows = []
    for model in ranked(task):
        usage = model.usage or Usage(0, None, None, 0, 0)
        rows.append(
            [
                plain(model.model),
                figure(find(model.strict, task.headline)),
                cost_in_words(model),
                NONE if cost_per_1000(model) is None else dollars(usage.cost_micro_usd),
                NONE if usage.input_token_count is None else number(usage.input_token_count),
                NONE if usage.output_token_count is None else number(usage.output_token_count),
                seconds(model.latency_p50_s),
                seconds(model.latency_p99_s),
            ]
        )
    return table(head, rows)


def _robustness(task: TaskSummary) -> str:
    faults = robustness.fault_names(task)
    steps = sorted({severity for fault in faults for severity in robustness.severities(task, fault)})
    head = ["fault", "model", "coverage", "area", *(f"severity {severity}" for severity in steps)]
    rows = [
        [
            plain(robustness.title(fault)),
            plain(model.model),
            percent(model.coverage),
            figure(robustness.area(model, fault)),
            *(figure(robustness.ratio(model, fault, severity)) for severity in steps),
        ]
        for fault in faults
        for model in ranked(task)
    ]
    blank = ["" for _ in steps]
    for model in ranked(task):
        whole = figure(robustness.whole_area(model))
        rows.append(["all faults", plain(model.model), percent(model.coverage), whole, *blank])
    return table(head, rows, names=2)


def _slices(task: TaskSummary, axis: str) -> str:
    models = ranked(task)
    head = [plain(axis), *(f"{plain(m.model)} ({percent(m.coverage)} scored)" for m in models)]
    rows = [
        [plain(value), *(_slice_cell(task, model, axis, value) for model in models)]
        for value in slice_values(task, axis)
    ]
    return table(head, rows)


def _slice_cell(task: TaskSummary, model: ModelSummary, axis: str, value: str) -> str:
    estimate = find(model.by_slice.get(axis, {}).get(value, ()), task.headline)
    return f"{figure(estimate)} n={number(estimate.n)}"
