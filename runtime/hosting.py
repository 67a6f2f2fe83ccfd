"""A model with its workers: what it can do, whether it is ready, and the way to ask it."""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import AbstractContextManager
from importlib.metadata import version
from typing import Any, Protocol

from hooke import errors
from hooke.types import ModelInfo, ModelState, Task
from runtime.admission import Place
from runtime.metrics import Metrics
from runtime.remote import RemoteQueue
from runtime.scheduler import Computed, Limits, Scheduler
from runtime.settings import PREFIX, ModelServerSettings, RemoteServerSettings, SettingsError
from runtime.tasks import Answerer, Classifier, Counter, Model, ModelCard, RemoteAnswerer, Segmenter
from runtime.workers import ChildHost, Host, LocalHost, ModelFactory, Worker

CODE_VERSION = version("hooke")
"""Version of the code of every service; they are released together."""

LOADING_RETRY_S = 5.0
"""Delay that is asked for while a model loads. The few attempts of a client must outlast a service that was
killed and started again, which takes some seconds where a core is busy."""


def tasks_of(model: type[Model]) -> frozenset[Task]:
    """What a model can be asked: what it implements, and what the runtime derives from that."""
    tasks = set()
    if issubclass(model, Segmenter):
        tasks |= {Task.SEGMENT, Task.COUNT}
    if issubclass(model, Counter):
        tasks.add(Task.COUNT)
    if issubclass(model, Classifier):
        tasks.add(Task.CLASSIFY)
    if issubclass(model, Answerer | RemoteAnswerer):
        tasks |= {Task.ASK, Task.CLASSIFY, Task.COUNT}
    return frozenset(tasks)


class TaskQueue(Protocol):
    """What stands before a model; see Scheduler, and RemoteQueue for models that somebody else computes."""

    async def start(self) -> ModelCard:
        """Load the model, then begin to serve."""

    async def close(self) -> None:
        """Stop serving and close the model; what still waits is cancelled."""

    def admit(self, task_name: str) -> AbstractContextManager[Place]:
        """Hold a place for a request, or raise QueueFullError."""

    async def submit(
        self, method: str, task: Any, *, key: Hashable, pixels: int, timeout_s: float | None
    ) -> Computed:
        """Wait for the answer to one task."""


class HostedModel:
    """One model behind its queue.

    Args:
        kind: its class.
        factory: builds it, unloaded; usually the class itself or a partial of it.
        settings: number of workers and limits.
        metrics: of the process.

    Raises:
        SettingsError: the model cannot run on worker processes.
    """

    def __init__(
        self, kind: type[Model], factory: ModelFactory, settings: ModelServerSettings, metrics: Metrics
    ) -> None:
        self.kind = kind
        self.name = kind.name
        self.tasks = tasks_of(kind)
        self._workers = settings.workers
        self.queue = _queue(kind, factory, settings, metrics)
        self._ready = metrics.ready.labels(self.name)
        self._card: ModelCard | None = None
        self._closing = False

    async def load(self) -> None:
        """Load every copy of the model."""
        self._card = await self.queue.start()
        self._ready.set(not self._card.unavailable_reason)

    async def close(self) -> None:
        """Close every copy of the model."""
        self._closing = True
        self._ready.set(0)
        await self.queue.close()

    @property
    def card(self) -> ModelCard:
        """What the model said of itself.

        Raises:
            ModelLoadingError: it is not loaded yet.
        """
        if self._card is None:
            raise errors.ModelLoadingError(f"{self.name} is still loading", retry_after_s=LOADING_RETRY_S)
        return self._card

    @property
    def info(self) -> ModelInfo:
        """The model as the wire describes it.

        Raises:
            ModelLoadingError: it is not loaded yet.
        """
        card = self.card
        return ModelInfo(
            name=self.name,
            version=card.version,
            description=card.description,
            tasks=self.tasks,
            state=ModelState.UNAVAILABLE if self._closing or card.unavailable_reason else ModelState.READY,
            state_message=card.unavailable_reason,
            remote=card.remote,
            weights_digest=card.weights_digest,
            licences=card.licences,
            max_image_pixels=card.max_image_pixels,
            score_meaning=card.score_meaning,
            device=f"cpu ({self._workers} processes)" if self._workers else card.device,
            max_channel_count=card.max_channel_count,
            examples_required=card.examples_required,
            code_version=CODE_VERSION,
        )

    def require(self, model_name: str, task: Task) -> ModelCard:
        """Check that a request is for this model, and for something that it can do now.

        Raises:
            UnknownModelError, TaskNotSupportedError, ModelLoadingError: it is not.
        """
        if model_name:
            self.require_name(model_name)
        if task not in self.tasks:
            raise errors.TaskNotSupportedError(
                f"{self.name} cannot {task}; it can {', '.join(sorted(self.tasks))}",
                metadata={"model": self.name, "task": task},
            )
        return self.card

    def require_name(self, model_name: str) -> None:
        """Check that a name is this model's.

        Raises:
            UnknownModelError: it is not.
        """
        if model_name != self.name:
            raise errors.UnknownModelError(
                f"this server has no model {model_name!r}, only {self.name!r}",
                metadata={"model": model_name},
            )


def _queue(
    kind: type[Model], factory: ModelFactory, settings: ModelServerSettings, metrics: Metrics
) -> TaskQueue:
    if issubclass(kind, RemoteAnswerer):
        assert isinstance(settings, RemoteServerSettings), "a RemoteAnswerer is started with these"
        return RemoteQueue(kind.name, factory, settings, metrics)
    if settings.workers and issubclass(kind, Answerer):
        # Its tasks say while they are computed that a caller left, and hand on what is written so far.
        raise SettingsError(f"{PREFIX}WORKERS: {kind.name} answers in words, which needs 0")
    children: list[Host] = [ChildHost(factory) for _ in range(settings.workers)]
    hosts = children or [LocalHost(factory)]
    limits = Limits(
        max_queue=settings.max_queue,
        max_pending_bytes=settings.max_pending_bytes,
        max_batch_size=settings.max_batch_size or kind.max_batch_size,
        max_batch_pixels=settings.max_batch_pixels,
    )
    return Scheduler(kind.name, [Worker(host) for host in hosts], limits, metrics)
