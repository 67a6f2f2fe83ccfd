"""The report of a run: a folder of static pages that opens from disk, JSON and Markdown."""

from evaluator.report.contents import ReportSample, SampleResultView
from evaluator.report.markdown import render_markdown
from evaluator.report.selection import ALL_PAGES, worst_positions
from evaluator.report.serialise import FORMAT_VERSION, read_json, render_json
from evaluator.report.write import write_report

__all__ = [
    "ALL_PAGES",
    "FORMAT_VERSION",
    "ReportSample",
    "SampleResultView",
    "read_json",
    "render_json",
    "render_markdown",
    "worst_positions",
    "write_report",
]
