"""From what the store has of a run to its report."""

from __future__ import annotations

import math
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from evaluator.aggregate import known_of, summarise
from evaluator.catalogue import DatasetChangedError
from evaluator.comparing import correct
from evaluator.contrast import contrast, contrast_files, read_folder
from evaluator.control import Control
from evaluator.journal import read_mask
from evaluator.pacing import StoppedError
from evaluator.preparing import OpenTask, suite_of
from evaluator.records import TaskKind, Truth
from evaluator.report import (
    ALL_PAGES,
    ReportSample,
    SampleResultView,
    render_json,
    render_markdown,
    worst_positions,
    write_report,
)
from evaluator.runs import Results, RunRecord, TaskRecord
from evaluator.store import RunStore
from evaluator.suites import Suite, TaskSpec
from evaluator.summaries import RunSummary, TaskSummary
from evaluator.wording import put_into_words
from hooke.errors import InvalidRequestError
from hooke.types import EvaluationState, ReportFormat

FOLDER = "report"
_ALREADY_SMALL = {".png", ".jpg", ".webp", ".parquet"}
_TEXTS: Mapping[ReportFormat, tuple[str, Callable[[RunSummary], str]]] = {
    ReportFormat.JSON: ("report.json", render_json),
    ReportFormat.MARKDOWN: ("report.md", render_markdown),
}


_COMPARISONS = {ReportFormat.JSON: "comparison.json", ReportFormat.MARKDOWN: "comparison.md"}


def summary_of(store: RunStore, run: RunRecord, suite: Suite, state: EvaluationState) -> RunSummary:
    """Summarise what there is of a run so far.

    Args:
        store: has it.
        run: the run, with its provenance.
        suite: its suite.
        state: to show: what the run is about to end as, or its own.
    """
    specs = {task.digest: task for task in suite.tasks}
    tasks = [task for task in store.tasks(run.evaluation_id) if task.digest in specs]
    datasets = run.provenance.get("datasets", {})
    family = sum(math.comb(len(task.models), 2) for task in tasks)
    return RunSummary(
        evaluation_id=run.evaluation_id,
        suite=run.suite_name,
        state=state,
        create_time=run.create_time.isoformat(),
        provenance=run.provenance,
        tasks=correct([_summary(store, task, specs[task.digest], datasets, family) for task in tasks]),
    )


def _summary(
    store: RunStore, task: TaskRecord, spec: TaskSpec, datasets: Mapping[str, Any], family: int
) -> TaskSummary:
    known = {
        model: known_of(
            spec,
            store.iter_answers(task, model, spec.answers_of(model)),
            store.iter_latencies(task, model),
        )
        for model in task.models
    }
    # Of a run that was stopped only some samples are known; coverage is of the whole dataset all the same.
    count = store.count_samples(task) if task.sample_count is None else task.sample_count
    return summarise(spec, datasets.get(task.name, {}).get("name", spec.dataset.loader), count, known, family)


def write_run_report(
    store: RunStore, run: RunRecord, summary: RunSummary, opened: Sequence[OpenTask], control: Control
) -> None:
    """Write the report of a run into its folder, whole or not at all.

    Raises:
        StoppedError: the run was interrupted.
        DatasetChangedError: a sample is not what it was.
    """
    folder = store.folder(run.evaluation_id)
    part, whole = folder / "report.part", folder / FOLDER
    shutil.rmtree(part, ignore_errors=True)
    write_report(part, summary, _samples(store, run, opened, control))
    shutil.rmtree(whole, ignore_errors=True)
    part.rename(whole)


def _samples(
    store: RunStore, run: RunRecord, opened: Sequence[OpenTask], control: Control
) -> Iterator[ReportSample]:
    for task, open_task in zip(store.tasks(run.evaluation_id), opened, strict=True):
        pages = _pages(store, task, open_task)
        for results in store.iter_results(task):
            if control.interrupted:
                raise StoppedError
            if pages is None or results.row.index in pages:
                yield _shown(store, task, open_task, results)
            else:
                yield _told(task, open_task, results)


def _pages(store: RunStore, task: TaskRecord, opened: OpenTask) -> frozenset[int] | None:
    """Places of the samples that get a page; None: all of them do."""
    if store.count_samples(task) <= ALL_PAGES:
        return None
    answers = (store.iter_answers(task, model, task.answers_of(model)) for model in task.models)
    return frozenset(worst_positions(opened.spec.kind, answers))


