"""Tasks, samples and predictions to score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import yaml

from evaluator import aggregate
from evaluator.aggregate import known_of
from evaluator.records import Inquiry, Prediction, Sample, SampleRow, SampleScore, TaskKind, Truth
from evaluator.scoring import score
from evaluator.suites import TaskSpec, load_suite
from evaluator.summaries import TaskSummary
from hooke.types import SampleOutcome

DATASETS = {
    TaskKind.SEGMENTATION: {"loader": "simulated"},
    TaskKind.COUNTING: {"loader": "simulated"},
    TaskKind.CLASSIFICATION: {"loader": "class_folders", "labels": ["cat", "dog", "owl"]},
    TaskKind.VQA: {
        "loader": "questions",
        "table": "t.csv",
        "image": "{file}",
        "question": "asked",
        "answer": "right",
    },
}


def task_of(kind: TaskKind, **fields) -> TaskSpec:
    task = {"name": "task", "kind": str(kind), "dataset": DATASETS[kind], **fields}
    return load_suite(yaml.safe_dump({"name": "mine", "tasks": [task]})).tasks[0]


def sample_of(truth: Truth, number: int = 0) -> Sample:
    inquiry = None if truth.answer is None else Inquiry("What is it?")
    return Sample(f"{number:064}", b"", truth, f"file {number}", inquiry=inquiry)


def prediction_of(number: int = 0, outcome: SampleOutcome = SampleOutcome.SCORED, **answer) -> Prediction:
    return Prediction("task", "model", f"{number:064}", outcome, **answer)


def boxes(*corners: tuple[int, int], side: int = 3, shape: tuple[int, int] = (16, 16)) -> np.ndarray:
    labels = np.zeros(shape, np.uint16)
    for label, (row, column) in enumerate(corners, start=1):
        labels[row : row + side, column : column + side] = label
    return labels


def summarise(
    task: TaskSpec,
    dataset_name: str,
    rows: Sequence[SampleRow],
    scores: Mapping[str, Sequence[SampleScore]],
    latencies: Mapping[str, Sequence[float]],
    family: int | None = None,
) -> TaskSummary:
    """Summarise scores that come in any order."""
    by_id = {row.sample_id: row for row in rows}
    known = {}
    for model, found in scores.items():
        answers = [(by_id[score.sample_id], score) for score in found if score.sample_id in by_id]
        answers.sort(key=lambda answer: answer[0].index)
        known[model] = known_of(task, answers, latencies.get(model, ()))
    return aggregate.summarise(task, dataset_name, len(rows), known, family)


def rows_of(
    count: int, slices: Sequence[dict[str, str]] = (), clusters: Sequence[str | None] = ()
) -> list[SampleRow]:
    return [
        SampleRow(f"{i:064}", i, f"file {i}", slices[i] if slices else {}, clusters[i] if clusters else None)
        for i in range(count)
    ]


def count_scores(
    true: Sequence[int], answers: Sequence[int | SampleOutcome], task: TaskSpec | None = None
) -> list[SampleScore]:
    """Scores of counts; an outcome in place of a count is a non-answer."""
    task = task or task_of(TaskKind.COUNTING)
    return [
        score(
            task,
            sample_of(Truth(count=truth), i),
            prediction_of(i, answer) if isinstance(answer, SampleOutcome) else prediction_of(i, count=answer),
            None,
        )
        for i, (truth, answer) in enumerate(zip(true, answers, strict=True))
    ]


def class_scores(
    true: Sequence[str], answers: Sequence[str | SampleOutcome], confidence: float | None = None
) -> list[SampleScore]:
    """Scores of classes, all with the same confidence; an outcome in place of a class is a non-answer."""
    scores = []
    for i, (truth, answer) in enumerate(zip(true, answers, strict=True)):
        if isinstance(answer, SampleOutcome):
            prediction = prediction_of(i, answer)
        else:
            rest = {} if confidence is None else dict.fromkeys(("cat", "dog", "owl"), (1 - confidence) / 2)
            told = {**rest, answer: confidence} if confidence is not None else None
            prediction = prediction_of(i, label=answer, probabilities=told)
        scores.append(
            score(task_of(TaskKind.CLASSIFICATION), sample_of(Truth(label=truth), i), prediction, None)
        )
    return scores
