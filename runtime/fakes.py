"""Models without intelligence, for tests and benchmarks: real servers, real wire, known answers."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar

import numpy as np

from hooke.types import Licences
from runtime.service import ModelService
from runtime.settings import ModelServerSettings
from runtime.tasks import (
    Classification,
    Classifier,
    ClassifyTask,
    Model,
    ModelCard,
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
    kind: type[Model] = FakeModel, factory: ModelFactory | None = None, **settings: object
) -> AsyncIterator[ModelService]:
    """A real model service on a free port of loopback, serving; stopped at the end.

    Args:
        kind: class of the model.
        factory: builds it; the class itself if absent.
        settings: fields of ModelServerSettings.
    """
    values = ModelServerSettings.model_validate({"host": "127.0.0.1", "port": 0, **settings})
    service = ModelService(kind, factory or kind, values)
    await service.server.start()
    try:
        await service.model.load()
        await service.server.set_serving(True)
        yield service
    finally:
        await service.server.stop(0)
        await service.close()
