"""The service gives what a direct call of the library gives."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import numpy as np
import pytest
from cellpose import utils
from cellpose.models import CellposeModel as LibraryModel

from hooke.aio import AsyncClient
from hooke.types import SegmentResult
from services.cellpose.parameters import CellposeParameters
from tests.integration.services.cellpose.questions import RENAMED, Expected, Question, ask, ask_library
from tests.tiny.cellpose import cells

pytestmark = pytest.mark.torch

FLOW_TOLERANCE = 1e-4
"""Flows reach from -5 to 5; a forward pass of other tiles beside may take its sums in another order."""


def colours(height: int, width: int, channels: int) -> np.ndarray:
    return np.stack([cells((height, width), seed) for seed in range(channels)], axis=-1)


def stack(seed: int = 0) -> np.ndarray:
    return cells((7, 90, 110), seed, count=12, radius=12)


def volume(planes: int, seed: int = 0) -> np.ndarray:
    return cells((planes, 15, 17), seed, count=2, radius=8)


def assert_identical(found: SegmentResult, expected: Expected) -> None:
    assert found.labels is not None
    assert expected.labels.max() > 0
    assert np.array_equal(found.labels, expected.labels)
    assert np.array_equal(found.arrays["flows"], expected.flows)
    assert np.array_equal(found.arrays["cell_probability"], expected.probability)


def assert_equal(found: SegmentResult, expected: Expected) -> None:
    assert found.labels is not None
    assert expected.labels.max() > 0
    assert np.array_equal(found.labels, expected.labels)
    assert np.abs(found.arrays["flows"] - expected.flows).max() < FLOW_TOLERANCE
    assert np.abs(found.arrays["cell_probability"] - expected.probability).max() < FLOW_TOLERANCE


# An image alone gets the library's masks, flows and probability, bit for bit, whatever its size and type.
@pytest.mark.parametrize(
    ("pixels", "axes"),
    [
        (cells((150, 130)), "YX"),
        (cells((256, 256)), "YX"),
        (cells((300, 410)), "YX"),
        ((cells((150, 130)) // 14).astype(np.uint8), "YX"),
        (cells((150, 130)).astype(np.uint32) * 60_000, "YX"),
        (cells((150, 130)).astype(np.float32) / 1000 - 0.2, "YX"),
        ((colours(150, 130, 3) // 14).astype(np.uint8), "YXS"),
        (colours(150, 130, 2), "YXC"),
        (np.ascontiguousarray(colours(150, 130, 3).transpose(2, 0, 1)), "CYX"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.dtype}-{value.shape}",
)
async def test_images(client: AsyncClient, library: LibraryModel, pixels: np.ndarray, axes: str) -> None:
    question = Question(pixels, axes)
    assert_identical(await ask(client, question), ask_library(library, question))


# Every parameter does what it does in the library.
@pytest.mark.parametrize(
    ("diameter_px", "parameters"),
    [
        (20.0, {}),
        (47.5, {"tile_overlap": 0.4}),
        (None, {"flow_threshold": 0.15}),
        (None, {"flow_threshold": 0.0}),
        (None, {"cell_probability_threshold": 4.0}),
        (None, {"cell_probability_threshold": -2.0, "min_area_px": 0}),
        (None, {"min_area_px": 150}),
        (None, {"max_area_fraction": 0.004}),
        (None, {"low_percentile": 20.0, "high_percentile": 99.9}),
        (None, {"iteration_count": 5}),
        (None, {"tile_overlap": 0.5}),
    ],
    ids=str,
)
async def test_parameters(
    client: AsyncClient, library: LibraryModel, diameter_px: float | None, parameters: dict[str, Any]
) -> None:
    question = Question(cells((280, 300)), "YX", diameter_px, parameters)
    assert_identical(await ask(client, question), ask_library(library, question))


# Without normalisation, intensities are taken as they are, and the next request is normalised again.
@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
async def test_skipped_normalisation(client: AsyncClient, library: LibraryModel, dtype: type) -> None:
    plain = Question(cells((150, 130)), "YX")
    before = await ask(client, plain)
    pixels = (cells((150, 130)) / (3000 if dtype is np.float32 else 1000)).astype(dtype)
    raw = Question(pixels, "YX", 25.0, {"normalization_skipped": True})
    found = await ask(client, raw)
    assert_identical(found, ask_library(library, raw))
    assert found.provenance.rendered_image.intensity_ranges == ()
    after = await ask(client, plain)
    assert before.labels is not None
    assert after.labels is not None
    assert np.array_equal(before.labels, after.labels)


# Planes of a stack are segmented one by one and stitched as the library stitches them.
@pytest.mark.parametrize(
    ("pixels", "axes", "diameter_px", "parameters"),
    [
        (stack(), "ZYX", None, {}),
        (stack(), "ZYX", 22.0, {"stitch_threshold": 0.6, "min_area_px": 60}),
        (np.stack([stack(), stack(1)], axis=-1), "ZYXC", None, {}),
        (stack()[[0, 0, 3, 3, 0]] * np.array([0, 0, 1, 1, 0], np.uint16)[:, None, None], "ZYX", None, {}),
    ],
    ids=["stack", "parameters", "channels", "empty planes"],
)
async def test_stitched_stacks(
    client: AsyncClient,
    library: LibraryModel,
    pixels: np.ndarray,
    axes: str,
    diameter_px: float | None,
    parameters: dict[str, Any],
) -> None:
    question = Question(pixels, axes, diameter_px, {"cellpose_volume_mode": "stitched", **parameters})
    found = await ask(client, question)
    assert_equal(found, ask_library(library, question))
    assert all(instance.extent is not None for instance in found.instances)


# Full volumes are the library's, bit for bit, with flows along three axes.
@pytest.mark.parametrize(
    ("pixels", "axes", "diameter_px", "parameters"),
    [
        (volume(4), "ZYX", None, {}),
        (volume(3), "ZYX", 27.0, {"anisotropy": 2.0, "min_area_px": 100}),
        (np.stack([volume(3), volume(3, 1)], axis=-1), "ZYXC", None, {}),
    ],
    ids=["volume", "anisotropy", "channels"],
)
async def test_full_volumes(
    client: AsyncClient,
    library: LibraryModel,
    pixels: np.ndarray,
    axes: str,
    diameter_px: float | None,
    parameters: dict[str, Any],
) -> None:
    question = Question(pixels, axes, diameter_px, {"cellpose_volume_mode": "full", **parameters})
    found = await ask(client, question)
    assert_identical(found, ask_library(library, question))
    assert found.arrays["flows"].shape == (3, *pixels.shape[:3])


# Requests of any sizes, channels and parameters that are computed together get what each gets alone.
async def test_batched_with_others(client: AsyncClient, library: LibraryModel) -> None:
    questions = [
        Question(cells((150, 130)), "YX"),
        Question(cells((300, 410), 1), "YX", 20.0),
        Question((colours(90, 333, 3) // 14).astype(np.uint8), "YXS", None, {"tile_overlap": 0.3}),
        Question(colours(140, 120, 2), "YXC", 33.0, {"cell_probability_threshold": 1.0}),
        Question(stack(), "ZYX", None, {"cellpose_volume_mode": "stitched"}),
        Question(volume(3), "ZYX", None, {"cellpose_volume_mode": "full"}),
        Question(cells((40, 50), 2), "YX", None, {"flow_threshold": 0.0}),
    ]
    answers = await asyncio.gather(*(ask(client, question) for question in questions))
    assert max(answer.cost.batch_size for answer in answers) > 1
    for question, answer in zip(questions, answers, strict=True):
        assert_equal(answer, ask_library(library, question))


# What a request leaves open is what the library would do.
def test_defaults() -> None:
    theirs = inspect.signature(LibraryModel.eval).parameters
    ours = CellposeParameters()
    for name, renamed in RENAMED.items():
        assert getattr(ours, name) == theirs[renamed].default
    assert ours.flow_threshold == theirs["flow_threshold"].default
    assert ours.tile_overlap == theirs["tile_overlap"].default
    assert ours.stitch_threshold == inspect.signature(utils.stitch3D).parameters["stitch_threshold"].default
