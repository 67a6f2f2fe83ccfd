"""What happens when memory runs out, and that it does not fill up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hooke import codecs
from hooke.aio import AsyncClient
from hooke.errors import OutOfMemoryError
from runtime.fakes import serving
from runtime.tasks import SegmentTask
from services.cellpose.model import CellposeModel
from services.cellpose.network import Network
from tests.memory import resident_bytes
from tests.tiny.cellpose import cells, settings

pytestmark = pytest.mark.torch


def fits_at_most(network: Network, tiles: int) -> torch.utils.hooks.RemovableHandle:
    """Let the network run out of memory as a GPU does, with more tiles than so many."""

    def check(_: torch.nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
        if len(arguments[0]) > tiles:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    return network.register_forward_pre_hook(check)


def network_of(model: CellposeModel) -> Network:
    network: Network = model._segment_images.args[0]  # type: ignore[union-attr]
    return network


def loaded(folder: Path) -> CellposeModel:
    model = CellposeModel(settings(folder, cellpose_tile_batch_size=8))
    model.load()
    return model


# Where eight tiles do not fit together, two do, and the answer is the same.
def test_fewer_tiles_at_a_time(tmp_path: Path) -> None:
    model = loaded(tmp_path)
    tasks = [SegmentTask(codecs.from_array(cells((300, 310))))]
    (before,) = model.segment(tasks)
    fits_at_most(network_of(model), 2)
    (after,) = model.segment(tasks)
    assert before.labels is not None
    assert after.labels is not None
    assert before.labels.max() > 0
    assert np.array_equal(before.labels, after.labels)


# Where even that does not fit, the caller hears what would, and the service lives on.
async def test_out_of_memory(tmp_path: Path) -> None:
    values = settings(tmp_path)
    model = CellposeModel(values)
    image = codecs.from_array(cells((60, 70)))
    async with (
        serving(CellposeModel, lambda: model, values=values) as service,
        AsyncClient(f"127.0.0.1:{service.server.port}") as client,
    ):
        handle = fits_at_most(network_of(model), 0)
        with pytest.raises(OutOfMemoryError) as caught:
            await client.segment(image)
        assert caught.value.metadata["imagePixels"] == "4200"
        assert caught.value.metadata["suggestedMaxPixels"] == "2100"
        handle.remove()
        assert (await client.count(image)).count > 0


# Other failures are not taken for a lack of memory.
def test_other_failures(tmp_path: Path) -> None:
    model = loaded(tmp_path)

    def fail(*_: object) -> None:
        raise RuntimeError("something else")

    network_of(model).register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="something else"):
        model.segment([SegmentTask(codecs.from_array(cells((60, 70))))])


# A thousand requests leave the process no larger than a hundred did, within 5 %. Small tiles make it fast:
# what a request leaves behind does not depend on how long it was computed.
@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_memory_does_not_grow(tmp_path: Path) -> None:
    sizes = []
    async with (
        serving(CellposeModel, values=settings(tmp_path, tile_px=64)) as service,
        AsyncClient(f"127.0.0.1:{service.server.port}") as client,
    ):
        images = [codecs.from_array(cells((40 + 10 * seed, 60), seed, count=5)) for seed in range(4)]
        for number in range(1, 1001):
            await client.segment(images[number % 4], expected_diameter_px=40.0)
            if number in (100, 1000):
                sizes.append(resident_bytes())
    assert sizes[1] < 1.05 * sizes[0]
