"""Where simulated cells lie and what shape they have."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from evaluator.simulate.spec import BODY_TO_NUCLEUS, SimulationSpec, Stain
from hooke.errors import InvalidRequestError

GAP_PX = 2
"""Least distance between cells that do not overlap, and from the border."""
TRIES = 400
"""Random places that are tried before the cell is made smaller."""
SHRINK = 0.93
LEAST_SCALE = 0.5
DIAMETER_SPREAD = 0.12
BRIGHTNESS_SPREAD = 0.2
NUCLEUS_SHARE_OF_BODY = 0.9
"""A nucleus ends at this share of the way to its body's outline at the latest."""


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """One cell on its own window of the field.

    Attributes:
        row, column: of the window's first pixel.
        coverage: for each stain, how much of each pixel the object covers, 0 to 1.
        depth: for each stain, 0 at the outline and outside, 1 in the middle.
        brightness: 1 on the average.
    """

    row: int
    column: int
    coverage: dict[Stain, NDArray[np.float64]]
    depth: dict[Stain, NDArray[np.float64]]
    brightness: float

    @property
    def window(self) -> tuple[slice, slice]:
        """Where the arrays lie in the field."""
        height, width = self.coverage[Stain.BODIES].shape
        return slice(self.row, self.row + height), slice(self.column, self.column + width)

    def mask(self, stain: Stain) -> NDArray[np.bool_]:
        """The pixels of the window that are covered by half or more."""
        return self.coverage[stain] >= 0.5


@dataclass(frozen=True, slots=True, eq=False)
class _Unit:
    """Cells that are placed together: one, or two that overlap. Lower ones come first."""

    cells: tuple[Cell, ...]
    footprint: NDArray[np.bool_] = field(repr=False)


def place_cells(spec: SimulationSpec, rng: Generator, taken: NDArray[np.bool_]) -> tuple[Cell, ...]:
    """Draw cells and put each where it touches no other but its partner.

    In crowded fields cells become smaller until they find room.

    Args:
        spec: the field.
        rng: source of everything random.
        taken: H x W, true where no cell may lie; changed.

    Returns:
        The cells, lower ones first.

    Raises:
        InvalidRequestError: even cells of half the size find no room.
    """
    pairs = round(spec.clustered * spec.count / 2) if spec.overlap > 0 else 0
    sizes = [2] * pairs + [1] * (spec.count - 2 * pairs)
    cells: list[Cell] = []
    for size in sizes:
        scale = 1.0
        while not (placed := _place(_draw_unit(size, spec, scale, rng), rng, taken)):
            scale *= SHRINK
            if scale < LEAST_SCALE:
                raise InvalidRequestError(
                    f"{spec.count} cells of diameter_px {spec.diameter_px:g} find no room"
                )
        cells.extend(placed)
    return tuple(cells)


def _draw_unit(size: int, spec: SimulationSpec, scale: float, rng: Generator) -> _Unit:
    lower = _draw_cell(spec.diameter_px * scale, rng)
    if size == 1:
        return _Unit((lower,), lower.mask(Stain.BODIES))
    upper = _draw_cell(spec.diameter_px * scale, rng)
    upper = _move_to_overlap(lower, upper, spec.overlap, spec.stain, rng.uniform(0, 2 * np.pi))
    row, column = min(0, upper.row), min(0, upper.column)
    cells = tuple(replace(cell, row=cell.row - row, column=cell.column - column) for cell in (lower, upper))
    height = max(cell.window[0].stop for cell in cells)
    width = max(cell.window[1].stop for cell in cells)
    footprint = np.zeros((height, width), bool)
    for cell in cells:
        footprint[cell.window] |= cell.mask(Stain.BODIES)
    return _Unit(cells, footprint)


