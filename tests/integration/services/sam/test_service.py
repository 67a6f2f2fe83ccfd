"""SAM over the wire: many callers at once, images that are never mixed up, sessions, mistakes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from segment_anything.modeling import Sam

import hooke
from hooke import codecs, masks
from hooke.errors import InvalidRequestError
from hooke.images import Micrograph, View
from hooke.types import Box, SegmentResult
from runtime.fakes import serving
from runtime.rendering import render_rgb8
from services.sam.model import SamModel
from services.sam.parameters import SamBox, SamPoint, SamPrompts
from services.sam.settings import SamSettings
from tests.integration.services.sam.references import Reference, everything, micrograph, picture, prompted
from tests.tiny import sam as tiny

pytestmark = pytest.mark.torch

GRID = {"points_per_side": 5, "pred_iou_thresh": 0.8}
CLICK = hooke.SamParameters(points=[hooke.SamPoint(20, 30)])
CLICKED = SamPrompts(points=(SamPoint(x_px=20, y_px=30),))


@dataclass
class Served:
    """A client of a tiny SAM, how many images the model encoded, and what the metrics say of that."""

    client: hooke.AsyncClient
    registry: CollectorRegistry
    encoded: list[int] = field(default_factory=list)

    async def segment(self, image: Micrograph, parameters: hooke.SamParameters, **more: Any) -> SegmentResult:
        return await self.client.segment(image, model="sam", mask_format="rle", parameters=parameters, **more)


@asynccontextmanager
async def served(settings: SamSettings, **changes: Any) -> AsyncIterator[Served]:
    """A real service, and a client of it."""
    settings = settings.model_copy(update=changes)
    model = SamModel(settings)
    async with (
        serving(SamModel, lambda: model, values=settings) as service,
        hooke.AsyncClient(f"127.0.0.1:{service.server.port}") as client,
    ):
        stage = Served(client, service.metrics.registry)
        assert model._pipeline is not None
        model._pipeline._sam.image_encoder.register_forward_hook(
            lambda _, inputs, __: stage.encoded.append(len(inputs[0]))
        )
        yield stage


def assert_equal(found: SegmentResult, expected: Reference) -> None:
    assert tuple(instance.rle for instance in found.instances) == expected.rles
    assert [instance.score for instance in found.instances] == expected.scores.tolist()


# Automatic masks arrive as the library makes them, each measured by its whole mask, every parameter stated.
async def test_everything(settings: SamSettings, library: Sam) -> None:
    async with served(settings) as sam:
        found = await sam.segment(micrograph(2), hooke.SamParameters(**GRID, sam_preset="microscopy"))
        again = await sam.client.segment(micrograph(2), model="sam", parameters=hooke.SamParameters(**GRID))
        counted = await sam.client.count(micrograph(2), model="sam", parameters=hooke.SamParameters(**GRID))
    options = {"crop_n_layers": 1, "crop_n_points_downscale_factor": 2}
    expected = everything(library, picture(2), 0.25, **GRID, **options)
    assert_equal(found, expected)
    for instance in found.instances:
        assert instance.rle is not None
        assert instance.area_px == masks.decode_mask(instance.rle, (130, 130)).sum()
    used = {each.name: each for each in found.provenance.parameters}
    assert (used["sam_preset"].value, used["sam_preset"].chosen_by_server) == ("microscopy", False)
    assert (used["points_per_side"].value, used["points_per_side"].chosen_by_server) == (5, False)
    assert (used["crop_layer_count"].value, used["crop_layer_count"].chosen_by_server) == (1, True)
    assert found.provenance.weights_digest is not None
    assert len(found.provenance.weights_digest) == 64
    plain = everything(library, picture(2), **GRID)
    assert counted.count == len(again.instances) == len(plain.rles) > 0
    assert again.labels is not None
    assert np.array_equal(again.labels, masks.compose_labels(plain.rles, plain.scores, (130, 130)))


# Points, boxes and a mask that comes back from an earlier answer arrive where they should.
async def test_prompts(settings: SamSettings, library: Sam) -> None:
    async with served(settings) as sam:
        first = await sam.segment(
            micrograph(2),
            hooke.SamParameters(
                points=[hooke.SamPoint(20, 30), hooke.SamPoint(90.5, 11.25, background=True)],
                boxes=[Box(5, 6.5, 42, 50)],
                multimask_output=True,
                mask_logits_returned=True,
            ),
        )
        refined = await sam.segment(
            micrograph(2),
            hooke.SamParameters(points=[hooke.SamPoint(20, 30)], mask_logits=first.arrays["mask_logits"][1]),
        )
        several = await sam.segment(
            micrograph(2), hooke.SamParameters(boxes=[Box(5, 6.5, 42, 50), Box(0, 0, 130, 130)])
        )
    asked = SamPrompts(
        points=(SamPoint(x_px=20, y_px=30), SamPoint(x_px=90.5, y_px=11.25, background=True)),
        boxes=(SamBox(x_px=5, y_px=6.5, width_px=42, height_px=50),),
        multimask_output=True,
    )
    expected = prompted(library, picture(2), asked)
    assert_equal(first, expected)
    assert expected.logits is not None
    assert np.array_equal(first.arrays["mask_logits"], expected.logits)
    again = SamPrompts(points=CLICKED.points, mask_logits=expected.logits[1])
    assert_equal(refined, prompted(library, picture(2), again))
    assert not refined.arrays
    assert [instance.label for instance in several.instances] == [1, 2]


# Sixteen callers at once, with different images and parameters: each has the answer that it would have alone.
async def test_many_callers_at_once(settings: SamSettings, library: Sam) -> None:
    boxed = SamPrompts(boxes=(SamBox(x_px=3, y_px=4, width_px=30, height_px=36),))
    kinds = [
        (CLICK, lambda pixels: prompted(library, pixels, CLICKED)),
        (hooke.SamParameters(boxes=[Box(3, 4, 30, 36)]), lambda pixels: prompted(library, pixels, boxed)),
        (hooke.SamParameters(**GRID), lambda pixels: everything(library, pixels, **GRID)),
        (
            hooke.SamParameters(points=[hooke.SamPoint(20, 30)], session_id="everybody's"),
            lambda pixels: prompted(library, pixels, CLICKED),
        ),
    ]
    questions = [(seed, *kind) for seed in range(4) for kind in kinds]
    expected = [answer(picture(seed)) for seed, _, answer in questions]
    async with served(settings) as sam:
        for _ in range(3):
            found = await asyncio.gather(
                *(sam.segment(micrograph(seed), parameters) for seed, parameters, _ in questions)
            )
            for answer, reference in zip(found, expected, strict=True):
                assert_equal(answer, reference)
        assert sum(sam.encoded) == 4
        assert max(answer.cost.batch_size for answer in found) > 1


# A click on a known image runs the decoder only, with or without a session, from an upload or by hash.
async def test_known_images_are_not_encoded_again(settings: SamSettings) -> None:
    async with served(settings) as sam:
        for _ in range(5):
            await sam.segment(micrograph(0), CLICK)
        await sam.segment(micrograph(0), hooke.SamParameters(**GRID))
        assert sam.encoded == [1]
        for outcome, count in (("miss", 1), ("hit", 5)):
            labels = {"model": "sam", "outcome": outcome}
            assert sam.registry.get_sample_value("hooke_inference_reuse_total", labels) == count


# Warming up, which happens on a GPU, computes everything once and leaves nothing behind.
def test_warming_up(model: SamModel) -> None:
    pipeline = model._pipeline
    assert pipeline is not None
    calls: list[str] = []
    for name in ("image_encoder", "mask_decoder"):
        getattr(pipeline._sam, name).register_forward_hook(lambda *_, name=name: calls.append(name))
    pipeline.warm_up()
    assert calls == ["image_encoder", "mask_decoder"]
    assert len(pipeline._cache) == 0


# A session that goes on with another image is answered about that image.
async def test_one_session_several_images(settings: SamSettings, library: Sam) -> None:
    parameters = hooke.SamParameters(points=[hooke.SamPoint(20, 30)], session_id="s")
    async with served(settings) as sam:
        for seed in (0, 1, 0, 2, 1, 3, 0):
            found = await sam.segment(micrograph(seed), parameters)
            assert_equal(found, prompted(library, picture(seed), CLICKED))


# One file, looked at in different ways (channels, percentiles, planes), is several images.
@pytest.mark.parametrize("cache_bytes", [0, 40_000, 2**30])
async def test_one_file_several_views(settings: SamSettings, library: Sam, cache_bytes: int) -> None:
    rng = np.random.default_rng(8)
    stack = (rng.gamma(2, 300, (2, 3, 60, 80)) + picture(5, (60, 80)).max(axis=2) * 20).astype(np.uint16)
    image = codecs.from_array(stack, "ZCYX")
    views = [
        View(z_index=z, channel_indices=(channel,), high_percentile=high)
        for z in (0, 1)
        for channel in (0, 2)
        for high in (None, 80.0)
    ]
    views += [View(z_projection="max"), View(z_projection="mean")]
    expected = []
    for view in views:
        pixels = render_rgb8(codecs.select_view(image, view, 3), view).image.pixels
        expected.append(prompted(library, pixels, CLICKED))
    assert len({each.rles for each in expected}) > 5
    parameters = hooke.SamParameters(points=[hooke.SamPoint(20, 30)], session_id="s")
    async with served(settings, sam_embedding_cache_bytes=cache_bytes) as sam:
        for _ in range(2):
            for view, reference in zip(views, expected, strict=True):
                assert_equal(await sam.segment(image, parameters, view=view), reference)
        # An embedding takes 8 KiB: none, some or all of them are kept.
        known = {0: 0, 40_000: 0, 2**30: len(views)}[cache_bytes]
        assert sum(sam.encoded) == 2 * len(views) - known


# What a session works on stays while others come and go; without a session it goes.
async def test_sessions_keep_their_image(settings: SamSettings) -> None:
    pinned = hooke.SamParameters(points=[hooke.SamPoint(20, 30)], session_id="s")
    for parameters, encoded_again in ((pinned, 0), (CLICK, 1)):
        async with served(settings, sam_embedding_cache_bytes=20_000) as sam:
            await sam.segment(micrograph(0), parameters)
            for seed in (1, 2, 3):
                await sam.segment(micrograph(seed), CLICK)
            before = sum(sam.encoded)
            await sam.segment(micrograph(0), parameters)
            assert sum(sam.encoded) - before == encoded_again


# Mistakes are named, field by field, and nothing is encoded for them.
@pytest.mark.parametrize(
    ("parameters", "fields"),
    [
        (
            hooke.SamParameters(points=[hooke.SamPoint(20, 30), hooke.SamPoint(65, 1)]),
            {"sam.prompts.points[1]"},
        ),
        (
            hooke.SamParameters(boxes=[Box(-1, 0, 5, 5), Box(60, 0, 5, 5)]),
            {"sam.prompts.boxes[0]", "sam.prompts.boxes[1]"},
        ),
        (hooke.SamParameters(boxes=[Box(0, 0, 0, 5)]), {"sam.prompts.boxes[0].width_px"}),
        (hooke.SamParameters(mask_logits=np.zeros((8, 8), np.float32)), {"sam.prompts.mask_logits"}),
        (
            hooke.SamParameters(points_per_side=257, pred_iou_thresh=2),
            {"sam.points_per_side", "sam.pred_iou_thresh"},
        ),
        (hooke.SamParameters(points_per_side=256, crop_layer_count=4), {"sam.points_per_side"}),
        (
            hooke.SamParameters(points_per_side=2, crop_layer_count=2, crop_points_downscale_factor=2),
            {"sam.crop_points_downscale_factor"},
        ),
        (
            hooke.SamParameters(sam_preset="paper", points_per_side=256, crop_layer_count=1),
            {"sam.points_per_side"},
        ),
    ],
)
async def test_mistakes(settings: SamSettings, parameters: hooke.SamParameters, fields: set[str]) -> None:
    async with served(settings) as sam:
        with pytest.raises(InvalidRequestError) as caught:
            await sam.segment(micrograph(0), parameters)
        assert {found.field for found in caught.value.violations} == fields
        assert sam.encoded == []


# Images that the library cannot scale or crop are refused, small ones that it can are segmented.
async def test_odd_images(settings: SamSettings, library: Sam) -> None:
    async with served(settings) as sam:
        for shape in ((1, 300), (300, 1)):
            with pytest.raises(InvalidRequestError, match="short side"):
                await sam.segment(codecs.from_array(np.zeros(shape, np.uint8)), CLICK)
        tiny_image = picture(0, (1, 1))
        asked = SamPrompts(points=(SamPoint(x_px=0.5, y_px=0.5),))
        click = hooke.SamParameters(points=[hooke.SamPoint(0.5, 0.5)])
        assert_equal(
            await sam.segment(codecs.from_array(tiny_image, "YXS"), click),
            prompted(library, tiny_image, asked),
        )
        with pytest.raises(InvalidRequestError, match="too small"):
            await sam.segment(
                codecs.from_array(tiny_image, "YXS"),
                hooke.SamParameters(points_per_side=4, crop_layer_count=1),
            )
        flat = np.full((50, 70, 3), 9, np.uint8)
        found = await sam.segment(codecs.from_array(flat, "YXS"), hooke.SamParameters(**GRID))
        assert_equal(found, everything(library, flat, **GRID))


# Two services with different weights give different answers, and say which weights they are.
async def test_weights_are_told_apart(settings: SamSettings, tmp_path: Path) -> None:
    tiny.write_checkpoint(tmp_path, "other", seed=3)
    digests, answers = [], []
    for name in ("tiny.pth", "other.pth"):
        async with served(settings, sam_checkpoint=name) as sam:
            digests.append((await sam.client.model("sam")).weights_digest)
            answers.append(await sam.segment(micrograph(2), CLICK))
    assert digests[0] != digests[1]
    assert answers[0].instances[0].rle != answers[1].instances[0].rle
