"""Threads and processes that models run on."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest

from hooke import errors
from hooke.types import Licences
from runtime.tasks import Model, ModelCard
from runtime.workers import ChildHost, LocalHost, Worker

pytestmark = pytest.mark.slow  # starts processes


class Unpicklable(Exception):  # noqa: N818
    def __init__(self, first: str, second: str) -> None:
        super().__init__(first)


class Toy(Model):
    """Does what each word says."""

    name: ClassVar[str] = "toy"

    def load(self) -> ModelCard:
        return ModelCard("7", "", Licences("Apache-2.0"), max_image_pixels=1, max_channel_count=1)

    def obey(self, words: Sequence[str]) -> list[int]:
        for word in words:
            if word == "die":
                os._exit(3)
            if word == "refuse":
                raise errors.ImageTooLargeError("too large", metadata={"maxPixels": "1"})
            if word == "odd":
                raise Unpicklable("odd", "thing")
            if word == "misread":
                raise FileNotFoundError("lookup table")
            if word == "stop":
                raise StopIteration
            if word == "exit":
                sys.exit(1)
            if word.startswith("hang"):
                Path(word.removeprefix("hang ")).touch()
                time.sleep(300)
        return [os.getpid()] * len(words)


class Fragile(Toy):
    """Loads while its file is there."""

    def __init__(self, weights: Path) -> None:
        self.weights = weights

    def load(self) -> ModelCard:
        self.weights.read_bytes()
        return super().load()


class Broken(Toy):
    """Cannot be loaded."""

    def load(self) -> ModelCard:
        raise FileNotFoundError("weights.pt")


async def test_a_child_host_runs_the_model_in_another_process() -> None:
    """Its answers come from another process, the card too."""
    worker = Worker(ChildHost(Toy))
    try:
        assert (await worker.start()).version == "7"
        (pid,) = await worker.run("obey", ["work"])
        assert pid != os.getpid()
    finally:
        await worker.close()


async def test_typed_errors_cross_the_process_boundary_whole() -> None:
    """Class, message and metadata survive; what cannot be pickled arrives as text."""
    worker = Worker(ChildHost(Toy))
    try:
        await worker.start()
        with pytest.raises(errors.ImageTooLargeError, match="too large") as refused:
            await worker.run("obey", ["refuse"])
        assert refused.value.metadata == {"maxPixels": "1"}
        with pytest.raises(RuntimeError, match="odd"):
            await worker.run("obey", ["odd"])
    finally:
        await worker.close()


async def test_a_dead_worker_process_is_replaced() -> None:
    """The call that it died on fails; the next one is answered."""
    worker = Worker(ChildHost(Toy))
    try:
        await worker.start()
        with pytest.raises(errors.InternalError, match="died"):
            await worker.run("obey", ["die"])
        assert len(await worker.run("obey", ["work"])) == 1
    finally:
        await worker.close()


async def test_a_model_that_misses_a_file_keeps_its_process() -> None:
    """An OSError of the model reaches the caller as it is; it does not count as the death of the process."""
    worker = Worker(ChildHost(Toy))
    try:
        await worker.start()
        (before,) = await worker.run("obey", ["work"])
        with pytest.raises(FileNotFoundError, match="lookup table"):
            await worker.run("obey", ["misread"])
        assert await worker.run("obey", ["work"]) == [before]
    finally:
        await worker.close()


async def test_a_replacement_that_cannot_load_is_itself_replaced(tmp_path: Path) -> None:
    """While loading fails every call fails; as soon as it works again, calls are answered."""
    weights = tmp_path / "weights"
    weights.touch()
    worker = Worker(ChildHost(partial(Fragile, weights)))
    try:
        await worker.start()
        weights.unlink()
        with pytest.raises(errors.InternalError, match="died"):
            await worker.run("obey", ["die"])
        with pytest.raises(FileNotFoundError, match="weights"):
            await worker.run("obey", ["work"])
        weights.touch()
        assert len(await worker.run("obey", ["work"])) == 1
    finally:
        await worker.close()


async def test_a_closed_host_starts_no_process() -> None:
    """A job that was late for the end fails; it leaves nothing running."""
    host = ChildHost(Toy)
    host.load()
    host.close()
    with pytest.raises(errors.InternalError, match="closed"):
        host.call("obey", ["work"])


@pytest.mark.parametrize("word", ["stop", "exit"])
async def test_what_a_future_cannot_carry_becomes_an_error(word: str) -> None:
    """StopIteration and SystemExit of a model fail the call; the worker goes on."""
    worker = Worker(LocalHost(Toy))
    try:
        await worker.start()
        with pytest.raises(RuntimeError, match="the model raised"):
            await asyncio.wait_for(worker.run("obey", [word]), 10.0)
        assert await worker.run("obey", ["work"]) == [os.getpid()]
    finally:
        await worker.close()


@pytest.mark.parametrize("host", [LocalHost, ChildHost])
async def test_a_model_that_cannot_load_says_why(host: type[LocalHost | ChildHost]) -> None:
    """The error of `load` reaches whoever starts the worker."""
    worker = Worker(host(Broken))
    try:
        with pytest.raises(FileNotFoundError, match=r"weights\.pt"):
            await worker.start()
    finally:
        await worker.close()


async def test_closing_kills_a_process_that_computes(tmp_path: Path) -> None:
    """A worker that is busy cannot hold up the end; whoever waits for it hears of it."""
    worker = Worker(ChildHost(Toy))
    await worker.start()
    (pid,) = await worker.run("obey", ["work"])
    begun = tmp_path / "begun"
    busy = asyncio.ensure_future(worker.run("obey", [f"hang {begun}"]))
    async with asyncio.timeout(60):
        while not begun.exists():  # noqa: ASYNC110  (another process tells)
            await asyncio.sleep(0.01)
        await worker.close()
        with pytest.raises(errors.InternalError, match="died"):
            await busy
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
