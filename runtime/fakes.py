"""Models without intelligence, for tests and benchmarks: real servers, real wire, known answers."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar

import numpy as np

from hooke.types import Licences, TokenUsage
from runtime.service import ModelService
from runtime.settings import ModelServerSettings
from runtime.tasks import (
    Answer,
    AskTask,
    Classification,
    Classifier,
    ClassifyTask,
    LabelScorer,
    LabelScores,
    Model,
    ModelCard,
    ScoreTask,
    Segmentation,
    Segmenter,
    SegmentTask,
)
from runtime.workers import ModelFactory


class FakeModel(Segmenter, Classifier):
    """Finds one object: every pixel brighter than the darkest one. Prefers the first label.

    What it is told to do wrong is written into the image: the top-left pixel of a uint8 image, `ORDERS`.

    Args:
        compute_s: seconds that each batch takes.
        load_s: seconds that loading takes.
    """

    name: ClassVar[str] = "fake"
    max_batch_size: ClassVar[int] = 8

    DIE: ClassVar[int] = 251
    FAIL: ClassVar[int] = 252
    EXHAUST: ClassVar[int] = 253

    def __init__(self, compute_s: float = 0.0, load_s: float = 0.0) -> None:
        self.compute_s = compute_s
        self.load_s = load_s
        self.batch_sizes: list[int] = []
        self.seen: list[str] = []

    def load(self) -> ModelCard:
        """Take as long as told."""
        time.sleep(self.load_s)
        return ModelCard(
            version="1",
            description="A fake for tests.",
            licences=Licences(code="Apache-2.0"),
            max_image_pixels=256 * 1024**2,
            max_channel_count=4,
            score_meaning="Always 1.",
        )

    def segment(self, tasks: Sequence[SegmentTask]) -> Sequence[Segmentation]:
        """Take as long as told, then obey each image."""
        self.batch_sizes.append(len(tasks))
        self.seen += [task.image.sha256 for task in tasks]
        time.sleep(self.compute_s)
        return [_segment(task) for task in tasks]

    def classify(self, tasks: Sequence[ClassifyTask]) -> Sequence[Classification]:
        """Prefer the first label."""
        time.sleep(self.compute_s)
        answers = []
        for task in tasks:
            rest = len(task.labels) - 1
            answers.append(Classification((0.5, *(0.5 / rest for _ in range(rest)))))
        return answers


class FakeAnswerer(LabelScorer):
    """Writes what it is told to, a word at a time, and finds the first label likeliest.

    Args:
        reply: what to write, given the task; by default the text of the last turn.
        word_s: seconds that each word takes.
    """

    name: ClassVar[str] = "fake-words"
    max_batch_size: ClassVar[int] = 8
    mixed_batches: ClassVar[bool] = True
    sees_rgb8: ClassVar[bool] = True

    def __init__(self, reply: Callable[[AskTask], str] | None = None, word_s: float = 0.0) -> None:
        self.reply = reply or (lambda task: task.turns[-1].text)
        self.word_s = word_s
        self.asked: list[AskTask] = []
        self.scored: list[ScoreTask] = []
        self.words_written = 0

    def load(self) -> ModelCard:
        """Nothing to load."""
        return ModelCard(
            version="1",
            description="A fake for tests.",
            licences=Licences(code="Apache-2.0"),
            max_image_pixels=1024**2,
            max_channel_count=3,
        )

    def answer(self, tasks: Sequence[AskTask]) -> Sequence[Answer]:
        """Write to one after the other, until nobody waits any more."""
        self.asked += tasks
        return [self._write(task) for task in tasks]

    def score(self, tasks: Sequence[ScoreTask]) -> Sequence[LabelScores]:
        """Prefer the first label."""
        self.scored += tasks
        rest = [len(task.labels) - 1 for task in tasks]
        return [LabelScores((0.5, *(0.5 / count for _ in range(count)))) for count in rest]

    def _write(self, task: AskTask) -> Answer:
        words = self.reply(task).split(" ")
        written = []
        for index, word in enumerate(words):
            if task.abandoned.is_set():
                break
            time.sleep(self.word_s)
            self.words_written += 1
            written.append(word if index == 0 else f" {word}")
            if task.emit is not None:
                task.emit(written[-1])
        usage = TokenUsage(input_token_count=len(task.turns[-1].text), output_token_count=len(written))
        return Answer("".join(written), usage=usage)


def _segment(task: SegmentTask) -> Segmentation:
    pixels = task.image.pixels
    order = int(pixels.flat[0]) if pixels.dtype == np.uint8 else 0
    if order == FakeModel.DIE:
        os._exit(1)
    if order == FakeModel.FAIL:
        raise RuntimeError("a secret that must not leave the process")
    if order == FakeModel.EXHAUST:
        raise MemoryError
    plane = pixels if task.image.axes == "YX" else pixels.max(axis=-1)
    labels = (plane > plane.min()).astype(np.uint16)
    return Segmentation(labels, np.ones(int(labels.max())))


@asynccontextmanager
async def serving(
    kind: type[Model] = FakeModel,
    factory: ModelFactory | None = None,
    *,
    values: ModelServerSettings | None = None,
    **settings: object,
) -> AsyncIterator[ModelService]:
    """A real model service on a free port of loopback, serving; stopped at the end.

    Args:
        kind: class of the model.
        factory: builds it; absent: it is built from the settings.
        values: settings of the model's own type; absent: those that every model has.
        settings: fields that differ from them.
    """
    changes = {"host": "127.0.0.1", "port": 0, **settings}
    if values is None:
        values = ModelServerSettings.model_validate(changes)
    else:
        values = values.model_copy(update=changes)
    service = ModelService(kind, factory or functools.partial(kind.from_settings, values), values)
    await service.server.start()
    try:
        await service.model.load()
        await service.server.set_serving(True)
        yield service
    finally:
        await service.server.stop(0)
        await service.close()
