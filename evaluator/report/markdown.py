"""`report.md`: the summary as Markdown that reads well in a terminal and in a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from evaluator.report import robustness
from evaluator.report.costs import COST_MEANING, cost_in_words, cost_per_1000, has_costs
from evaluator.report.numbers import (
    COMPARISON_MEANING,
    NONE,
    OUTCOMES,
    REPEATS_MEANING,
    STRICT_MEANING,
    UNDEFINED,
    dollars,
    find,
    interval,
    is_defined,
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
from evaluator.summaries import Estimate, ModelSummary, RunSummary, TaskSummary, Usage

_MARKUP = re.compile(r"[\\`*\[\]<>#|~&]|(?<![^\W_])_|_(?![^\W_])")
"""What Markdown would not take literally; an underscore inside a word needs no escape."""


def render_markdown(summary: RunSummary) -> str:
    """Head, then for each task a leaderboard, all metrics and the headline metric by slice."""
    parts = [
        f"# {_text(summary.suite)}",
        f"Evaluation {_text(summary.evaluation_id)}, {_text(summary.create_time)}, "
        f"{_text(summary.state.replace('_', ' '))}. "
        f"Square brackets hold 95 % intervals. {STRICT_MEANING}",
    ]
    for task in summary.tasks:
        parts += _task(task)
    return "\n\n".join(parts) + "\n"


def _task(task: TaskSummary) -> list[str]:
    faults = robustness.fault_names(task)
    parts = [
        f"## {_text(task.task)}",
        f"{_text(task.description)} Dataset: {_text(task.dataset)}, {number(task.sample_count)} samples.",
        _leaderboard(task),
        *(["### Published figures", REFERENCE_MEANING, _references(task)] if task.references else []),
        *(["### Which models differ", COMPARISON_MEANING, _comparisons(task)] if task.comparisons else []),
        *(["### Cost against quality", COST_MEANING, _costs(task)] if has_costs(task) else []),
        *(["### Asked again", REPEATS_MEANING, _stability(task)] if repeated(task) else []),
        *(_text(left_out(model)) for model in ranked(task) if model.tuned_count),
        *(["### Robustness", _text(robustness.meaning(task)), _robustness(task)] if faults else []),
        "### All metrics",
        _all_metrics(task),
        *(["### Read otherwise", _text(reading_meaning(task))] if task.filter else []),
        *([_readings(task)] if any(model.filtered for model in task.models) else []),
    ]
    for axis in slice_axes(task):
        parts += [f"### {_text(task.headline)} by {_text(axis)} (strict)", _slices(task, axis)]
    return parts


def _leaderboard(task: TaskSummary) -> str:
    ranks = ["rank"] if task.comparisons else []
    strict = f"{_text(task.headline)}, strict"
    head = ["model", *ranks, strict, "answered only", "coverage", *OUTCOMES, "p50", "p99"]
    rows = [
        [
            _text(model.model),
            *(str(task.rank(model.model)) for _ in ranks),
            _estimate(find(model.strict, task.headline)),
            _estimate(find(model.answered, task.headline)),
            percent(model.coverage),
            *(number(model.outcome_counts.get(outcome, 0)) for outcome in OUTCOMES),
            seconds(model.latency_p50_s),
            seconds(model.latency_p99_s),
        ]
        for model in ranked(task)
    ]
    return _table(head, rows)


def _stability(task: TaskSummary) -> str:
    models = [model for model in ranked(task) if model.stability]
    counts = any(model.within_sample_sd for model in models)
    head = ["model", "same answer every time", "n", *(["SD within a sample, objects"] if counts else [])]
    rows = [
        [
            _text(model.model),
            _estimate(model.stability),
            number(model.stability.n),
            *([_estimate(model.within_sample_sd)] if model.within_sample_sd else [NONE] if counts else []),
        ]
        for model in models
        if model.stability
    ]
    return _table(head, rows)


def _references(task: TaskSummary) -> str:
    published = reference_table(task)
    assert published is not None
    head = ["whose", *map(_text, published.metrics), "n", "source"]
    rows = [
        [_text(row.name), *row.figures, NONE if row.n is None else number(row.n), _text(row.source)]
        for row in published.rows
    ]
    return _table(head, rows)


def _all_metrics(task: TaskSummary) -> str:
    head = ["metric", "model", "strict", "answered only", "coverage"]
    rows = [
        [
            _text(name),
            _text(model.model),
            _estimate(find(model.strict, name)),
            _estimate(find(model.answered, name)),
            percent(model.coverage),
        ]
        for name in metric_names(task)
        for model in ranked(task)
    ]
    return _table(head, rows, names=2)


def _readings(task: TaskSummary) -> str:
    head = ["filter", "model", f"{_text(task.headline)}, strict", "answered only", *OUTCOMES]
    rows = [
        [
            _text(each.filter),
            _text(model.model),
            _estimate(find(each.strict, task.headline)),
            _estimate(find(each.answered, task.headline)),
            *(number(each.outcome_counts.get(outcome, 0)) for outcome in OUTCOMES),
        ]
        for model in ranked(task)
        for each in model.filtered
    ]
    return _table(head, rows, names=2)


def _comparisons(task: TaskSummary) -> str:
    head = ["first", "second", "difference", "n", "p", "p, corrected", "so", "more images to tell"]
    rows = [
        [
            _text(pair.first),
            _text(pair.second),
            _estimate(pair.difference),
            number(pair.difference.n),
            probability(pair.p_value),
            probability(pair.adjusted_p_value),
            _text(verdict(pair)),
            more_images(pair),
        ]
        for pair in task.comparisons
    ]
    return _table(head, rows, names=2)


def _costs(task: TaskSummary) -> str:
    strict = f"{_text(task.headline)}, strict"
    head = ["model", strict, "cost of 1,000 answers", "cost", "tokens read", "written", "p50", "p99"]
    rows = []
    for model in ranked(task):
        usage = model.usage or Usage(0, None, None, 0, 0)
        rows.append(
            [
                _text(model.model),
                _estimate(find(model.strict, task.headline)),
                cost_in_words(model),
                NONE if cost_per_1000(model) is None else dollars(usage.cost_micro_usd),
                NONE if usage.input_token_count is None else number(usage.input_token_count),
                NONE if usage.output_token_count is None else number(usage.output_token_count),
                seconds(model.latency_p50_s),
                seconds(model.latency_p99_s),
            ]
        )
    return _table(head, rows)


def _robustness(task: TaskSummary) -> str:
    faults = robustness.fault_names(task)
    steps = sorted({severity for fault in faults for severity in robustness.severities(task, fault)})
    head = ["fault", "model", "coverage", "area", *(f"severity {severity}" for severity in steps)]
    rows = [
        [
            _text(robustness.title(fault)),
            _text(model.model),
            percent(model.coverage),
            _estimate(robustness.area(model, fault)),
            *(_estimate(robustness.ratio(model, fault, severity)) for severity in steps),
        ]
        for fault in faults
        for model in ranked(task)
    ]
    blank = ["" for _ in steps]
    for model in ranked(task):
        whole = _estimate(robustness.whole_area(model))
        rows.append(["all faults", _text(model.model), percent(model.coverage), whole, *blank])
    return _table(head, rows, names=2)


def _slices(task: TaskSummary, axis: str) -> str:
    models = ranked(task)
    head = [_text(axis), *(f"{_text(m.model)} ({percent(m.coverage)} scored)" for m in models)]
    rows = [
        [_text(value), *(_slice_cell(task, model, axis, value) for model in models)]
        for value in slice_values(task, axis)
    ]
    return _table(head, rows)


def _slice_cell(task: TaskSummary, model: ModelSummary, axis: str, value: str) -> str:
    estimate = find(model.by_slice.get(axis, {}).get(value, ()), task.headline)
    return f"{_estimate(estimate)} n={number(estimate.n)}"


def _estimate(estimate: Estimate) -> str:
    if not is_defined(estimate.value):
        return f"{UNDEFINED} ({_text(estimate.note)})" if estimate.note else UNDEFINED
    return f"{number(estimate.value)} {interval(estimate)}".rstrip()


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], names: int = 1) -> str:
    """A table whose columns line up; the first ones, which hold names, are set left, the others right."""
    cells = (tuple(head), *(tuple(row) for row in rows))
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(len(head))]
    sides = [str.ljust if column < names else str.rjust for column in range(len(head))]
    lines = [
        " | ".join(side(cell, width) for side, cell, width in zip(sides, row, widths, strict=True))
        for row in cells
    ]
    rules = [
        f":{'-' * (w - 1)}" if column < names else f"{'-' * (w - 1)}:" for column, w in enumerate(widths)
    ]
    return "\n".join(f"| {line} |" for line in (lines[0], " | ".join(rules), *lines[1:]))


def _text(value: str) -> str:
    """A name or a sentence from outside as plain text: nothing in it is markup, nothing ends a row."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(value.split()))
