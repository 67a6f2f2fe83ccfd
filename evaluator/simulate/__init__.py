"""Simulated micrographs in the manner of BBBC005, with exact truth, from a seed.

BBBC005 itself is simulated (SIMCEP: Lehmussola et al., IEEE Transactions on Medical Imaging 26, 2007).
Here as there a field of fluorescent cells is seen in two stains, cell bodies and nuclei; the number of
cells, their overlap and the focus are known. `python -m evaluator.simulate --help` writes such fields to
a folder.

The same description gives the same bytes, wherever NumPy and SciPy give the same floats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from evaluator.simulate.geometry import GAP_PX, Cell, place_cells
from evaluator.simulate.rendering import Channel, draw_image, draw_labels
from evaluator.simulate.scale_bar import ScaleBar
from evaluator.simulate.spec import SeriesSpec, SimulationSpec, Stain

__all__ = [
    "Channel",
    "ScaleBar",
    "SeriesSpec",
    "SimulatedField",
    "SimulationSpec",
    "Stain",
    "simulate",
    "simulate_stain",
]


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedField:
    """One field of view.

    Attributes:
        spec: what was asked for.
        channels: both stains of the same cells; label i is the same cell in both.
        scale_bar: what is burnt into the images; None: nothing.
    """

    spec: SimulationSpec
    channels: Mapping[Stain, Channel]
    scale_bar: ScaleBar | None


def simulate(spec: SimulationSpec) -> SimulatedField:
    """Draw both stains of a field."""
    cells, bar = _place(spec)
    channels = {stain: _draw(spec, cells, bar, stain) for stain in Stain}
    return SimulatedField(spec, channels, bar)


def simulate_stain(spec: SimulationSpec) -> Channel:
    """Draw only the stain that the description is about; the same as in `simulate`."""
    cells, bar = _place(spec)
    return _draw(spec, cells, bar, spec.stain)


def _random(spec: SimulationSpec, purpose: int) -> np.random.Generator:
    """An own stream for each purpose, so that drawing one stain does not change the other."""
    return np.random.Generator(np.random.PCG64([spec.seed, purpose]))


def _place(spec: SimulationSpec) -> tuple[tuple[Cell, ...], ScaleBar | None]:
    taken = np.ones((spec.height_px, spec.width_px), bool)
    taken[GAP_PX:-GAP_PX, GAP_PX:-GAP_PX] = False
    bar = None
    if spec.scale_bar and spec.pixel_size_um is not None:
        bar = ScaleBar.fitting(spec.width_px, spec.pixel_size_um)
        taken[bar.area(*taken.shape)] = True
    return place_cells(spec, _random(spec, 0), taken), bar


def _draw(spec: SimulationSpec, cells: tuple[Cell, ...], bar: ScaleBar | None, stain: Stain) -> Channel:
    image = draw_image(spec, cells, stain, _random(spec, 1 + list(Stain).index(stain)))
    if bar is not None:
        bar.draw(image)
    return Channel(image, draw_labels(spec, cells, stain))
