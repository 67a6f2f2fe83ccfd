"""Questions to Cellpose, and how the library is asked the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cellpose.models import CellposeModel as LibraryModel

from hooke import codecs
from hooke.aio import AsyncClient
from hooke.images import Micrograph
from hooke.parameters import CellposeParameters
from hooke.types import SegmentResult

_SAME = ("flow_threshold", "tile_overlap", "stitch_threshold", "anisotropy")
RENAMED = {
    "cell_probability_threshold": "cellprob_threshold",
    "min_area_px": "min_size",
    "max_area_fraction": "max_size_fraction",
    "iteration_count": "niter",
}


@dataclass(frozen=True)
class Question:
    """An image with what is asked of it."""

    pixels: np.ndarray
    axes: str
    diameter_px: float | None = None
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def image(self) -> Micrograph:
        return codecs.from_array(self.pixels, self.axes)


@dataclass(frozen=True)
class Expected:
    """What the library answers; Z is there for volumes only."""

    labels: np.ndarray
    flows: np.ndarray
    probability: np.ndarray


async def ask(client: AsyncClient, question: Question) -> SegmentResult:
    parameters = CellposeParameters(flows_returned=True, **question.parameters)
    return await client.segment(
        question.image,
        model="cellpose",
        expected_diameter_px=question.diameter_px,
        parameters=parameters,
        timeout_s=100,
    )


def ask_library(library: LibraryModel, question: Question) -> Expected:
    parameters = question.parameters
    mode = parameters.get("cellpose_volume_mode")
    arguments = {name: parameters[name] for name in _SAME if name in parameters}
    arguments |= {theirs: parameters[ours] for ours, theirs in RENAMED.items() if ours in parameters}
    if mode == "stitched":
        arguments.setdefault("stitch_threshold", 0.25)
    masks, flows, _ = library.eval(
        question.pixels.copy(),  # float32 is normalised where it stands
        channel_axis=question.axes.index("C")
        if "C" in question.axes
        else -1
        if "S" in question.axes
        else None,
        z_axis=0 if mode else None,
        do_3D=mode == "full",
        diameter=question.diameter_px,
        normalize={
            "normalize": not parameters.get("normalization_skipped", False),
            "percentile": (parameters.get("low_percentile", 1), parameters.get("high_percentile", 99)),
        },
        **arguments,
    )
    return Expected(masks, flows[1], flows[2])
