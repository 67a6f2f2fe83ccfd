"""`comparison.md`: two runs side by side as Markdown, for a terminal or a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from evaluator.contrast.records import Contrast, RunContrast
from evaluator.contrast.words import MEANING, VERDICTS, abridged
from evaluator.report.numbers import NONE, is_defined, moment, number, probability
from evaluator.report.tables import figure, plain, table


def render_markdown(found: RunContrast) -> str:
    """What changed in the headline metrics, what was not the same, and all metrics."""
    suites = dict.fromkeys((found.first.suite, found.second.suite))
    parts = [
        f"# Two runs compared: {' and '.join(map(plain, suites))}",
        _runs(found),
        "## What changed",
        MEANING,
        _headlines(found.contrasts),
        *(
            f"Only in the {name} run: {_named(pairs)}."
            for name, pairs in (("first", found.only_first), ("second", found.only_second))
            if pairs
        ),
        "## What was not the same",
        _provenance(found),
    ]
    for each in found.contrasts:
        parts += [f"## {plain(each.task)}, {plain(each.model)}", _changes(each)]
    return "\n\n".join(parts) + "\n"


def _named(pairs: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{plain(task)} with {plain(model)}" for task, model in pairs)


def _runs(found: RunContrast) -> str:
    rows = [
        [name, *map(plain, (head.evaluation_id, head.suite, moment(head.create_time), head.state))]
        for name, head in (("first", found.first), ("second", found.second))
    ]
    return table(["run", "evaluation", "suite", "started", "state"], rows, names=5)


def _headlines(contrasts: Sequence[Contrast]) -> str:
    head = ["task", "model", "metric", "so", "first", "second", "difference", "shared", "p, corrected"]
    rows = []
    for each in contrasts:
        change = each.changes[0]
        so = VERDICTS[change.verdict] if each.shared_count else "not the same samples"
        figures = map(figure, (change.first, change.second, change.difference))
        names = map(plain, (each.task, each.model, change.metric, so))
        rows.append([*names, *figures, number(each.shared_count), _probability(change.adjusted_p_value)])
    return table(head, rows, names=4)


def _changes(each: Contrast) -> str:
    head = ["metric", "first", "second", "difference", "n", "p"]
    rows = [
        [
            plain(change.metric),
            *map(figure, (change.first, change.second, change.difference)),
            number(change.difference.n),
            _probability(change.p_value),
        ]
        for change in each.changes
    ]
    return table(head, rows)


def _provenance(found: RunContrast) -> str:
    if not found.provenance:
        return "Code, models, data, questions and server were the same."
    rows = [
        list(map(plain, (each.topic, each.what, abridged(each.first), abridged(each.second))))
        for each in found.provenance
    ]
    return table(["of", "what", "first", "second"], rows, names=4)


def _probability(value: float | None) -> str:
    return probability(value) if is_defined(value) else NONE