def _shown(store: RunStore, task: TaskRecord, opened: OpenTask, results: Results) -> ReportSample:
    """A sample that gets a page: with its image, which is read again, and masks."""
    row, folder = results.row, store.folder(task.evaluation_id)
    sample = opened.dataset.sample(row.index)
    if sample.sample_id != row.sample_id:
        raise DatasetChangedError(f"{row.source} has changed since it was shown to the models")
    return ReportSample(
        task=task.name,
        row=row,
        image=sample.image,
        truth=sample.truth,
        asked="" if sample.inquiry is None else put_into_words(sample, opened.spec.prompt),
        further_images=sample.further_images,
        results={
            model: [
                SampleResultView(score, prediction, None if place else read_mask(folder, prediction))
                for place, (score, prediction) in enumerate(answers)
            ]
            for model, answers in results.answers.items()
        },
    )


def _told(task: TaskRecord, opened: OpenTask, results: Results) -> ReportSample:
    """A sample that gets none: as far as its answers tell."""
    truth = Truth()
    for (score, _prediction), *_ in results.answers.values():
        if opened.spec.kind is TaskKind.COUNTING:
            truth = Truth(count=score.details.get("true"))
        elif opened.spec.kind is TaskKind.CLASSIFICATION:
            truth = Truth(label=score.details.get("true"))
    views = {
        model: [SampleResultView(*answer) for answer in answers] for model, answers in results.answers.items()
    }
    return ReportSample(task.name, results.row, None, truth, views)


def remove_report(store: RunStore, run: RunRecord) -> None:
    """Remove the report of a run that goes on, since it will not be true any more."""
    shutil.rmtree(store.folder(run.evaluation_id) / FOLDER, ignore_errors=True)


def read_report(store: RunStore, run: RunRecord, report_format: ReportFormat) -> bytes:
    """The report as JSON or Markdown; of a run that has not ended: what there is so far.

    Raises:
        InvalidRequestError: the run's suite does not exist any more, or the run goes on meanwhile.
    """
    name, render = _TEXTS[report_format]
    path = store.folder(run.evaluation_id) / FOLDER / name
    if run.state.ended and path.is_file():
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            raise _removed() from error
    return render(summary_of(store, run, suite_of(run.spec), run.state)).encode()


def zip_report(store: RunStore, run: RunRecord, archive: BinaryIO) -> None:
    """Write the folder of a report as a zip archive, its files under their relative names.

    Raises:
        InvalidRequestError: the run has no such report, or goes on meanwhile, which removes it.
    """
    folder = _written(store, run, "report_format")
    try:
        with zipfile.ZipFile(archive, "w") as out:
            for path in sorted(folder.rglob("*")):
                if not path.is_dir():
                    small = path.suffix in _ALREADY_SMALL
                    method = zipfile.ZIP_STORED if small else zipfile.ZIP_DEFLATED
                    out.write(path, path.relative_to(folder), compress_type=method)
    except FileNotFoundError as error:
        raise _removed() from error


def write_contrast(
    store: RunStore, before: RunRecord, after: RunRecord, report_format: ReportFormat, out: BinaryIO
) -> None:
    """Write what has changed from one run to another, as JSON, as Markdown or as a zip archive of all.

    Raises:
        InvalidRequestError: a run has no report, or the two have nothing in common.
    """
    folders = (
        _written(store, before, "compared_to_evaluation_id"),
        _written(store, after, "evaluation_id"),
    )
    try:
        files = contrast_files(contrast(*(read_folder(folder) for folder in folders)))
    except FileNotFoundError as error:
        raise _removed() from error
    if report_format in _COMPARISONS:
        out.write(files[_COMPARISONS[report_format]])
        return
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def _written(store: RunStore, run: RunRecord, field: str) -> Path:
    """The folder of a run's report; InvalidRequestError of this field where there is none."""
    folder = store.folder(run.evaluation_id) / FOLDER
    if run.state.ended and folder.is_dir():
        return folder
    why = "it was not carried out to the end" if run.state.ended else "it has not ended"
    text = f"the evaluation has no HTML report, since {why}; JSON and Markdown show what there is"
    raise InvalidRequestError.of_field(field, text)


def _removed() -> InvalidRequestError:
    text = "the report was removed while it was read, since the evaluation is running again; ask when it ends"
    return InvalidRequestError.of_field("report_format", text)
