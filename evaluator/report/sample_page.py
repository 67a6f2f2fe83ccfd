"""One sample as its page shows it: an image for each model, outlines over it, the answers beside."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluator.aggregate import slices_of
from evaluator.records import Prediction, SampleRow, SampleScore, TaskKind
from evaluator.report.contents import LabelImage, ReportSample, SampleResultView
from evaluator.report.numbers import number
from evaluator.report.overlay import ANSWER, TRUTH, OutlineKind, Overlay, compare, draw
from evaluator.report.pages import TaskPage
from evaluator.report.views import ImageView
from hooke.types import SampleOutcome


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; `anchor` is where its picture is or, of a further one of the same model, its row."""

    model: str
    style: int
    anchor: str
    score: SampleScore
    prediction: Prediction
    first: bool = True


@dataclass(frozen=True, slots=True)
class Repeated:
    """The answers of a model that was asked more than once, with what they have in common in a sentence."""

    model: str
    style: int
    answers: tuple[Answer, ...]
    agreement: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture: the image with outlines; `answer` is None for the truth's own.

    Attributes:
        note: what is to be said beside how many outlines there are of each kind.
    """

    title: str
    answer: Answer | None
    overlay: Overlay | None
    note: str

    @property
    def in_words(self) -> str:
        """All that the picture shows, for those who do not see it."""
        outlines = () if self.overlay is None else self.overlay.outlines
        counts = ", ".join(f"{number(each.count)} {each.kind.word}" for each in outlines)
        return ". ".join(filter(None, (counts, self.note)))


@dataclass(frozen=True, slots=True)
class SamplePage:
    """What `sample.jinja` draws; images are texts where they cannot be shown.

    Attributes:
        answers: of every model in the order of the leaderboard, its repeats after each other.
        asked: the question, where it is one in words.
        further_images: more images that it is about.
    """

    title: str
    truth: str
    row: SampleRow
    slices: Mapping[str, str]
    image: ImageView | str
    panels: tuple[Panel, ...]
    answers: tuple[Answer, ...]
    asked: str
    further_images: tuple[ImageView | str, ...]

    @property
    def firsts(self) -> tuple[Answer, ...]:
        """The first answer of each model."""
        return tuple(answer for answer in self.answers if answer.first)

    @property
    def repeated(self) -> tuple[Repeated, ...]:
        """The answers of the models that were asked more than once."""
        by_model: dict[str, list[Answer]] = {}
        for answer in self.answers:
            by_model.setdefault(answer.model, []).append(answer)
        return tuple(
            Repeated(model, answers[0].style, tuple(answers), _agreement(answers))
            for model, answers in by_model.items()
            if len(answers) > 1
        )

    @property
    def kinds(self) -> tuple[OutlineKind, ...]:
        """What outlines there are, for the legend."""
        overlays = (panel.overlay for panel in self.panels if panel.overlay)
        return tuple(dict.fromkeys(outlines.kind for overlay in overlays for outlines in overlay.outlines))

    @property
    def reasons(self) -> bool:
        """True if any answer says why it has no score."""
        return any(reason(answer) or answer.prediction.error_message for answer in self.answers)

    @property
    def written(self) -> bool:
        """True if any answer was read from a text."""
        return any(answer.prediction.written is not None for answer in self.answers)

    @property
    def verdicts(self) -> bool:
        """True if anything is said of an answer beside its metrics."""
        return any(verdict(answer) for answer in self.answers)

    @property
    def prompts(self) -> bool:
        """True if a service put the question into words for any model."""
        return any(answer.prediction.provenance.get("prompt_sha256") for answer in self.answers)

    @property
    def tokens(self) -> bool:
        """True if any model counts tokens."""
        return any(answer.prediction.input_token_count is not None for answer in self.answers)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that any answer has."""
        return tuple(dict.fromkeys(name for answer in self.answers for name in answer.score.metrics))


