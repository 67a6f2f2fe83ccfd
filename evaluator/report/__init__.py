"""The report of a run: a folder of static pages that opens from disk, JSON and Markdown."""

from evaluator.report.contents import ReportSample, SampleResultView

__all__ = ["ReportSample", "SampleResultView"]
