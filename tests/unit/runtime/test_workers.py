"""Threads and processes that models run on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import ClassVar

import pytest

from hooke import errors
from hooke.types import Licences
from runtime.tasks import Model, ModelCard
from runtime.workers import ChildHost, LocalHost, Worker


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
        return [os.getpid()] * len(words)


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


@pytest.mark.parametrize("host", [LocalHost, ChildHost])
async def test_a_model_that_cannot_load_says_why(host: type[LocalHost | ChildHost]) -> None:
    """The error of `load` reaches whoever starts the worker."""
    worker = Worker(host(Broken))
    try:
        with pytest.raises(FileNotFoundError, match=r"weights\.pt"):
            await worker.start()
    finally:
        await worker.close()


async def test_closing_kills_a_process_that_computes() -> None:
    """A worker that is busy cannot hold up the end."""

    worker = Worker(ChildHost(Toy))
    await worker.start()
    (pid,) = await worker.run("obey", ["work"])
    await worker.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    await asyncio.sleep(0)
