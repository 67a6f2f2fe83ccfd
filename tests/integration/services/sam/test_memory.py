"""Where memory runs out: once more with less at a time, then an error; and no memory is lost over time."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from segment_anything import SamAutomaticMaskGenerator
from segment_anything.modeling import Sam
from segment_anything.utils.amg import MaskData, batched_mask_to_box, mask_to_rle_pytorch

import hooke
from hooke import codecs
from hooke.errors import OutOfMemoryError
from runtime.fakes import serving
from runtime.tasks import SegmentTask
from services.sam.automatic import FrugalGenerator
from services.sam.model import SamModel
from services.sam.parameters import SamBox, SamParameters, SamPoint, SamPrompts
from services.sam.pipeline import Pipeline
from services.sam.settings import SamSettings
from tests.integration.services.sam.references import everything, micrograph, picture, prompted
from tests.memory import resident_bytes
from tests.tiny import sam as tiny

pytestmark = pytest.mark.torch

GRID: dict[str, Any] = {"points_per_side": 8, "pred_iou_thresh": 0.8}
BOXES = tuple(SamBox(x_px=i, y_px=i, width_px=20, height_px=20) for i in range(9))


def pipeline_of(model: SamModel) -> Pipeline:
    assert model._pipeline is not None
    return model._pipeline


@contextmanager
def memory_for(count: int, module: torch.nn.Module) -> Iterator[list[int]]:
    """Let a part of the model run out of memory with more rows than that; gives the rows of each attempt."""
    seen: list[int] = []

    def check(_: object, positional: tuple[torch.Tensor, ...], named: dict[str, torch.Tensor]) -> None:
        rows = named["sparse_prompt_embeddings"] if named else positional[0]
        seen.append(len(rows))
        if len(rows) > count:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    hook = module.register_forward_pre_hook(check, with_kwargs=True)
    try:
        yield seen
    finally:
        hook.remove()


# Points that do not fit are decoded a quarter at a time; the answer says so, and is the library's.
def test_fewer_points_at_a_time(model: SamModel, library: Sam) -> None:
    with memory_for(16, pipeline_of(model)._sam.mask_decoder) as rows:
        (found,) = model.segment([SegmentTask(micrograph(2), parameters=SamParameters(**GRID))])
    assert rows == [64, 16, 16, 16, 16]
    used = {each.name: each for each in found.parameters}["points_per_batch"]
    assert (used.value, used.chosen_by_server) == (16, True)
    assert found.rles == everything(library, picture(2), points_per_batch=16, **GRID).rles


# Images that do not fit into one pass are encoded a quarter at a time.
def test_fewer_images_at_a_time(settings: SamSettings, library: Sam) -> None:
    model = SamModel(settings.model_copy(update={"sam_encoder_batch_size": 8}))
    model.load()
    click = SamPrompts(points=(SamPoint(x_px=3, y_px=3),))
    tasks = [SegmentTask(micrograph(seed), parameters=SamParameters(prompts=click)) for seed in range(5)]
    with memory_for(2, pipeline_of(model)._sam.image_encoder) as rows:
        answers = model.segment(tasks)
    assert rows == [5, 2, 2, 1]
    for seed, found in enumerate(answers):
        assert found.scores == pytest.approx(prompted(library, picture(seed), click).scores, abs=1e-3)


# Boxes share a pass as far as the memory for masks reaches, and fewer if memory runs out all the same.
def test_fewer_boxes_at_a_time(settings: SamSettings) -> None:
    each = 3 * 4 * (130 * 130 + tiny.IMAGE_PX**2)
    model = SamModel(settings.model_copy(update={"sam_decoder_bytes": 4 * each}))
    model.load()
    asked = SamParameters(prompts=SamPrompts(boxes=BOXES))
    with memory_for(4, pipeline_of(model)._sam.mask_decoder) as rows:
        (found,) = model.segment([SegmentTask(micrograph(2), parameters=asked)])
    assert rows == [4, 4, 1]
    with memory_for(3, pipeline_of(model)._sam.mask_decoder) as rows:
        (again,) = model.segment([SegmentTask(micrograph(2), parameters=asked)])
    assert rows == [4, *[1] * 9]
    assert found.rles is not None
    assert again.rles is not None
    assert len(found.rles) == len(again.rles) == 9


# A grid decodes as many points together as fit, or fewer if the request says so: never more.
def test_points_together(settings: SamSettings) -> None:
    each = 3 * 4 * (130 * 130 + tiny.IMAGE_PX**2)
    model = SamModel(settings.model_copy(update={"sam_decoder_bytes": 10 * each}))
    model.load()
    for wanted, expected in ((None, 10), (30, 10), (4, 4)):
        asked = SamParameters(points_per_side=6, points_per_batch=wanted)
        with memory_for(1000, pipeline_of(model)._sam.mask_decoder) as rows:
            model.segment([SegmentTask(micrograph(2), parameters=asked)])
        assert rows[0] == expected


def ragged(count: int, side: int) -> MaskData:
    """Squares, most of them with a hole and a stray pixel, as the library has them in between."""
    noise = np.random.default_rng(5)
    masks = np.zeros((count, side, side), bool)
    for mask in masks:
        row, column = noise.integers(0, side - 20, 2)
        mask[row : row + 15, column : column + 15] = True
        if noise.random() < 0.6:
            mask[row + 3 : row + 5, column + 3 : column + 5] = False
            mask[tuple(noise.integers(0, side, 2))] = True
    found = torch.as_tensor(masks)
    return MaskData(
        rles=mask_to_rle_pytorch(found), boxes=batched_mask_to_box(found), iou_preds=torch.arange(count)
    )


# Small regions are removed as the library removes them, without all masks as pixels at once.
def test_small_regions_one_mask_at_a_time() -> None:
    expected = SamAutomaticMaskGenerator.postprocess_small_regions(ragged(60, 64), 10, 0.3)
    found = FrugalGenerator.postprocess_small_regions(ragged(60, 64), 10, 0.3)
    assert 0 < len(found["rles"]) < 60
    assert found["rles"] == expected["rles"]
    assert torch.equal(found["boxes"], expected["boxes"])
    assert torch.equal(found["iou_preds"], expected["iou_preds"])
    many = ragged(100, 400)
    tracemalloc.start()
    FrugalGenerator.postprocess_small_regions(many, 10, 0.7)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30 * 400 * 400


# If it does not fit the second time either, the caller learns what would, and the service goes on.
@pytest.mark.parametrize("part", ["image_encoder", "mask_decoder"])
async def test_out_of_memory(part: str, settings: SamSettings, library: Sam) -> None:
    model = SamModel(settings)
    async with (
        serving(SamModel, lambda: model, values=settings) as service,
        hooke.AsyncClient(f"127.0.0.1:{service.server.port}") as client,
    ):
        click = hooke.SamParameters(points=[hooke.SamPoint(3, 3)])
        with memory_for(0, getattr(pipeline_of(model)._sam, part)) as rows:
            with pytest.raises(OutOfMemoryError) as caught:
                await client.segment(micrograph(2), model="sam", parameters=click)
            assert len(rows) == 2
        assert caught.value.metadata["imagePixels"] == "16900"
        assert caught.value.metadata["suggestedMaxPixels"] == "8450"
        found = await client.segment(micrograph(2), model="sam", parameters=click, mask_format="rle")
        asked = SamPrompts(points=(SamPoint(x_px=3, y_px=3),))
        assert tuple(each.rle for each in found.instances) == prompted(library, picture(2), asked).rles


# Other errors are no lack of memory: they are not tried again.
def test_other_errors_are_not_tried_again(model: SamModel) -> None:
    calls = []

    def fail(*_: object) -> None:
        calls.append(1)
        raise RuntimeError("a fault")

    pipeline_of(model)._sam.image_encoder.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="a fault"):
        model.segment([SegmentTask(micrograph(2))])
    assert len(calls) == 1


# After a thousand requests, of many images and sessions, the process holds what it held after a hundred.
@pytest.mark.slow
async def test_no_memory_is_lost(settings: SamSettings) -> None:
    settings = settings.model_copy(update={"sam_embedding_cache_bytes": 200_000})
    images = [codecs.from_array(picture(seed, (48, 64)), "YXS") for seed in range(37)]
    grid = {"points_per_side": 4, "pred_iou_thresh": 0.8}
    click = {"points": [hooke.SamPoint(3, 3)], "mask_logits_returned": True}
    async with (
        serving(SamModel, values=settings) as service,
        hooke.AsyncClient(f"127.0.0.1:{service.server.port}") as client,
    ):

        async def ask(number: int) -> None:
            asked = hooke.SamParameters(
                session_id=f"session {number % 90}", **(click if number % 10 else grid)
            )
            await client.segment(images[number % 37], model="sam", parameters=asked)

        held = []
        for tens in range(100):
            await asyncio.gather(*(ask(10 * tens + one) for one in range(10)))
            if tens in (9, 99):
                held.append(resident_bytes())
    assert held[1] < 1.05 * held[0]
