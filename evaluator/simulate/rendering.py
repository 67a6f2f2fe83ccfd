"""From cells to what a camera sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from evaluator.simulate.geometry import Cell
from evaluator.simulate.spec import SimulationSpec, Stain

BACKGROUND = 0.06
"""Light beside the cells; a mean cell is 1."""
OPACITY = 0.6
"""How much of a lower cell's light is lost under an upper one."""
OPTICS_BLUR_PX = 0.7
"""Standard deviation of the lens itself, in focus."""
CAMERA_OFFSET = 0.02
CAMERA_GAIN = 0.55
"""Where darkness and a mean cell lie on the camera's scale of 0 to 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """One stain of one field.

    Attributes:
        image: H x W, uint8 or uint16.
        labels: H x W uint16, 0 background, 1..N the objects; a pixel that two objects cover belongs to
            the upper one.
    """

    image: NDArray[np.uint8] | NDArray[np.uint16]
    labels: NDArray[np.uint16]


def draw_labels(spec: SimulationSpec, cells: Sequence[Cell], stain: Stain) -> NDArray[np.uint16]:
    """Label the visible part of every object."""
    labels = np.zeros((spec.height_px, spec.width_px), np.uint16)
    for label, cell in enumerate(cells, start=1):
        labels[cell.window][cell.mask(stain)] = label
    return labels


def draw_image(
    spec: SimulationSpec, cells: Sequence[Cell], stain: Stain, rng: Generator
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Draw what the camera sees: cells, debris, lens, uneven light, shot and read noise, in this order."""
    light = _draw_cells(spec, cells, stain, rng)
    _add_debris(light, spec.debris, rng)
    light = ndimage.gaussian_filter(light, np.hypot(OPTICS_BLUR_PX, spec.blur_px), mode="nearest", truncate=3)
    light *= _illumination(light.shape, spec.unevenness, rng)
    electrons = rng.poisson(np.maximum(light, 0) * spec.photons) + rng.normal(0, spec.read_noise, light.shape)
    brightest = 2**spec.bit_depth - 1
    grey = (CAMERA_OFFSET + CAMERA_GAIN * electrons / spec.photons) * brightest
    sample_type = np.uint8 if spec.bit_depth == 8 else np.uint16
    image: NDArray[np.uint8] | NDArray[np.uint16] = np.clip(np.round(grey), 0, brightest).astype(sample_type)
    return image


def _draw_cells(
    spec: SimulationSpec, cells: Sequence[Cell], stain: Stain, rng: Generator
) -> NDArray[np.float64]:
    shape = (spec.height_px, spec.width_px)
    light = np.full(shape, BACKGROUND)
    texture = _texture(max((max(cell.coverage[stain].shape) for cell in cells), default=0), rng, spec)
    for cell in cells:
        coverage, depth = cell.coverage[stain], cell.depth[stain]
        # Another piece of the texture for each cell, so that overlapping cells differ.
        rows, columns = rng.integers((0, 0), np.subtract(texture.shape, coverage.shape))
        grain = texture[rows : rows + coverage.shape[0], columns : columns + coverage.shape[1]]
        if stain is Stain.NUCLEI:
            profile = (0.7 + 0.3 * np.sqrt(depth)) * (1 + 0.15 * grain)
        else:
            profile = (0.45 + 0.55 * np.sqrt(depth)) * (1 + 0.2 * grain)
            profile *= 1 - 0.2 * cell.coverage[Stain.NUCLEI]
        seen = light[cell.window]
        seen *= 1 - OPACITY * coverage
        seen += cell.brightness * coverage * np.maximum(profile, 0)
    return light


def _texture(largest_px: int, rng: Generator, spec: SimulationSpec) -> NDArray[np.float64]:
    """Noise of mean 0 and deviation 1, in grains of a tenth and a quarter of a nucleus.

    It is four times as wide as the largest object; each cell takes a piece of it.
    """
    noise = rng.standard_normal((4 * largest_px + 8, 4 * largest_px + 8))
    total = np.zeros_like(noise)
    for size in (spec.diameter_px / 20, spec.diameter_px / 8):
        grains = ndimage.gaussian_filter(noise, size, mode="wrap", truncate=3)
        total += grains / grains.std()
    total /= total.std()
    return total


def _add_debris(light: NDArray[np.float64], count: int, rng: Generator) -> None:
    """Add specks much smaller than a nucleus, at random places and of random brightness."""
    height, width = light.shape
    for _ in range(count):
        y, x, sigma = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(0.5, 1.3)
        brightness = rng.uniform(0.2, 1.0)
        top, left = max(0, int(y) - 5), max(0, int(x) - 5)
        window = light[top : int(y) + 6, left : int(x) + 6]
        rows = np.arange(top, top + window.shape[0])[:, np.newaxis]
        columns = np.arange(left, left + window.shape[1])
        window += brightness * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * sigma**2))


def _illumination(shape: tuple[int, ...], unevenness: float, rng: Generator) -> NDArray[np.float64]:
    """1 at a random brightest place near the middle, falling with the squared distance to 1 - unevenness."""
    height, width = shape
    y0, x0 = rng.uniform(0.25, 0.75, 2) * (height, width)
    rows = (np.arange(height)[:, np.newaxis] - y0) / height
    columns = (np.arange(width) - x0) / width
    distance = rows**2 + columns**2
    result: NDArray[Any] = 1 - unevenness * distance / distance.max()
    return result
