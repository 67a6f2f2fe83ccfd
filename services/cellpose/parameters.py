"""The parameters that a request may set."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from runtime.tasks import Parameters

VolumeMode = Literal["stitched", "full"]

MAX_ITERATIONS = 20_000
"""Of the flow dynamics: enough for objects of 3,000 pixels."""

Finite = Annotated[float, Field(allow_inf_nan=False)]
Percentile = Annotated[float, Field(ge=0, le=100)]


class CellposeParameters(Parameters):
    """The wire's CellposeParameters; the defaults are those of the library."""

    flow_threshold: Annotated[Finite, Field(ge=0)] = 0.4
    """Largest error of the flows of a mask; 0 keeps all masks. Without effect on full volumes."""
    cell_probability_threshold: Annotated[float, Field(ge=-100, le=100)] = 0.0
    """Least cell probability (a logit) of a pixel. Logits of the network lie well within the bounds."""
    min_area_px: Annotated[int, Field(ge=0)] = 15
    """Smallest object kept, in pixels of area, or in voxels of a volume; 0 keeps all."""
    max_area_fraction: Annotated[float, Field(gt=0, le=1)] = 0.4
    """Largest object kept, as a share of the image: of each plane of a stitched stack, of a full volume."""
    low_percentile: Percentile = 1.0
    """Percentile of the intensities that becomes 0, of each channel, over all planes."""
    high_percentile: Percentile = 99.0
    """Percentile of the intensities that becomes 1."""
    normalization_skipped: bool = False
    """Whether intensities are taken as they are; the network expects them to lie around 0 to 1."""
    iteration_count: Annotated[int, Field(gt=0, le=MAX_ITERATIONS)] | None = None
    """Iterations of the flow dynamics; None: 200 at a diameter of 30 px, in proportion to it."""
    tile_overlap: Annotated[float, Field(ge=0.05, le=0.5)] = 0.1
    """Overlap of neighbouring tiles as a share of a tile."""
    cellpose_volume_mode: VolumeMode | None = None
    """How a stack is segmented; None: one plane, chosen by the view."""
    stitch_threshold: Annotated[float, Field(gt=0, le=1)] = 0.25
    """Overlap (IoU) from which masks of neighbouring planes are one object."""
    anisotropy: Annotated[Finite, Field(gt=0)] | None = None
    """Distance of the planes over the size of a pixel; None: from the pixel size, or 1."""
    flows_returned: bool = False
    """Whether the arrays "flows" and "cell_probability" are returned."""

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.low_percentile >= self.high_percentile:
            low, high = self.low_percentile, self.high_percentile
            raise ValueError(f"low_percentile {low:g} must be below high_percentile {high:g}")
        for name, mode in (("stitch_threshold", "stitched"), ("anisotropy", "full")):
            if name in self.model_fields_set and self.cellpose_volume_mode != mode:
                raise ValueError(f"{name} is only for cellpose_volume_mode {mode!r}")
        return self