def sample_page(
    page: TaskPage,
    sample: ReportSample,
    image: ImageView | str,
    further_images: tuple[ImageView | str, ...] = (),
) -> SamplePage:
    """Put a sample together for its page; the models stand in the order of the leaderboard."""
    answers = answers_of(page, sample)
    panels = [_truth_panel(sample.truth.labels, image)]
    if _has_masks(page, sample):
        firsts = [(answer, sample.results[answer.model][0]) for answer in answers if answer.first]
        panels += [_panel(answer, sample.truth.labels, result.labels) for answer, result in firsts]
    truth = next((answer.score.truth for answer in answers if answer.score.truth), "")
    title = sample.row.source.rsplit("/", 1)[-1] or f"Sample {sample.row.index + 1}"
    return SamplePage(
        title,
        truth,
        sample.row,
        slices_shown(page, sample, answers),
        image,
        tuple(panels),
        answers,
        sample.asked,
        further_images,
    )


def answers_of(page: TaskPage, sample: ReportSample) -> tuple[Answer, ...]:
    """What the models answered, in the order of the leaderboard, repeats after each other."""
    picture = "model-{}" if _has_masks(page, sample) else "image"
    return tuple(
        Answer(
            line.model.model,
            line.style,
            f"answer-{line.style}-{place}" if place else picture.format(line.style),
            result.score,
            result.prediction,
            first=not place,
        )
        for line in page.lines
        for place, result in enumerate(sample.results.get(line.model.model, ()))
    )


def slices_shown(page: TaskPage, sample: ReportSample, answers: Sequence[Answer]) -> Mapping[str, str]:
    """Where a sample belongs, axis by axis; by how many objects only where a score tells that."""
    return slices_of(page.task.kind, sample.row, answers[0].score) if answers else sample.row.slices


def _has_masks(page: TaskPage, sample: ReportSample) -> bool:
    return page.task.kind is TaskKind.SEGMENTATION or any(
        results[0].labels is not None for results in sample.results.values()
    )


def reason(result: SampleResultView | Answer) -> str:
    """Why there is no score, in a word; empty where there is one."""
    return result.score.error_reason or result.prediction.error_reason


def verdict(answer: Answer) -> str:
    """What is right or wrong with a scored answer, as "off by 10^3"; empty where its metrics say it all."""
    if answer.score.outcome is not SampleOutcome.SCORED:
        return ""
    return str(answer.score.details.get("note", ""))


def _agreement(answers: Sequence[Answer]) -> str:
    """How many answers say the same as the most frequent one; how far counts lie apart."""
    said = Counter(
        answer.score.answer if answer.score.outcome is SampleOutcome.SCORED else str(answer.score.outcome)
        for answer in answers
    )
    ((most, count),) = said.most_common(1)
    if count == 1:
        told = f"No two of the {len(answers)} answers are the same."
    else:
        share = "All" if count == len(answers) else f"{count} of"
        told = f"{share} {len(answers)} answers are the same: {most}."
    counts = [a.prediction.count for a in answers if a.prediction.count is not None]
    if len(counts) > 1:
        told += f" The standard deviation of the counts is {number(statistics.stdev(counts))} objects."
    return told


def _truth_panel(labels: LabelImage | None, image: ImageView | str) -> Panel:
    overlay = None if labels is None else draw(TRUTH, labels)
    note = "" if isinstance(image, str) else f"{image.width} x {image.height} pixels. {image.note}"
    return Panel("Image", None, overlay, note)


def _panel(answer: Answer, truth: LabelImage | None, labels: LabelImage | None) -> Panel:
    if labels is None:
        answered = answer.prediction.outcome is SampleOutcome.SCORED
        return Panel(answer.model, answer, None, "The answer has no masks." if answered else "No answer.")
    if truth is not None and truth.shape == labels.shape:
        overlay = compare(truth, labels)
    else:
        overlay = draw(ANSWER, labels)
    return Panel(answer.model, answer, overlay, "")
