"""A model that counts what it is asked, and an evaluator that asks it, both behind real servers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from skimage.measure import label

from evaluator.app import EvaluatorApp
from evaluator.report import read_json
from evaluator.settings import EvaluatorSettings
from gateway.app import Gateway
from gateway.routes import Routes
from gateway.settings import GatewaySettings
from hooke import AsyncClient
from hooke.errors import HookeError
from hooke.types import Evaluation, SampleResult
from runtime.fakes import FakeAnswerer, FakeModel, serving
from runtime.service import ModelService
from runtime.tasks import Classification, ClassifyTask, ModelCard, Segmentation, SegmentTask

SUITE = """
name: tiny
tasks:
  - name: nuclei
    kind: segmentation
    dataset:
      {loader: simulated, images: IMAGES, seed: 1, width_px: 64, height_px: 64, diameter_px: 8,
       count_min: 1, count_max: 6, unevenness: 0, debris: 0}
  - name: cells
    kind: counting
    dataset:
      {loader: simulated, images: IMAGES, seed: 2, width_px: 64, height_px: 64, diameter_px: 8,
       count_min: 1, count_max: 6, unevenness: 0, debris: 0}
"""
CALL_S = 60
"""More than any evaluation here takes; a test that waits as long has failed."""


def suite(images: int = 10) -> str:
    """Two tasks of so many images each."""
    return SUITE.replace("IMAGES", str(images))


class Model(FakeModel):
    """Segments by a threshold, and remembers what it was asked.

    Attributes:
        asked: SHA-256 of an image -> times that it was computed.
        trouble: called with the hash of each image before it is computed; may sleep or raise.
        hold_after: so many images are computed, then computing waits until `released` is set.
    """

    name: ClassVar[str] = "model"
    max_batch_size: ClassVar[int] = 1

    def __init__(self, compute_s: float = 0.0, version: str = "1") -> None:
        super().__init__(compute_s)
        self._version = version
        self.asked: Counter[str] = Counter()
        self.trouble: Callable[[str], None] = lambda sha256: None
        self.hold_after: int | None = None
        self.holding = threading.Event()
        self.released = threading.Event()

    def load(self) -> ModelCard:
        return replace(super().load(), version=self._version, weights_digest=f"sha256:{self._version}")

    def segment(self, tasks: Sequence[SegmentTask]) -> Sequence[Segmentation]:
        for task in tasks:
            self._meet(task.image.sha256)
        return [_threshold(task) for task in tasks]

    def classify(self, tasks: Sequence[ClassifyTask]) -> Sequence[Classification]:
        for task in tasks:
            self._meet(task.image.sha256)
        return super().classify(tasks)

    def _meet(self, sha256: str) -> None:
        self.asked[sha256] += 1
        if self.hold_after is not None and self.asked.total() > self.hold_after:
            self.holding.set()
            self.released.wait(CALL_S)
        self.trouble(sha256)
        time.sleep(self.compute_s)

    async def until_it_holds(self) -> None:
        """Wait until computing waits."""
        assert await asyncio.to_thread(self.holding.wait, CALL_S)


class OtherModel(Model):
    """The same under another name."""

    name: ClassVar[str] = "other"


def _threshold(task: SegmentTask) -> Segmentation:
    pixels = task.image.pixels
    labels = label(pixels > (float(pixels.min()) + float(pixels.max())) / 2).astype(np.uint16)
    return Segmentation(labels, np.ones(int(labels.max())))


def raising(error: HookeError) -> Callable[[str], None]:
    """Trouble of this kind with every image."""

    def trouble(sha256: str) -> None:
        raise error

    return trouble


@asynccontextmanager
async def model_service(model: Model, **settings: object) -> AsyncIterator[ModelService]:
    """Serve a model on loopback."""
    async with serving(type(model), lambda: model, **settings) as service:
        yield service


@asynccontextmanager
async def answerer_service(model: FakeAnswerer) -> AsyncIterator[ModelService]:
    """Serve a model that answers in words on loopback."""
    async with serving(FakeAnswerer, lambda: model) as service:
        yield service


@asynccontextmanager
async def gateway_of(models: Mapping[str, str]) -> AsyncIterator[str]:
    """Serve a gateway for these models, name -> address; its own address."""
    settings = GatewaySettings.model_validate({"host": "127.0.0.1", "port": 0})
    routes = Routes.model_validate({"default_model": next(iter(models)), "models": models})
    gateway = Gateway(settings, routes)
    await gateway.server.start()
    try:
        await gateway.load()
        yield f"127.0.0.1:{gateway.server.port}"
    finally:
        await gateway.server.stop(0)
        await gateway.close()


def address_of(service: ModelService) -> str:
    return f"127.0.0.1:{service.server.port}"


@dataclass
class Lab:
    """An evaluator and a client of it."""

    app: EvaluatorApp
    client: AsyncClient
    runs_dir: Path

    async def create(self, text: str | None = None, request_id: str = "run", **request: Any) -> Evaluation:
        return await self.client.create_evaluation(
            suite_yaml=suite() if text is None else text, request_id=request_id, **request
        )

    async def end_of(self, evaluation: Evaluation) -> Evaluation:
        """Watch an evaluation until it has ended."""
        async with asyncio.timeout(CALL_S):
            seen = [e async for e in self.client.watch_evaluation(evaluation.evaluation_id)]
        assert seen[-1].state.ended
        return seen[-1]

    async def run(self, text: str | None = None, request_id: str = "run", **request: Any) -> Evaluation:
        return await self.end_of(await self.create(text, request_id, **request))

    async def results(self, evaluation: Evaluation, **query: str) -> list[SampleResult]:
        return [r async for r in self.client.sample_results(evaluation.evaluation_id, **query)]

    async def figures(self, evaluation: Evaluation) -> Any:
        """Every figure of the report that depends on the answers alone.

        Times differ each time, and what answers took stands in the evaluation that asked for them alone:
        those that were used again cost nothing.
        """
        report = read_json((await self.client.report(evaluation.evaluation_id)).decode())
        return [
            replace(
                task,
                models=tuple(
                    replace(model, latency_p50_s=None, latency_p99_s=None, usage=None)
                    for model in task.models
                ),
            )
            for task in report.tasks
        ]


@asynccontextmanager
async def evaluating(gateway: str, runs_dir: Path, **settings: Any) -> AsyncIterator[Lab]:
    """Run an evaluator on loopback; stopped as by SIGTERM at the end."""
    values = {"host": "127.0.0.1", "port": 0, "grace_s": 10.0, **settings}
    app = EvaluatorApp(
        EvaluatorSettings.model_validate(
            {**values, "evaluator_gateway": gateway, "evaluator_runs_dir": runs_dir}
        )
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(app.close)
        await app.server.start()
        await app.load()
        await app.server.set_serving(True)
        stack.push_async_callback(app.server.drain)
        client = await stack.enter_async_context(
            AsyncClient(f"127.0.0.1:{app.server.port}", timeout_s=CALL_S)
        )
        yield Lab(app, client, runs_dir)
