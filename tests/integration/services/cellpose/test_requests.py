"""What requests may ask of Cellpose, and what they hear where they may not."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import numpy as np
import pytest
import tifffile

from hooke import codecs
from hooke.aio import AsyncClient
from hooke.errors import ImageUnreadableError, InvalidRequestError
from hooke.images import PixelSize, View
from hooke.parameters import CellposeParameters
from hooke.types import MaskFormat, Task, UsedParameter
from tests.integration.services.cellpose.questions import Question, ask
from tests.tiny.cellpose import cells

pytestmark = pytest.mark.torch


# The card says what a user must know: the licences, the digest of the weights, what it takes.
async def test_the_card(client: AsyncClient) -> None:
    info = await client.model("cellpose")
    assert info.tasks == {Task.SEGMENT, Task.COUNT}
    assert "BSD-3-Clause" in info.licences.code
    assert info.weights_digest is not None
    assert len(info.weights_digest) == 64
    assert (info.max_channel_count, info.device, info.score_meaning) == (3, "cpu", "")


# What was used comes back: what the request says, and what it leaves to the model.
async def test_parameters_as_used(client: AsyncClient) -> None:
    found = await ask(client, Question(cells((60, 70)), "YX", 20.0, {"flow_threshold": 0.3}))
    used = {parameter.name: parameter for parameter in found.provenance.parameters}
    assert used["expected_diameter_px"] == UsedParameter("expected_diameter_px", 20.0)
    assert used["flow_threshold"] == UsedParameter("flow_threshold", 0.3)
    assert used["iteration_count"] == UsedParameter("iteration_count", 133.0, chosen_by_server=True)
    assert used["min_area_px"].chosen_by_server
    assert not used.keys() & {"anisotropy", "stitch_threshold", "cellpose_volume_mode", "flows_returned"}
    (mapped,) = found.provenance.rendered_image.intensity_ranges
    low, high = np.percentile(cells((60, 70)), (1, 99))
    assert (mapped.low, mapped.high) == pytest.approx((low, high), rel=1e-5)
    assert all(instance.score is None for instance in found.instances)


# A diameter in micrometres is the same question as the one in pixels.
async def test_micrometres(client: AsyncClient) -> None:
    image = codecs.from_array(cells((120, 130)), pixel_size=PixelSize(0.5, 0.5))
    by_um, by_px = await asyncio.gather(
        client.segment(image, expected_diameter_um=11.0), client.segment(image, expected_diameter_px=22.0)
    )
    assert by_um.labels is not None
    assert by_px.labels is not None
    assert by_um.labels.max() > 0
    assert np.array_equal(by_um.labels, by_px.labels)


# Flows come only where they are asked for; counting counts the masks.
async def test_flows_and_counts(client: AsyncClient) -> None:
    image = codecs.from_array(cells((120, 130)))
    found, counted = await asyncio.gather(client.segment(image), client.count(image))
    assert found.arrays == {}
    assert counted.count == len(found.instances) > 5


# Channels by name are those of the image, in the order of the names.
async def test_channels_by_name(client: AsyncClient) -> None:
    channels = np.stack([cells((120, 130), seed) for seed in range(4)])
    image = codecs.from_array(channels, "CYX", channel_names=("DAPI", "actin", "GFP", "Cy5"))
    named = await client.segment(image, view=View(channel_names=("Cy5", "actin")))
    alone = await client.segment(codecs.from_array(channels[[3, 1]], "CYX"))
    assert named.labels is not None
    assert alone.labels is not None
    assert named.labels.max() > 0
    assert np.array_equal(named.labels, alone.labels)
    other = await client.segment(image, view=View(channel_names=("GFP",)))
    assert not np.array_equal(named.labels, other.labels)


# More channels than the model looks at are never cut off in silence, and a wrong name lists the right ones.
async def test_channels_that_do_not_fit(client: AsyncClient) -> None:
    channels = np.stack([cells((40, 50), seed) for seed in range(4)])
    image = codecs.from_array(channels, "CYX", channel_names=("DAPI", "actin", "GFP", "Cy5"))
    with pytest.raises(InvalidRequestError, match="4 channels, but the model takes 3"):
        await client.segment(image)
    with pytest.raises(InvalidRequestError, match="DAPI, actin, GFP, Cy5"):
        await client.segment(image, view=View(channel_names=("dapi",)))


# A z-stack is no image with channels: without a plane or a mode it is refused, and with a mode it keeps Z.
async def test_stacks_are_not_guessed(client: AsyncClient) -> None:
    stack = codecs.from_array(cells((4, 60, 70), count=6, radius=12), "ZYX")
    with pytest.raises(InvalidRequestError, match="4 planes"):
        await client.segment(stack)
    found = await client.segment(stack, parameters=CellposeParameters(cellpose_volume_mode="stitched"))
    plane = await client.segment(stack, view=View(z_index=2))
    assert found.labels is not None
    assert plane.labels is not None
    assert found.labels.shape == (4, 60, 70)
    assert plane.labels.shape == (60, 70)
    with pytest.raises(InvalidRequestError, match=r"view\.z_index"):
        await client.segment(
            stack, view=View(z_index=2), parameters=CellposeParameters(cellpose_volume_mode="full")
        )


# An object of a volume has an extent in voxels and, where the distance of planes is known, in micrometres.
async def test_extents(client: AsyncClient) -> None:
    samples = cells((4, 60, 70), count=6, radius=12)
    stack = codecs.from_array(samples, "ZYX", pixel_size=PixelSize(0.5, 0.5, 2.0))
    found = await client.segment(stack, parameters=CellposeParameters(cellpose_volume_mode="stitched"))
    assert found.labels is not None
    assert found.instances
    for instance in found.instances:
        assert instance.extent is not None
        inside = found.labels == instance.label
        assert instance.extent.voxel_count == inside.sum()
        assert instance.extent.volume_um3 == pytest.approx(0.5 * inside.sum())
        assert instance.area_px == inside.any(axis=0).sum()


# Planes that are further apart than pixels are scaled by the pixel size, without being told.
async def test_anisotropy_from_the_pixel_size(fine_client: AsyncClient) -> None:
    samples = cells((4, 24, 26), count=3, radius=9)
    how = CellposeParameters(cellpose_volume_mode="full", flows_returned=True)
    stated = CellposeParameters(cellpose_volume_mode="full", flows_returned=True, anisotropy=3.0)
    known = codecs.from_array(samples, "ZYX", pixel_size=PixelSize(0.1, 0.1, 0.3))
    unknown = codecs.from_array(samples, "ZYX")
    found, same = [
        await fine_client.segment(image, parameters=parameters, timeout_s=100)
        for image, parameters in ((known, how), (unknown, stated))
    ]
    assert np.array_equal(found.arrays["flows"], same.arrays["flows"])
    used = {parameter.name: parameter for parameter in found.provenance.parameters}
    assert used["anisotropy"] == UsedParameter("anisotropy", 3.0, chosen_by_server=True)


# What cannot be computed names the field and says why; the service goes on.
@pytest.mark.parametrize(
    ("shape", "diameter_px", "parameters", "field"),
    [
        ((1, 40), None, {}, "image"),
        ((40, 1), None, {}, "image"),
        ((40, 50), 5000.0, {}, "expected_diameter_px"),
        ((40, 50), 1e-3, {}, "expected_diameter_px"),
        ((40, 50), 1e-308, {}, "expected_diameter_px"),
        ((300, 320), 3100.0, {}, "expected_diameter_px"),
        ((1, 40, 50), None, {"cellpose_volume_mode": "full"}, "cellpose.cellpose_volume_mode"),
        ((2, 40, 50), None, {"cellpose_volume_mode": "full", "anisotropy": 1e-3}, "cellpose.anisotropy"),
        ((2, 40, 50), None, {"cellpose_volume_mode": "full", "anisotropy": 1e308}, "cellpose.anisotropy"),
        ((40, 50), None, {"tile_overlap": 0.6}, "cellpose.tile_overlap"),
        ((40, 50), None, {"iteration_count": 10**9}, "cellpose.iteration_count"),
        ((40, 50), None, {"stitch_threshold": 0.5}, "cellpose"),
    ],
    ids=str,
)
async def test_what_cannot_be_computed(
    client: AsyncClient,
    shape: tuple[int, ...],
    diameter_px: float | None,
    parameters: dict[str, Any],
    field: str,
) -> None:
    question = Question(np.ones(shape, np.uint8), "ZYX"[-len(shape) :], diameter_px, parameters)
    with pytest.raises(InvalidRequestError) as caught:
        await ask(client, question)
    assert [violation.field for violation in caught.value.violations] == [field]
    assert (await client.count(codecs.from_array(cells((40, 50))))).count > 0


# Images with nothing to see, and of two pixels, are empty answers.
@pytest.mark.parametrize("shape", [(2, 2), (2, 300), (50, 60)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("mode", [None, "stitched"])
async def test_nothing_to_see(
    client: AsyncClient, shape: tuple[int, int], dtype: type, mode: str | None
) -> None:
    parameters = {} if mode is None else {"cellpose_volume_mode": mode}
    found = await ask(client, Question(np.full(shape, 7, dtype), "YX", None, parameters))
    assert found.instances == ()
    assert found.labels is not None
    assert found.labels.shape == (shape if mode is None else (1, *shape))


# NaN would give no cells and no error, so such an image is refused where it is read.
async def test_not_a_number(client: AsyncClient) -> None:
    file = io.BytesIO()
    samples = cells((40, 50)).astype(np.float32)
    samples[3, 4] = np.nan
    tifffile.imwrite(file, samples)
    with pytest.raises(ImageUnreadableError, match="NaN"):
        await client.segment(file.getvalue())


# Numbers so large that the network answers with NaN are refused too; all others are just intensities.
@pytest.mark.parametrize("parameters", [{}, {"normalization_skipped": True}], ids=str)
async def test_intensities_beyond_computing(client: AsyncClient, parameters: dict[str, Any]) -> None:
    samples = cells((60, 70)).astype(np.float32)
    huge = np.where(samples > 1000, 3e38, -3e38).astype(np.float32)
    with pytest.raises(InvalidRequestError, match="too large to compute with"):
        await ask(client, Question(huge, "YX", None, parameters))
    as_large = await ask(client, Question(samples * np.float32(1e30), "YX"))
    usual = await ask(client, Question(samples, "YX"))
    assert len(as_large.instances) == len(usual.instances) > 0


# Run lengths are flat, so a volume cannot be answered in them.
async def test_volumes_have_no_run_lengths(client: AsyncClient) -> None:
    with pytest.raises(InvalidRequestError, match="mask_format"):
        await client.segment(
            codecs.from_array(cells((3, 40, 50)), "ZYX"),
            mask_format=MaskFormat.RLE,
            parameters=CellposeParameters(cellpose_volume_mode="stitched"),
        )


# Sixteen requests at once, of mixed images and parameters: each gets what it gets when asked alone.
async def test_many_at_once(client: AsyncClient) -> None:
    rng = np.random.default_rng(5)
    questions = []
    for seed in range(16):
        shape = tuple(int(side) for side in rng.integers(40, 200, 2))
        parameters: dict[str, Any] = {"cell_probability_threshold": float(seed % 3)}
        if seed % 4 == 3:
            questions.append(Question(np.stack([cells(shape, seed)] * 2, axis=-1), "YXC", 25.0, parameters))
        else:
            questions.append(Question(cells(shape, seed), "YX", None if seed % 2 else 40.0, parameters))
    serial = [await ask(client, question) for question in questions]
    together = await asyncio.gather(*(ask(client, question) for question in questions))
    assert max(answer.cost.batch_size for answer in together) > 4
    assert sum(len(answer.instances) for answer in serial) > 50
    for alone, beside in zip(serial, together, strict=True):
        assert alone.labels is not None
        assert np.array_equal(alone.labels, beside.labels)
        for name, values in alone.arrays.items():
            assert np.abs(values - beside.arrays[name]).max() < 1e-4
