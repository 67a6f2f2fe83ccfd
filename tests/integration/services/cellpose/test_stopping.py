"""What ends a computation before its end: nobody waits any more, it costs too much, or it cannot be done."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from hooke import codecs
from hooke.aio import AsyncClient
from hooke.errors import DeadlineExceededError, HookeError, InvalidRequestError
from runtime.fakes import serving
from runtime.tasks import Segmentation, SegmentTask
from services.cellpose.model import CellposeModel
from services.cellpose.parameters import CellposeParameters
from services.cellpose.preparation import prepare
from services.cellpose.settings import CellposeSettings
from tests.tiny.cellpose import cells

pytestmark = pytest.mark.torch

STACK = cells((4, 26, 28), count=3, radius=10)


@pytest.fixture
def model(settings: CellposeSettings) -> CellposeModel:
    loaded = CellposeModel(settings.model_copy(update={"cellpose_tile_batch_size": 2}))
    loaded.load()
    return loaded


def a_task(seed: int = 0, **fields: object) -> SegmentTask:
    return SegmentTask(codecs.from_array(cells((60, 70), seed)), **fields)  # type: ignore[arg-type]


def in_mode(mode: str) -> SegmentTask:
    parameters = CellposeParameters(cellpose_volume_mode=mode)  # type: ignore[arg-type]
    return SegmentTask(codecs.from_array(STACK, "ZYX"), parameters=parameters)


def labels_of(answer: Segmentation | HookeError) -> np.ndarray:
    assert isinstance(answer, Segmentation)
    assert answer.labels is not None
    return answer.labels


@contextmanager
def leaving_after(model: CellposeModel, passes: int, *left: SegmentTask) -> Iterator[list[int]]:
    """Their callers leave when the network has computed so often; gives the tiles of each pass."""
    network: torch.nn.Module = model._segment_images.args[0]  # type: ignore[union-attr]
    seen: list[int] = []

    def count(_: object, arguments: tuple[torch.Tensor, ...], __: object) -> None:
        seen.append(len(arguments[0]))
        if len(seen) == passes:
            for task in left:
                task.abandoned.set()

    hook = network.register_forward_hook(count)
    try:
        yield seen
    finally:
        hook.remove()


# Where nobody waits any more, no forward pass begins: of an image, a stack, a volume.
@pytest.mark.parametrize("task", [a_task(expected_diameter_px=3.0), in_mode("stitched"), in_mode("full")])
def test_no_further_pass(model: CellposeModel, task: SegmentTask) -> None:
    with leaving_after(model, 1, task) as passes:
        (answer,) = model.segment([task])
    assert isinstance(answer, DeadlineExceededError)
    assert len(passes) == 1
    with leaving_after(model, 0) as passes:
        (answer,) = model.segment([task])
    assert isinstance(answer, DeadlineExceededError)
    assert passes == []


# Whoever shares passes with one that leaves gets the answer that it gets alone.
def test_those_who_stay(model: CellposeModel) -> None:
    before, first, left, last = a_task(), a_task(1), a_task(2, expected_diameter_px=4.0), a_task(3)
    alone = [labels_of(model.segment([task])[0]) for task in (first, last)]
    before.abandoned.set()
    with leaving_after(model, 2, left):
        answers = model.segment([before, first, left, last])
    assert [isinstance(answer, DeadlineExceededError) for answer in answers] == [True, False, True, False]
    for expected, answer in zip(alone, (answers[1], answers[3]), strict=True):
        assert expected.max() > 0
        assert np.array_equal(expected, labels_of(answer))


# One that cannot be computed fails alone, and the others are not computed twice.
def test_one_bad_image_fails_alone(model: CellposeModel) -> None:
    narrow = SegmentTask(codecs.from_array(cells((1, 40))))
    huge = codecs.from_array(np.where(cells((60, 70)) > 1000, 3e38, -3e38).astype(np.float32))
    with leaving_after(model, 0) as passes:
        answers = model.segment([narrow, a_task(), SegmentTask(huge), a_task(1)])
    assert [isinstance(answer, InvalidRequestError) for answer in answers] == [True, False, True, False]
    assert passes == [2, 1]


# Tiles are counted before they are computed, as many as the library then cuts.
@pytest.mark.parametrize(
    "task",
    [
        a_task(expected_diameter_px=3.0),
        a_task(expected_diameter_px=60.0),
        a_task(expected_diameter_px=4.7, parameters=CellposeParameters(tile_overlap=0.5)),
        in_mode("stitched"),
        in_mode("full"),
    ],
)
def test_tiles_are_counted(model: CellposeModel, task: SegmentTask) -> None:
    with leaving_after(model, 0) as passes:
        model.segment([task])
    network = model._segment_images.args[0]  # type: ignore[union-attr]
    assert prepare(task, network.tile_px, 10**6).count_tiles(network.tile_px) == sum(passes)


# What would cost too much is refused at once, with the field and the way out; the next caller is served.
async def test_a_bound_on_cost(settings: CellposeSettings) -> None:
    values = settings.model_copy(update={"cellpose_max_tiles": 20})
    image = codecs.from_array(cells((200, 200)))
    async with (
        serving(CellposeModel, values=values) as service,
        AsyncClient(f"127.0.0.1:{service.server.port}") as client,
    ):
        with pytest.raises(
            InvalidRequestError, match=r"225 tiles.* at most 20; give a larger diameter"
        ) as caught:
            await client.segment(image, expected_diameter_px=2.0)
        assert [violation.field for violation in caught.value.violations] == ["expected_diameter_px"]
        with pytest.raises(InvalidRequestError, match="give a part of it") as caught:
            await client.segment(codecs.from_array(cells((1100, 1200), count=1)))
        assert [violation.field for violation in caught.value.violations] == ["image"]
        assert (await client.count(image)).count > 0


# A deadline that passes ends the computation, and not only the wait for it.
async def test_a_deadline_ends_the_computation(settings: CellposeSettings) -> None:
    model = CellposeModel(settings.model_copy(update={"cellpose_tile_batch_size": 1}))
    image = codecs.from_array(cells((200, 200)))
    async with (
        serving(CellposeModel, lambda: model, values=settings) as service,
        AsyncClient(f"127.0.0.1:{service.server.port}") as client,
    ):
        network: torch.nn.Module = model._segment_images.args[0]  # type: ignore[union-attr]
        passes = []
        begun, loop = asyncio.Event(), asyncio.get_running_loop()

        def count(*_: object) -> None:
            passes.append(1)
            loop.call_soon_threadsafe(begun.set)

        network.register_forward_hook(count)
        asked = asyncio.create_task(client.segment(image, expected_diameter_px=2.0))
        await begun.wait()
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        assert (await client.count(codecs.from_array(cells((60, 70))))).count > 0
        assert len(passes) < 225
