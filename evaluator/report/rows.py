"""The rows of the sample browser: one script for each task, written while the samples pass by."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Self

from evaluator.report.numbers import OUTCOMES, natural
from evaluator.report.pages import TaskPage, higher_is_better
from evaluator.report.sample_page import Answer, SamplePage, reason, verdict
from evaluator.report.serialise import plain
from evaluator.report.views import ImageView

_DIGITS = 4
"""Significant digits of a metric: enough to sort and to read, and the file stays small."""


class RowsFile:
    """Writes data/<task>.js, a script that assigns `hookeRows`: a page opened from disk cannot fetch.

    What its rows are is said in assets/browser.js, which reads them.
    """

    def __init__(self, path: Path, page: TaskPage) -> None:
        self._page = page
        self._models = [line.model.model for line in page.lines]
        self._metrics: dict[str, int] = {}
        self._slices: dict[str, set[str]] = {}
        self._file = path.open("w", encoding="utf-8")
        self._file.write('window.hookeRows = {"rows": [')
        self._separator = "\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is known of all rows only now, and close the file."""
        self._file.write("\n]")
        for name, value in (
            ("models", self._models),
            ("outcomes", OUTCOMES),
            ("metrics", [{"name": n, "higher_is_better": higher_is_better(n)} for n in self._metrics]),
            ("slices", {axis: sorted(values, key=natural) for axis, values in self._slices.items()}),
            ("worst_by", self._page.worst_by),
        ):
            self._file.write(f', "{name}": {_json(value)}')
        self._file.write("}\n")
        self._file.close()

    def add(self, name: str, sample: SamplePage) -> None:
        """Write one sample; `name` is that of its page."""
        for axis, value in sample.slices.items():
            self._slices.setdefault(axis, set()).add(value)
        thumbnail = sample.image.thumbnail if isinstance(sample.image, ImageView) else ""
        row = (
            name,
            thumbnail,
            sample.title,
            sample.truth,
            sample.slices,
            [self._result(answer) for answer in sample.answers],
        )
        self._file.write(self._separator + _json(row))
        self._separator = ",\n"

    def _result(self, answer: Answer) -> tuple[object, ...]:
        metrics: dict[int, float] = {}
        for name, value in answer.score.metrics.items():
            metrics[self._metrics.setdefault(name, len(self._metrics))] = float(f"{value:.{_DIGITS}g}")
        return (
            self._models.index(answer.model),
            OUTCOMES.index(answer.score.outcome.value),
            answer.score.answer,
            reason(answer),
            round(1000 * answer.prediction.latency_s),
            answer.anchor,
            [metrics.get(place) for place in range(max(metrics, default=-1) + 1)],
            *_without_end(verdict(answer), answer.score.repeat),
        )


def _without_end(*values: str | int) -> list[str | int]:
    """The values up to the last one that says anything."""
    return list(values[: max((place for place, value in enumerate(values, 1) if value), default=0)])


def _json(value: object) -> str:
    return json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
