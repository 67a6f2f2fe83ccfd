"""The comparison of two runs as files: for programs, as a page, and as tables for a pull request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from evaluator.contrast.markdown import render_markdown
from evaluator.contrast.records import Change, RunContrast
from evaluator.contrast.words import MEANING, VERDICTS, abridged
from evaluator.metrics.catalogue import MEANINGS
from evaluator.report import numbers
from evaluator.report.charts import Scale
from evaluator.report.serialise import plain

FORMAT_VERSION = 1
"""Of `comparison.json`; counts up when a field goes or changes its meaning."""


def contrast_files(found: RunContrast) -> Mapping[str, bytes]:
    """Name -> content of every file."""
    return {
        "comparison.json": _json(found).encode(),
        "comparison.md": render_markdown(found).encode(),
        "index.html": _html(found).encode(),
    }


def _json(found: RunContrast) -> str:
    """Every field of the records, and the verdict on each headline metric."""
    content = plain(found)
    for contrast, told in zip(found.contrasts, content["contrasts"], strict=True):
        told["verdict"] = contrast.changes[0].verdict
    return json.dumps(
        {"format_version": FORMAT_VERSION, **content}, ensure_ascii=False, allow_nan=False, indent=2
    )


def _html(found: RunContrast) -> str:
    """One page that needs no other file."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("evaluator.contrast"), PackageLoader("evaluator.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {**numbers.FILTERS, "abridged": abridged}
    environment.tests["defined_number"] = numbers.is_defined
    style = resources.files("evaluator.report").joinpath("assets", "report.css").read_text(encoding="utf-8")
    return environment.get_template("contrast.jinja").render(
        found=found,
        meaning=MEANING,
        meanings=MEANINGS,
        scale=_scale,
        style=style,
        verdicts=VERDICTS,
    )


def _scale(change: Change) -> Scale:
    """Where the bar of a difference runs: as far to either side of 0 as anything in it."""
    difference = change.difference
    ends = [end for end in (difference.value, difference.low, difference.high) if numbers.is_defined(end)]
    reach = max((abs(end) for end in ends), default=0.0) or 1.0
    return Scale(-reach, reach, 6, 134)
