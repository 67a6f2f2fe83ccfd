"""Where models run: one thread for each copy of a model, with a child process behind it if asked for."""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
import queue
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Protocol

import structlog

from hooke import errors
from runtime.tasks import Model, ModelCard

log = structlog.get_logger("hooke.workers")

ModelFactory = Callable[[], Model]
"""Builds a model without loading it; picklable where worker processes are used."""


class Host(Protocol):
    """Holds one copy of a model; its methods block and are called from one thread."""

    def load(self) -> ModelCard:
        """Build and load the model."""

    def call(self, method: str, tasks: Sequence[Any]) -> Sequence[Any]:
        """Call a task method of the model."""

    def close(self) -> None:
        """Close the model."""


class LocalHost:
    """The model in this process."""

    def __init__(self, factory: ModelFactory) -> None:
        self._factory = factory
        self._model: Model | None = None

    def load(self) -> ModelCard:
        """Build and load the model."""
        model = self._factory()
        card = model.load()
        self._model = model
        return card

    def call(self, method: str, tasks: Sequence[Any]) -> Sequence[Any]:
        """Call a task method of the model."""
        answers: Sequence[Any] = getattr(self._model, method)(tasks)
        return answers

    def close(self) -> None:
        """Close the model if it was loaded."""
        if self._model is not None:
            self._model.close()


class ChildHost:
    """The model in a process of its own, which is started again if it dies.

    The child is spawned, not forked: gRPC's threads do not survive a fork. It ends when this process ends,
    however that happens, because its pipe then closes.
    """

    def __init__(self, factory: ModelFactory) -> None:
        self._factory = factory
        self._lock = threading.Lock()
        self._closed = False
        self._child: _Child | None = None

    def load(self) -> ModelCard:
        """Start the process and load the model in it; if that fails, the next call tries again.

        Raises:
            InternalError: the process died, or this host is closed.
        """
        with self._lock:  # so that `close` sees either no process or a started one
            if self._closed:
                raise errors.InternalError("the worker is closed")
            self._end()
            self._child = _Child.start(self._factory)
        try:
            card = self._answer()
        except BaseException:
            with self._lock:
                self._end()
            raise
        assert isinstance(card, ModelCard)
        return card

    def call(self, method: str, tasks: Sequence[Any]) -> Sequence[Any]:
        """Call a task method in the process.

        Raises:
            InternalError: the process died; another one takes its place with the next call.
        """
        if self._child is None or not self._child.process.is_alive():
            self.load()
        answers: Sequence[Any] = self._answer((method, tasks))
        return answers

    def close(self) -> None:
        """End the process now, for good. Safe from any thread."""
        with self._lock:
            self._closed = True
            self._end()

    def _answer(self, question: tuple[str, Sequence[Any]] | None = None) -> Any:
        """What the process answers, to a question or to its start; raises what the model raised."""
        child = self._child
        try:
            if child is None:
                raise EOFError  # closed by another thread
            if question is not None:
                child.pipe.send(question)
            answer = child.pipe.recv()
        except Exception as error:
            # Half a message may be left in the pipe, which the next question would take for its answer.
            with self._lock:
                self._end()
            raise errors.InternalError("the worker process died while it computed") from error
        if isinstance(answer, BaseException):  # outside the `try`: the process lives, its model objects
            raise answer
        return answer

    def _end(self) -> None:
        """Kill the process, if there is one. The lock is held."""
        if self._child is not None:
            self._child.process.kill()
            self._child.process.join()
            self._child.pipe.close()
            self._child = None


@dataclass(frozen=True, slots=True)
class _Child:
    process: multiprocessing.process.BaseProcess
    pipe: Connection

    @classmethod
    def start(cls, factory: ModelFactory) -> _Child:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(factory, theirs), daemon=True)
        process.start()
        theirs.close()
        return cls(process, ours)


def _serve(factory: ModelFactory, pipe: Connection) -> None:
    """Serve one model over a pipe until it closes."""
    # Ctrl-C, and service managers that signal the whole group, reach this process too; the parent drains,
    # and needs it for that.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    host = LocalHost(factory)
    try:
        pipe.send(_outcome(host.load))
        while True:
            _answer_next(host, pipe)
    except (EOFError, OSError):
        host.close()


def _answer_next(host: LocalHost, pipe: Connection) -> None:
    # A frame of its own, so that no image is held while the process waits for the next.
    method, tasks = pipe.recv()
    pipe.send(_outcome(lambda: host.call(method, tasks)))


def _outcome(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except Exception as error:  # noqa: BLE001  (raised again in the parent)
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301  (our own)
        except Exception:  # noqa: BLE001  (some exceptions of libraries do not survive it)
            return RuntimeError(f"{type(error).__name__}: {error}")
        return error


class Worker:
    """One slot: a thread that owns one copy of a model and computes one batch at a time.

    The thread is this slot: it takes the next batch only when it is done with the last, whatever became
    of those who wait for it.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = (
            queue.SimpleQueue()
        )
        # A daemon, so that a model that hangs while it loads cannot hold the process at SIGTERM.
        self._thread = threading.Thread(target=self._work, name="worker", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> ModelCard:
        """Load the model."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        card: ModelCard = await self._submit(self._host.load)
        return card

    async def run(self, method: str, tasks: Sequence[Any]) -> Sequence[Any]:
        """Answer tasks, in order; raises what the model raises."""
        answers: Sequence[Any] = await self._submit(lambda: self._host.call(method, tasks))
        return answers

    async def close(self) -> None:
        """End the thread and close the model; a child process that still computes is killed."""
        if isinstance(self._host, ChildHost):
            await asyncio.to_thread(self._host.close)
            self._jobs.put(None)
        elif self._loop is not None:
            await asyncio.wait([self._submit(self._host.close)], timeout=5.0)
            self._jobs.put(None)

    def _submit(self, work: Callable[[], Any]) -> asyncio.Future[Any]:
        assert self._loop is not None
        future: asyncio.Future[Any] = self._loop.create_future()
        self._jobs.put((work, future))
        return future

    def _work(self) -> None:
        while self._work_once():  # a frame of its own, so that no image is held while the thread waits
            pass

    def _work_once(self) -> bool:
        """Do the next job; False if there will be no more."""
        job = self._jobs.get()
        if job is None:
            return False
        work, future = job
        answer: Any = None
        error: Exception | None = None
        try:
            answer = work()
        except StopIteration as caught:  # which no future takes
            error = _told(caught)
        except Exception as caught:  # noqa: BLE001  (handed to whoever waits)
            error = caught
        except BaseException as caught:  # noqa: BLE001  (SystemExit of a model would end the event loop)
            error = _told(caught)
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(_settle, future, answer, error)
        except RuntimeError:  # the loop has ended: nobody waits any more
            return False
        return True


def _told(caught: BaseException) -> RuntimeError:
    error = RuntimeError(f"the model raised {type(caught).__name__}")
    error.__cause__ = caught
    return error


def _settle(future: asyncio.Future[Any], answer: Any, error: Exception | None) -> None:
    if future.cancelled():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(answer)
