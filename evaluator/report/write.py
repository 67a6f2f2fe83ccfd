"""Writing a report: every sample passes by once, the pages that need all of them come last."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from types import CodeType

from jinja2 import BytecodeCache, Environment, PackageLoader, StrictUndefined
from jinja2.bccache import Bucket

from evaluator.metrics.catalogue import MEANINGS
from evaluator.report import charts, numbers
from evaluator.report.collect import Card, Gathered, badness, right
from evaluator.report.contents import ReportSample
from evaluator.report.costs import COST_MEANING, cost_in_words, cost_section
from evaluator.report.markdown import render_markdown
from evaluator.report.pages import (
    Line,
    TaskPage,
    code_in_words,
    manifest_of,
    model_facts,
    task_pages,
    totals,
)
from evaluator.report.references import REFERENCE_MEANING, reference_table
from evaluator.report.robustness import robustness_section
from evaluator.report.rows import RowsFile
from evaluator.report.sample_page import (
    Answer,
    SamplePage,
    answers_of,
    reason,
    sample_page,
    slices_shown,
    verdict,
)
from evaluator.report.samples_file import SamplesFile
from evaluator.report.sections import plot_sections, slice_chart
from evaluator.report.selection import PAGES_MEANING
from evaluator.report.serialise import render_json
from evaluator.report.views import ImageView, write_view
from evaluator.summaries import RunSummary
from hooke.types import SampleOutcome


class _Compiled(BytecodeCache):
    """The code of the templates, for the life of the process: each report has two environments of its own."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give the code, if it was compiled before."""
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code."""
        assert bucket.code is not None
        self._codes[bucket.key, bucket.checksum] = bucket.code


_COMPILED = _Compiled()
_ASSETS = ("report.css", "browser.js", "sample.js")


def write_report(out: Path, summary: RunSummary, samples: Iterable[ReportSample]) -> Path:
    """Write the report of a run as a folder of static pages that opens from disk, without a server.

    What is there is written over; index.html comes last, so that it never opens a report that is not whole.

    Args:
        out: the folder; made where it is missing.
        summary: names every task and model that the samples have.
        samples: taken one at a time, in any order; none is kept.

    Returns:
        The path of index.html.
    """
    site = _Site(out, summary)
    with ExitStack() as files:
        rows = {
            page.task.task: files.enter_context(RowsFile(out / "data" / f"{page.slug}.js", page))
            for page in site.pages
        }
        table = files.enter_context(SamplesFile(out / "samples.parquet"))
        for sample in samples:
            table.add(sample, site.add(sample, rows[sample.task]))
    return site.finish()


@dataclass(frozen=True, slots=True)
class Gallery:
    """The worst samples of one model."""

    line: Line
    cards: Sequence[Card]


class _Site:
    """The folder while it is being written."""

    def __init__(self, out: Path, summary: RunSummary) -> None:
        self._out = out
        self._summary = summary
        self.pages = task_pages(summary)
        self._by_task = {page.task.task: page for page in self.pages}
        self._gathered = {
            page.task.task: {line.model.model: Gathered() for line in page.lines} for page in self.pages
        }
        self._environment = _environment(summary, self.pages)
        self._partly_shown = False
        for folder in ("assets", "data", "images", *(f"samples/{page.slug}" for page in self.pages)):
            (out / folder).mkdir(parents=True, exist_ok=True)
        for name in _ASSETS:
            asset = resources.files("evaluator.report").joinpath("assets", name)
            (out / "assets" / name).write_bytes(asset.read_bytes())

    def add(self, sample: ReportSample, rows: RowsFile) -> Mapping[str, str]:
        """Write one sample's images, page and row, if it gets any, and keep what its task's page needs.

        Returns:
            Where it belongs, axis by axis.
        """
        page = self._by_task[sample.task]
        if sample.image is None:
            answers = answers_of(page, sample)
            for answer in answers:
                self._gathered[sample.task][answer.model].add(page.task.kind, sample.truth, answer)
            self._partly_shown = True
            return slices_shown(page, sample, answers)
        folder = self._out / "images"
        further = tuple(write_view(folder, image, thumbnail=False) for image in sample.further_images)
        shown = sample_page(page, sample, write_view(folder, sample.image), further)
        # Ids are hashes of ours, but a file name must not depend on that.
        name = hashlib.sha256(sample.row.sample_id.encode()).hexdigest()[:16]
        self._write(
            f"samples/{page.slug}/{name}.html", "sample.jinja", root="../../", page=page, sample=shown
        )
        rows.add(name, shown)
        worst: dict[str, Card] = {}
        for answer in shown.answers:
            self._gathered[sample.task][answer.model].add(page.task.kind, sample.truth, answer)
            if not right(answer.score, page.worst_by) and not answer.score.tuned_on:
                card = _card(page, name, shown, answer)
                worst[answer.model] = min(card, worst.get(answer.model, card), key=lambda one: one.badness)
        for model, card in worst.items():
            self._gathered[sample.task][model].show(card)
        return shown.slices

    def finish(self) -> Path:
        """Write the pages about all samples, what their answers took added up."""
        self._summary = self._with_usage()
        self.pages = task_pages(self._summary)
        self._environment = _environment(self._summary, self.pages)
        for page in self.pages:
            gathered = self._gathered[page.task.task]
            self._write(
                f"{page.slug}.html",
                "task.jinja",
                current=page.slug,
                page=page,
                worst=[Gallery(line, gathered[line.model.model].worst) for line in page.lines],
                plots=plot_sections(page, gathered),
                costs=cost_section(page),
                robustness=robustness_section(page),
            )
        note = PAGES_MEANING if self._partly_shown else ""
        self._write("samples.html", "samples.jinja", current="samples", note=note)
        (self._out / "report.json").write_text(render_json(self._summary), encoding="utf-8")
        (self._out / "report.md").write_text(render_markdown(self._summary), encoding="utf-8")
        facts = {
            "code": code_in_words(self._summary),
            "models": model_facts(self._summary),
            "totals": totals(self._summary),
        }
        return self._write("index.html", "index.jinja", current="index", **facts)

    def _with_usage(self) -> RunSummary:
        """The summary with what the answers took, where it does not say that itself."""
        tasks = []
        for task in self._summary.tasks:
            gathered = self._gathered[task.task]
            models = tuple(
                model if model.usage else replace(model, usage=gathered[model.model].usage)
                for model in task.models
            )
            tasks.append(replace(task, models=models))
        return replace(self._summary, tasks=tuple(tasks))

    def _write(self, name: str, template: str, **context: object) -> Path:
        path = self._out / name
        path.write_text(self._environment.get_template(template).render(context), encoding="utf-8")
        return path


def _card(page: TaskPage, name: str, sample: SamplePage, answer: Answer) -> Card:
    score = answer.score
    scored = score.outcome is SampleOutcome.SCORED
    told = scored and page.task.kind.counts_objects  # a wrong class or word is seen as it is
    return Card(
        badness(sample.row.index, score, page.worst_by),
        f"samples/{page.slug}/{name}.html#{answer.anchor}",
        f"images/{sample.image.thumbnail}" if isinstance(sample.image, ImageView) else "",
        sample.title,
        score.outcome.value,
        ", ".join(filter(None, (score.answer, verdict(answer)))) + f" / true {score.truth}"
        if scored
        else reason(answer) or f"true {score.truth}",
        numbers.short(score.metrics.get(page.worst_by)) if told else "",
    )


def _environment(summary: RunSummary, pages: tuple[TaskPage, ...]) -> Environment:
    environment = Environment(
        loader=PackageLoader("evaluator.report"),
        auto_reload=False,
        bytecode_cache=_COMPILED,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {**numbers.FILTERS, "cost_in_words": cost_in_words}
    environment.tests["defined_number"] = numbers.is_defined
    environment.globals |= {
        "find": numbers.find,
        "comparison_meaning": numbers.COMPARISON_MEANING,
        "cost_meaning": COST_MEANING,
        "current": "samples",
        "frame": charts,
        "latency_meaning": numbers.LATENCY_MEANING,
        "manifest_of": manifest_of,
        "meanings": MEANINGS,
        "metric_names": numbers.metric_names,
        "more_images_meaning": numbers.MORE_IMAGES_MEANING,
        "outcomes": numbers.OUTCOMES,
        "pages": pages,
        "reading_meaning": numbers.reading_meaning,
        "reason": reason,
        "verdict_on": verdict,
        "reference_meaning": REFERENCE_MEANING,
        "remarks": numbers.remarks,
        "reference_table": reference_table,
        "repeated": numbers.repeated,
        "repeats_meaning": numbers.REPEATS_MEANING,
        "root": "",
        "slice_axes": numbers.slice_axes,
        "slice_chart": slice_chart,
        "slice_values": numbers.slice_values,
        "strict_meaning": numbers.STRICT_MEANING,
        "summary": summary,
        "tied_meaning": numbers.TIED_MEANING,
    }
    return environment
