"""A small run with everything that a report must bear: four tasks, two models, every outcome, odd images."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import tifffile
from PIL import Image

from evaluator.metrics import segmentation
from evaluator.metrics.answers import AnswerKind, Tolerance, score_choice
from evaluator.metrics.intervals import wilson
from evaluator.metrics.quantities import score_quantity
from evaluator.records import ExpectedAnswer, Prediction, SampleRow, SampleScore, TaskKind, Truth
from evaluator.report import ReportSample, SampleResultView
from evaluator.summaries import (
    Comparison,
    Estimate,
    FaultCurve,
    ModelSummary,
    Reference,
    Robustness,
    RunSummary,
    SeverityPoint,
    TaskSummary,
    Usage,
)
from hooke.types import SampleOutcome

GOOD, HOSTILE = "classical", "<script>alert(1)</script>"
MODELS = (GOOD, HOSTILE)
NUCLEI, COUNTS, CLASSES = "nuclei", "cell counts & more", "</script><b>classes"
QUESTIONS = "questions"
OPTIONS = ("fibres", "<b>pores", "particles")
LABELS = ("alive", "dead", "<i>unsure")
SAMPLE_COUNT = 24
SIDE = 96

OUTCOMES = {3: SampleOutcome.ABSTAINED, 7: SampleOutcome.UNPARSED, 11: SampleOutcome.FAILED}
"""Places at which the hostile model has no answer; the good one always has."""


USAGES = {
    TaskKind.COUNTING: (Usage(24, None, None, 0, 0), Usage(23, 28_000, 460, 51_750, 3)),
    TaskKind.VQA: (Usage(24, 24_000, 900, 0, 24), Usage(23, 25_300, 1150, 34_500, 0)),
}
"""One that nobody charges for beside one that somebody does; and a price that is not known."""

REFERENCES = (
    Reference("an expert", "bias", -0.4, "<i>Journal of Discs</i> 3, 2024", n=50),
    Reference("an expert", "mae", 1.25, "<i>Journal of Discs</i> 3, 2024", n=50),
    Reference("a vendor", "mae", 0.1, "a leaflet", upper=0.3),
)


def summary() -> RunSummary:
    """What the aggregation says of the run."""
    tasks = (
        _task(NUCLEI, TaskKind.SEGMENTATION, "seg_accuracy@0.5", _segmentation_estimates),
        _task(COUNTS, TaskKind.COUNTING, "mae", _counting_estimates),
        _task(CLASSES, TaskKind.CLASSIFICATION, "accuracy", _classification_estimates),
        _task(QUESTIONS, TaskKind.VQA, "accuracy", _question_estimates),
    )
    provenance = {
        "models": {
            GOOD: {"version": "0.1.0", "weights_digest": None, "code_version": "4f77e21"},
            HOSTILE: {"version": "2024-05", "weights_digest": "sha256:" + "ab" * 32, "code_version": "?"},
        },
        "git": {"commit": "4f77e21c0ffee4f77e21c0ffee4f77e21c0ffee", "dirty": True},
        "packages": {"numpy": "2.4.6", "scipy": "1.17.1"},
        "tasks": {NUCLEI: {"hash": "12" * 32}, COUNTS: {"hash": "34" * 32}, CLASSES: {"hash": "56" * 32}},
        "dataset_manifests": {"discs": "78" * 32},
        "seeds": [1, 2405],
        "notes": 'Tom & "Jerry" <img src=x onerror=alert(1)>',
    }
    return RunSummary(
        "evaluation-0001", "discs <3", "partially_succeeded", "2025-03-01T12:00:00Z", provenance, tasks
    )


def samples() -> Iterator[ReportSample]:
    """Every sample of every task, one after another."""
    for index in range(SAMPLE_COUNT):
        yield _segmentation_sample(index)
        yield _counting_sample(index)
        yield _classification_sample(index)
        yield _question_sample(index)


def _task(name, kind, headline, estimates) -> TaskSummary:
    models = []
    for place, model in enumerate(MODELS):
        missing = dict.fromkeys(("abstained", "unparsed", "failed"), place)
        counts = {"scored": SAMPLE_COUNT - 3 * place, **missing}
        strict, answered = estimates(0.9 - 0.25 * place), estimates(0.9 - 0.15 * place)
        slices = {"blur": {str(b): estimates(0.9 - 0.2 * place - b / 60) for b in (0, 2, 10)}}
        confusion = None
        if kind is TaskKind.CLASSIFICATION:
            confusion = {"labels": list(LABELS), "matrix": [[8, 0, 0, 0], [1, 6, 1, 0], [0, 0, 5, 3 * place]]}
        robustness = _robustness(headline, place) if kind.counts_objects else None
        models.append(
            ModelSummary(
                *(
                    model,
                    SAMPLE_COUNT,
                    counts,
                    strict,
                    answered,
                    slices,
                    confusion,
                    0.041,
                    0.39 + place,
                    place,
                ),
                robustness=robustness,
                usage=USAGES[kind][place] if kind in USAGES else None,
            )
        )
    better = kind is not TaskKind.COUNTING
    sign = 1 if better else -1
    difference = Estimate(headline, 0.25 * sign, 0.1 * sign, 0.4 * sign, "bca", SAMPLE_COUNT, better)
    apart = kind.counts_objects
    p_values = (0.0002, 0.0006) if apart else (0.6, 1.0)
    more = None if apart else 4321
    return TaskSummary(
        name,
        kind,
        "discs, seed 1",
        f"Find out about {name}.",
        headline,
        SAMPLE_COUNT,
        tuple(models),
        (Comparison(GOOD, HOSTILE, difference, *p_values, "permutation", more),),
        REFERENCES if kind is TaskKind.COUNTING else (),
    )


def _robustness(headline: str, place: int) -> Robustness:
    """Curves of a known fault and of one that only later versions know; the hostile model lacks that."""
    better = headline != "mae"

    def ratio(severity: int) -> Estimate:
        change = (1 + place) * severity / 12
        value = 1 - change if better else 1 + 6 * change
        return Estimate(f"{headline} / clean", value, value - 0.05, value + 0.1, "bca", SAMPLE_COUNT, better)

    points = tuple(SeverityPoint(severity, ratio(severity), ratio(severity)) for severity in range(1, 6))
    defocus = FaultCurve("defocus", points, ratio(2))
    undefined = Estimate(
        "area", None, None, None, "", 3, better, "the metric of the clean images is not above 0"
    )
    later = FaultCurve("<b>moths", points[::2], undefined)
    return Robustness(headline, ratio(0), (defocus, later)[: 2 - place], ratio(1))


def _share(name: str, value: float) -> Estimate:
    ends = wilson(round(value * SAMPLE_COUNT), SAMPLE_COUNT)
    return Estimate(name, value, ends.low, ends.high, "wilson", SAMPLE_COUNT)


def _segmentation_estimates(level: float) -> tuple[Estimate, ...]:
    return (
        _share("seg_accuracy@0.5", level),
        _share("seg_accuracy@0.75", 0.8 * level),
        _share("seg_accuracy@0.9", 0.4 * level),
        _share("seg_accuracy@.50:.95", 0.6 * level),
        Estimate("sq", None, None, None, "", 0, note="nothing was matched"),
        *(
            Estimate(f"{kind}_mean", 3 * (1 - level) + i / 4, i / 5, 4 - level, "bca", SAMPLE_COUNT, False)
            for i, kind in enumerate(("split", "merge", "missed", "spurious"))
        ),
    )


def _counting_estimates(level: float) -> tuple[Estimate, ...]:
    error = 20 * (1 - level)
    return (
        Estimate("mae", error, 0.7 * error, 1.4 * error, "bca-clustered", SAMPLE_COUNT, False),
        Estimate("bias", -error / 2, -error, 0.4, "bca-clustered", SAMPLE_COUNT, None),
        Estimate("r2", level - 1.2, level - 1.6, level - 0.9, "bca-clustered", SAMPLE_COUNT),
        _share("exact", level / 2),
    )


def _classification_estimates(level: float) -> tuple[Estimate, ...]:
    undefined = Estimate("brier", None, None, None, "", 0, False, "the model gave no probabilities")
    return (_share("accuracy", level), _share("macro_f1", 0.9 * level), undefined)


def _question_estimates(level: float) -> tuple[Estimate, ...]:
    nobody = Estimate("grade_mean", None, None, None, "", 0, note="2 count as wrong; no sample has it")
    return (_share("accuracy", level), _share("within_tolerance", 0.8 * level), nobody)


def _discs(index: int, count: int) -> np.ndarray:
    """A label image with gaps between the labels; fields of one count differ by where the discs lie."""
    labels = np.zeros((SIDE, SIDE), np.uint16)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for place in range(count):
        y, x = 12 + 24 * (place // 4) + index % 5, 12 + 24 * (place % 4) + index % 3
        labels[(rows - y) ** 2 + (columns - x) ** 2 <= (7 + place % 3) ** 2] = 3 * place + 1
    return labels


def _encoded(index: int, labels: np.ndarray) -> bytes:
    """8-bit grey, 16-bit grey, RGB, two-channel and unreadable files in turn; one of them has one value."""
    noise = np.random.default_rng(index).normal(0, 6, labels.shape)
    grey = np.clip(40 + 60 * (labels > 0) + noise, 0, 255)
    file = io.BytesIO()
    if index == 5:
        return b"this is no image"
    if index == 0:
        Image.fromarray(np.full(labels.shape, 9, np.uint8)).save(file, "PNG")
    elif index % 4 == 1:
        tifffile.imwrite(file, (grey * 16).astype(np.uint16))
    elif index % 4 == 2:
        Image.fromarray(np.stack([grey, grey / 2, 255 - grey], axis=-1).astype(np.uint8)).save(file, "PNG")
    elif index % 4 == 3:
        channels = np.stack([grey, grey[::-1]]).astype(np.uint16)
        tifffile.imwrite(file, channels, imagej=True, metadata={"axes": "CYX"})
    else:
        Image.fromarray(grey.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def _row(task: str, index: int) -> SampleRow:
    sample_id = hashlib.sha256(f"{task} {index}".encode()).hexdigest()
    source = "<img src=x onerror=alert(1)>.png" if index == 9 else f"field_{index:03d}.png"
    return SampleRow(sample_id, index, source, {"blur": str((0, 2, 10)[index % 3])}, f"plate {index % 2}")


def _prediction(row: SampleRow, task: str, model: str, **answer) -> Prediction:
    outcome = SampleOutcome.SCORED if model == GOOD else OUTCOMES.get(row.index, SampleOutcome.SCORED)
    failed = outcome is SampleOutcome.FAILED
    return Prediction(
        task,
        model,
        row.sample_id,
        outcome,
        **(answer if outcome is SampleOutcome.SCORED else {}),
        error_reason="QUEUE_FULL" if failed else "",
        error_message="Too many requests <wait>." if failed else "",
        provenance={"rendered_image": {"width_px": SIDE, "height_px": SIDE, "sample_type": "uint8"}},
        latency_s=0.02 + row.index / 100,
        queue_s=0.001,
        compute_s=0.015,
    )


def _result(prediction: Prediction, metrics, answer, truth, labels=None, trivial=False) -> SampleResultView:
    scored = prediction.outcome is SampleOutcome.SCORED
    score = SampleScore(
        prediction.task,
        prediction.model,
        prediction.sample_id,
        prediction.outcome,
        metrics if scored else {},
        answer if scored else "",
        truth,
        {"true": int(truth.split()[0]) if truth[0].isdigit() else truth},
        trivial,
        error_reason=prediction.error_reason,
    )
    return SampleResultView(score, prediction, labels if scored else None)


def _once(results: Mapping[str, SampleResultView]) -> dict[str, list[SampleResultView]]:
    """Every model was asked once."""
    return {model: [result] for model, result in results.items()}


def _segmentation_sample(index: int) -> ReportSample:
    truth = _discs(index, index % 13)
    row = _row(NUCLEI, index)
    results = {}
    for place, model in enumerate(MODELS):
        labels = np.roll(truth, index % (2 + 3 * place), axis=1)
        labels[labels == 4] = 0
        if place:
            labels[2:9, 2:9] = 99
        compared = segmentation.compare(truth, labels)
        counts = [f"{np.count_nonzero(np.unique(image))} objects" for image in (labels, truth)]
        prediction = _prediction(row, NUCLEI, model, mask_file=f"masks/{index}.tif")
        results[model] = _result(prediction, compared.metrics, *counts, labels, compared.trivial)
    return ReportSample(NUCLEI, row, _encoded(index, truth), Truth(labels=truth), _once(results))


def _counting_sample(index: int) -> ReportSample:
    true = index % 13
    row = _row(COUNTS, index)
    results = {}
    for place, model in enumerate(MODELS):
        count = max(0, true + (index % 3 - 1) * (1 + 3 * place))
        metrics = {"error": float(count - true), "absolute_error": float(abs(count - true))}
        prediction = _prediction(row, COUNTS, model, count=count)
        results[model] = _result(prediction, metrics, str(count), str(true))
    return ReportSample(COUNTS, row, _encoded(index, _discs(index, true)), Truth(count=true), _once(results))


def _classification_sample(index: int) -> ReportSample:
    true = LABELS[index % 3]
    row = _row(CLASSES, index)
    results = {}
    for place, model in enumerate(MODELS):
        label = LABELS[(index + (place and index % 4 == 0)) % 3]
        sure = 0.5 + 0.02 * index
        rest = (1 - sure) / 2
        probabilities = {name: sure if name == label else rest for name in LABELS}
        prediction = _prediction(row, CLASSES, model, label=label, probabilities=probabilities)
        results[model] = _result(
            prediction, {"correct": float(label == true), "confidence": sure}, label, true
        )
    return ReportSample(CLASSES, row, _encoded(index, _discs(index, 5)), Truth(label=true), _once(results))


def _question_sample(index: int) -> ReportSample:
    """A choice and a quantity in turn; some of them about two images."""
    row = _row(QUESTIONS, index)
    if index % 2:
        truth = ExpectedAnswer(AnswerKind.QUANTITY, number=12.0, unit="um", tolerance=Tolerance(relative=0.1))
        asked = "How large are the discs?\nEnd with one line that says 'Answer: <number> <unit>'."
        texts = ("They are about that.\nAnswer: 12.5 um", "Answer: 12 mm")
    else:
        truth = ExpectedAnswer(AnswerKind.CHOICE, texts=(OPTIONS[index % 3],))
        options = "\n".join(f"({letter}) {option}" for letter, option in zip("ABC", OPTIONS, strict=True))
        asked = f"What is shown?\n{options}\nEnd with one line that says 'Answer: <letter>'."
        texts = (f"Answer: {'ABC'[index % 3]}", f"Answer: {'ABC'[(index + index // 4) % 3]}")
    results = {}
    for model, text in zip(MODELS, texts, strict=True):
        prediction = _prediction(row, QUESTIONS, model, written=text)
        if truth.kind is AnswerKind.CHOICE:
            found = score_choice(truth.texts[0], text, OPTIONS)
        else:
            found = score_quantity(12.0, "um", text, truth.tolerance)
        view = _result(prediction, found.metrics, found.answer, str(truth))
        details = {"true": str(truth), "kind": str(truth.kind), "note": found.note}
        results[model] = replace(view, score=replace(view.score, details=details))
    image = _encoded(index, _discs(index, 5))
    further = (_encoded(4, _discs(index, 9)),) if index % 6 == 1 else ()
    return ReportSample(QUESTIONS, row, image, Truth(answer=truth), _once(results), asked, further)
