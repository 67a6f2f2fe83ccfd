"""One task with one model: every sample gets an outcome.

Each lane goes through the dataset on its own, so that a slow or dead model holds up nobody else. It has a
bounded number of samples in memory; how many of them are with the model is up to the model's pacer, which
all lanes of that model share. Reading, encoding and scoring happen on threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from evaluator.answering import Answer, Answering, Question
from evaluator.asking import unreadable
from evaluator.control import Control
from evaluator.journal import read_mask
from evaluator.kept import Kept
from evaluator.pacing import StoppedError
from evaluator.records import Prediction, Sample, SampleScore
from evaluator.runs import TaskRecord
from evaluator.scoring import score
from evaluator.telemetry import EvaluatorMetrics
from evaluator.threads import on
from hooke.masks import write_label_tiff


class Samples(Protocol):
    """The samples of a lane in the order of the dataset; see `Catalogue`."""

    def __len__(self) -> int:
        """How many are listed."""

    async def sample(self, index: int) -> Sample | None:
        """Read a sample; None if it is a duplicate of an earlier one."""


class Answers(Protocol):
    """Where a lane puts what it has, and finds what there is; see `RunStore`."""

    def add_prediction(
        self, task: TaskRecord, prediction: Prediction, mask: bytes | None
    ) -> Future[Prediction]:
        """Keep a prediction."""

    def add_score(self, task: TaskRecord, score: SampleScore, code_tag: str) -> Future[None]:
        """Keep the score of the present prediction."""

    def predictions(self, task: TaskRecord, sample_id: str, repeat: int = 0) -> Mapping[str, Prediction]:
        """Model -> prediction of one sample."""

    def folder(self, evaluation_id: str) -> Path:
        """Where the masks of a run lie."""


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """A task with a model, one answer to each sample, and what was known of it when the run was taken up.

    Attributes:
        kept: what had become of its samples.
    """

    task: TaskRecord
    question: Question
    catalogue: Samples
    asker: Answering
    kept: Kept


class LaneWorker:
    """Takes lanes from end to end.

    Args:
        store: where predictions and scores go.
        threads: for what takes processor time or reads files.
        window: most samples of a lane in memory.
        code_tag: of the code that runs here.
        metrics: what Prometheus hears of it.
    """

    def __init__(
        self, store: Answers, threads: Executor, window: int, code_tag: str, metrics: EvaluatorMetrics
    ) -> None:
        self._store = store
        self._threads = threads
        self._window = window
        self._code_tag = code_tag
        self._metrics = metrics

    async def go_through(self, lane: Lane, control: Control) -> None:
        """Give every sample of a lane an outcome, in the order of the dataset, until the run stops."""
        window = asyncio.Semaphore(self._window)

        async def finish(index: int) -> None:
            try:
                await self._finish(lane, index)
                control.changed()
            except StoppedError:
                pass  # it is asked when the run is taken up again
            finally:
                window.release()

        async with asyncio.TaskGroup() as group:
            for index in range(len(lane.catalogue)):
                if self._nothing_to_do(lane, index):
                    continue
                await window.acquire()
                if control.stopping:
                    break
                group.create_task(finish(index))
                await asyncio.sleep(0)  # let the other lanes have theirs

    def _nothing_to_do(self, lane: Lane, index: int) -> bool:
        """True if that is known before the sample is read."""
        return lane.kept.finished(index) or (lane.asker.stopped and not lane.kept.answered(index))

    async def _finish(self, lane: Lane, index: int) -> None:
        sample = await lane.catalogue.sample(index)
        if sample is None:
            return
        if not lane.kept.complete:
            await on(self._threads, lane.kept.look_up, index, sample.sample_id)
        if lane.kept.finished(index):
            return
        if lane.kept.answered(index):
            answer = await on(self._threads, self._recall, lane, sample)
        else:
            answer = await self._ask(lane, index, sample)
        result = await on(self._threads, score, lane.question.spec, sample, answer.prediction, answer.labels)
        tuned_on = sample.sample_id in lane.question.tuned
        result = replace(result, repeat=lane.question.repeat, tuned_on=tuned_on)
        await asyncio.wrap_future(self._store.add_score(lane.task, result, self._code_tag))
        self._metrics.scored()

    async def _ask(self, lane: Lane, index: int, sample: Sample) -> Answer:
        """Ask the model, and put what it said on disk before anything else."""
        attempt = 1
        if lane.kept.failed(index):
            failed = await on(self._threads, self._recall, lane, sample)
            attempt = failed.prediction.attempt + 1
        if sample.unreadable:
            answer = unreadable(lane.question, sample, attempt)
        else:
            answer = await lane.asker.ask(lane.question, sample, attempt)
        mask = None if answer.labels is None else await on(self._threads, _encode, answer.labels)
        kept = await asyncio.wrap_future(self._store.add_prediction(lane.task, answer.prediction, mask))
        self._metrics.answered(kept)
        return Answer(kept, answer.labels)

    def _recall(self, lane: Lane, sample: Sample) -> Answer:
        """Read what is on disk."""
        question = lane.question
        prediction = self._store.predictions(lane.task, sample.sample_id, question.repeat)[question.model]
        return Answer(prediction, read_mask(self._store.folder(lane.task.evaluation_id), prediction))


def _encode(labels: NDArray[np.integer[Any]]) -> bytes:
    file = BytesIO()
    write_label_tiff(file, labels)
    return file.getvalue()