def _draw_cell(diameter_px: float, rng: Generator) -> Cell:
    """Draw outlines as radii over the angle: a circle with five random waves."""
    radius = diameter_px / 2 * np.clip(rng.normal(1, DIAMETER_SPREAD), 0.7, 1.3)
    body = _Outline.draw(radius * BODY_TO_NUCLEUS, 0.1, rng)
    nucleus = _Outline.draw(radius, 0.08, rng)
    reach = int(np.ceil(body.largest_radius)) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float64)
    dy, dx = rng.uniform(-0.15, 0.15, 2) * radius
    body_radius, distance = body.polar(y, x)
    nucleus_radius, nucleus_distance = nucleus.polar(y - dy, x - dx)
    # How far inside the outline a pixel lies, in pixels; negative outside.
    body_inside = body_radius - distance
    nucleus_inside = np.minimum(
        nucleus_radius - nucleus_distance, NUCLEUS_SHARE_OF_BODY * body_radius - distance
    )
    inside = {Stain.BODIES: body_inside, Stain.NUCLEI: nucleus_inside}
    middle = {Stain.BODIES: body_radius, Stain.NUCLEI: nucleus_radius}
    return Cell(
        row=0,
        column=0,
        coverage={stain: np.clip(0.5 + inside[stain], 0, 1) for stain in Stain},
        depth={stain: np.clip(inside[stain] / middle[stain], 0, 1) for stain in Stain},
        brightness=float(np.exp(rng.normal(0, BRIGHTNESS_SPREAD))),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Outline:
    """radius(angle) = mean * (1 + sum of amplitude_k cos(k angle + phase_k)), k = 2..6."""

    mean: float
    waves: NDArray[np.complex128]
    """amplitude_k exp(i phase_k)."""

    @classmethod
    def draw(cls, mean: float, irregularity: float, rng: Generator) -> _Outline:
        damping = (2 / np.arange(2, 7)) ** 1.5
        amplitudes = np.clip(rng.normal(0, irregularity, damping.size), -0.2, 0.2) * damping
        return cls(mean, amplitudes * np.exp(1j * rng.uniform(0, 2 * np.pi, damping.size)))

    @property
    def largest_radius(self) -> float:
        return float(self.mean * (1 + np.abs(self.waves).sum()))

    def polar(
        self, y: NDArray[np.float64], x: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Radius of the outline in the direction of each point, and the point's own distance."""
        distance = np.sqrt(x**2 + y**2)
        # cos(k angle + phase) is the real part of wave_k * direction^k: no angle, no cosine is needed.
        direction = (x + 1j * y) / np.maximum(distance, 1e-9)
        total = np.zeros_like(direction)
        for wave in self.waves[::-1]:
            total = total * direction + wave
        radius = self.mean * np.maximum(1 + (total * direction**2).real, 0.4)
        return radius, distance


def _move_to_overlap(lower: Cell, upper: Cell, overlap: float, stain: Stain, direction: float) -> Cell:
    """Move `upper` along a direction until it covers the share `overlap` of the smaller object.

    Cells lie on whole pixels, so the share is met to within half a pixel's step.
    """
    below, above = lower.mask(stain), upper.mask(stain)
    smaller = min(int(below.sum()), int(above.sum()))
    centre = np.array(below.shape) // 2 - np.array(above.shape) // 2
    heading = np.array([np.sin(direction), np.cos(direction)])

    def offset_at(distance: float) -> NDArray[np.int_]:
        offset: NDArray[np.int_] = np.round(centre + distance * heading).astype(int)
        return offset

    def excess_at(distance: float) -> float:
        return _common_pixels(below, above, offset_at(distance)) / smaller - overlap

    near, far = 0.0, float(sum(below.shape))
    while far - near > 0.25:
        middle = (near + far) / 2
        near, far = (middle, far) if excess_at(middle) > 0 else (near, middle)
    row, column = offset_at(min(near, far, key=lambda distance: abs(excess_at(distance)))).tolist()
    return replace(upper, row=row, column=column)


def _common_pixels(below: NDArray[np.bool_], above: NDArray[np.bool_], offset: NDArray[np.int_]) -> int:
    first = np.maximum(offset, 0)
    last = np.minimum(np.array(below.shape), offset + np.array(above.shape))
    if (last <= first).any():
        return 0
    low = below[first[0] : last[0], first[1] : last[1]]
    high = above[first[0] - offset[0] : last[0] - offset[0], first[1] - offset[1] : last[1] - offset[1]]
    return int(np.count_nonzero(low & high))


def _place(unit: _Unit, rng: Generator, taken: NDArray[np.bool_]) -> tuple[Cell, ...]:
    """Put the unit at a random free place and mark it with a margin; empty if none was found."""
    height, width = unit.footprint.shape
    rows, columns = taken.shape[0] - height, taken.shape[1] - width
    if rows <= 0 or columns <= 0:
        return ()
    corners = rng.integers((0, 0), (rows, columns), (TRIES, 2))
    free = ~taken[corners[:, 0] + height // 2, corners[:, 1] + width // 2]
    for row, column in corners[free].tolist():
        there = taken[row : row + height, column : column + width]
        if not (there & unit.footprint).any():
            _mark(taken, unit.footprint, row, column)
            return tuple(
                replace(cell, row=cell.row + row, column=cell.column + column) for cell in unit.cells
            )
    return ()


def _mark(taken: NDArray[np.bool_], footprint: NDArray[np.bool_], row: int, column: int) -> None:
    padded = ndimage.binary_dilation(np.pad(footprint, GAP_PX), iterations=GAP_PX)
    height, width = padded.shape
    top, left = max(0, row - GAP_PX), max(0, column - GAP_PX)
    region = taken[top : row - GAP_PX + height, left : column - GAP_PX + width]
    skip_row, skip_column = top - (row - GAP_PX), left - (column - GAP_PX)
    region |= padded[skip_row : skip_row + region.shape[0], skip_column : skip_column + region.shape[1]]
