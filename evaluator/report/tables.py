"""Markdown that is safe to show and lines up: tables, figures and texts from outside."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from evaluator.report.numbers import UNDEFINED, interval, is_defined, number
from evaluator.summaries import Estimate

_MARKUP = re.compile(r"[\\`*\[\]<>#|~&]|(?<![^\W_])_|_(?![^\W_])")
"""What Markdown would not take literally; an underscore inside a word needs no escape."""


def plain(value: str) -> str:
    """A name or a sentence from outside as plain text: nothing in it is markup, nothing ends a row."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(value.split()))


def figure(estimate: Estimate) -> str:
    """A number with its interval, or why it is undefined."""
    if not is_defined(estimate.value):
        return f"{UNDEFINED} ({plain(estimate.note)})" if estimate.note else UNDEFINED
    return f"{number(estimate.value)} {interval(estimate)}".rstrip()


def table(head: Sequence[str], rows: Iterable[Sequence[str]], names: int = 1) -> str:
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
