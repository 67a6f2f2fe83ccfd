"""Reports of small runs with real scores, to compare."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from evaluator.comparing import correct
from evaluator.records import Prediction, Sample, SampleRow, TaskKind, Truth
from evaluator.report import ReportSample, SampleResultView, write_report
from evaluator.scoring import score
from evaluator.suites import TaskSpec
from evaluator.summaries import RunSummary
from hooke.types import SampleOutcome
from tests.unit.evaluator.scored import summarise, task_of

COUNTS = task_of(TaskKind.COUNTING, name="counts")
CLASSES = task_of(TaskKind.CLASSIFICATION, name="classes")


def write_run(
    out: Path,
    answers: Mapping[str, Mapping[str, Sequence[Any]]],
    truths: Mapping[str, Sequence[Any]],
    *,
    evaluation_id: str = "run",
    first_sample: int = 0,
    provenance: Mapping[str, Any] | None = None,
    prompt: str = "",
    repeats: int = 1,
) -> Path:
    """Write the report of a run; its folder.

    Args:
        answers: task -> model -> an answer to each sample, or a tuple of its repeats; an outcome in place
            of one is a non-answer.
        repeats: answers to each sample.
        truths: task -> truth of each sample.
        first_sample: number of the first sample; the same number is the same sample.
        prompt: hash of the template.
    """
    tasks = {"counts": COUNTS, "classes": CLASSES}
    summaries, samples = [], []
    for name, truth in truths.items():
        task = tasks[name].model_copy(update={"repeats": repeats})
        rows = [row_of(name, first_sample + place) for place in range(len(truth))]
        results = {
            model: [
                [
                    _result(task, row, known, repeat, each, model, prompt)
                    for repeat, each in enumerate(answer if isinstance(answer, tuple) else (answer,))
                ]
                for row, known, answer in zip(rows, truth, said, strict=True)
            ]
            for model, said in answers[name].items()
        }
        scores = {
            model: [result.score for each in found for result in each] for model, found in results.items()
        }
        summaries.append(summarise(task, "made up", rows, scores, {model: [0.1] for model in scores}))
        samples += [
            ReportSample(
                task=name,
                row=row,
                image=IMAGE,
                truth=_truth(task, truth[place]),
                results={model: found[place] for model, found in results.items()},
            )
            for place, row in enumerate(rows)
        ]
    summary = RunSummary(
        evaluation_id, "mine", "succeeded", "2025-03-01T12:00:00Z", provenance or {}, correct(summaries)
    )
    return write_report(out, summary, samples).parent


def row_of(task: str, number: int) -> SampleRow:
    sample_id = hashlib.sha256(f"{task} {number}".encode()).hexdigest()
    return SampleRow(sample_id, number, f"{number}.png", {"half": str(number % 2)}, None)


def _result(
    task: TaskSpec, row: SampleRow, truth: Any, repeat: int, answer: Any, model: str, prompt: str
) -> SampleResultView:
    said = {"count": answer} if task.kind is TaskKind.COUNTING else {"label": answer}
    outcome = answer if isinstance(answer, SampleOutcome) else SampleOutcome.SCORED
    prediction = Prediction(
        task.name,
        model,
        row.sample_id,
        outcome,
        **(said if outcome is SampleOutcome.SCORED else {}),
        repeat=repeat,
        provenance={"prompt_version": "v1", "prompt_sha256": prompt, "model_version": "1"},
    )
    sample = Sample(row.sample_id, b"", _truth(task, truth), row.source)
    return SampleResultView(replace(score(task, sample, prediction, None), repeat=repeat), prediction)


def _truth(task: TaskSpec, value: Any) -> Truth:
    return Truth(count=value) if task.kind is TaskKind.COUNTING else Truth(label=value)


def _image() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(file, "PNG")
    return file.getvalue()


IMAGE = _image()
