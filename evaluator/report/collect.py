"""What the task pages need of single samples, gathered while they pass by once."""

from __future__ import annotations

import bisect
import math
from collections import Counter
from dataclasses import dataclass, field

from evaluator.records import SampleScore, TaskKind, Truth
from evaluator.report.numbers import OUTCOMES
from evaluator.report.pages import higher_is_better
from evaluator.report.sample_page import Answer
from evaluator.summaries import Usage
from evaluator.usage import added
from hooke.types import SampleOutcome

WORST = 8
"""Samples of each model that a task page shows."""

BINS = 10
"""Bins of equal width for the reliability plot."""


@dataclass(frozen=True, slots=True)
class Card:
    """A sample in a gallery; `badness` orders them, worst first."""

    badness: tuple[int, float, int]
    href: str
    thumbnail: str
    title: str
    outcome: str
    text: str
    metric: str


@dataclass(slots=True)
class Bin:
    """Answers whose confidence is alike."""

    count: int = 0
    right: int = 0
    confidence: float = 0.0


@dataclass(slots=True)
class Gathered:
    """One model's samples in one task. Its size is bounded: by bins, by cards, by distinct pairs."""

    pairs: Counter[tuple[float, float]] = field(default_factory=Counter)
    bins: list[Bin] = field(default_factory=lambda: [Bin() for _ in range(BINS)])
    worst: list[Card] = field(default_factory=list)
    usage: Usage | None = None

    def add(self, kind: TaskKind, truth: Truth, answer: Answer) -> None:
        """Take what the plots need of one answer."""
        self.usage = added(self.usage, answer.prediction)
        if answer.score.outcome is not SampleOutcome.SCORED or answer.score.tuned_on:
            return
        metrics = answer.score.metrics
        if kind is TaskKind.COUNTING and "error" in metrics and truth.count is not None:
            self.pairs[truth.count, truth.count + metrics["error"]] += 1
        if kind is TaskKind.CLASSIFICATION and "confidence" in metrics:
            confidence = metrics["confidence"]
            chosen = self.bins[min(BINS - 1, int(confidence * BINS))]
            chosen.count += 1
            chosen.right += metrics["correct"] == 1
            chosen.confidence += confidence

    def show(self, card: Card) -> None:
        """Keep the card if it is among the worst so far."""
        bisect.insort(self.worst, card, key=lambda kept: kept.badness)
        del self.worst[WORST:]


def badness(index: int, score: SampleScore, metric: str) -> tuple[int, float, int]:
    """What sorts scores: failed, unparsed and abstained first, then by the metric, worst first."""
    value = score.metrics.get(metric)
    rank = -OUTCOMES.index(score.outcome.value)
    if value is None:
        return (rank, math.inf, index)
    return (rank, value if higher_is_better(metric) else -value, index)


def right(score: SampleScore, metric: str) -> bool:
    """True if a sample was answered and nothing is wrong with the answer."""
    return score.metrics.get(metric) == (1.0 if higher_is_better(metric) else 0.0)
