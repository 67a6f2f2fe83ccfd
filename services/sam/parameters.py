"""The parameters that a request may set, and the ready-made ones."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, InstanceOf, model_validator

from hooke.errors import InvalidRequestError
from hooke.types import UsedParameter
from runtime.tasks import Parameters

Preset = Literal["default", "paper", "microscopy"]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
"""0 to 1; not a number is neither."""

MAX_PROMPTS = 1024
"""Most points, and most boxes, of a request."""


def _mask(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """One mask as H x W; a leading dimension of one object, as answers have it, falls away."""
    plane = logits[0] if logits.ndim == 3 and len(logits) == 1 else logits
    if plane.ndim != 2:
        raise ValueError(f"one mask is needed, rows x columns, not an array of shape {logits.shape}")
    if not np.isfinite(plane).all():
        raise ValueError("every logit must be finite")
    return plane


class SamPoint(Parameters):
    """The wire's SamPoint: a point in the object, or outside of it."""

    x_px: Finite
    y_px: Finite
    background: bool = False


class SamBox(Parameters):
    """The wire's BoundingBox: a box around the object."""

    x_px: Finite
    y_px: Finite
    width_px: Finite = Field(gt=0)
    height_px: Finite = Field(gt=0)


class SamPrompts(Parameters):
    """The wire's SamPrompts."""

    points: tuple[SamPoint, ...] = Field(default=(), max_length=MAX_PROMPTS)
    boxes: tuple[SamBox, ...] = Field(default=(), max_length=MAX_PROMPTS)
    mask_logits: Annotated[InstanceOf[np.ndarray[Any, Any]], AfterValidator(_mask)] | None = None
    multimask_output: bool | None = None
    mask_logits_returned: bool | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not self.points and not self.boxes and self.mask_logits is None:
            raise ValueError(
                "set points, boxes or mask_logits; for everything in the image leave prompts out"
            )
        if self.points and len(self.boxes) > 1:
            raise ValueError("points mark one object: with points, at most one box")
        if self.mask_logits is not None and len(self.boxes) > 1:
            raise ValueError("mask_logits are of one object: with mask_logits, at most one box")
        return self


class SamParameters(Parameters):
    """The wire's SamParameters; None means: as the preset says."""

    sam_preset: Preset | None = None
    prompts: SamPrompts | None = None
    points_per_side: int | None = Field(default=None, ge=1, le=256)
    points_per_batch: int | None = Field(default=None, ge=1, le=1024)
    pred_iou_thresh: Share | None = None
    stability_score_thresh: Share | None = None
    stability_score_offset: Finite | None = Field(default=None, ge=0)
    box_nms_thresh: Share | None = None
    crop_layer_count: int | None = Field(default=None, ge=0, le=4)
    crop_nms_thresh: Share | None = None
    crop_overlap_ratio: Share | None = None
    crop_points_downscale_factor: int | None = Field(default=None, ge=1)
    min_mask_region_area_px: int | None = Field(default=None, ge=0)
    max_area_fraction: Share | None = None
    session_id: str = Field(default="", max_length=128)

    @model_validator(mode="after")
    def _prompts_or_grid(self) -> Self:
        # Ignored, they would look as if they had been used.
        names = ["sam_preset", *(field.name for field in fields(GridParameters))]
        idle = [name for name in names if getattr(self, name) is not None]
        if self.prompts is not None and idle:
            raise ValueError(f"with prompts there is no grid of points: leave out {', '.join(idle)}")
        return self


_DEFAULT: Mapping[str, float] = MappingProxyType(
    {
        "points_per_side": 32,
        "points_per_batch": 64,
        "pred_iou_thresh": 0.88,
        "stability_score_thresh": 0.95,
        "stability_score_offset": 1.0,
        "box_nms_thresh": 0.7,
        "crop_layer_count": 0,
        "crop_nms_thresh": 0.7,
        "crop_overlap_ratio": 512 / 1500,
        "crop_points_downscale_factor": 1,
        "min_mask_region_area_px": 0,
    }
)

PRESETS: Mapping[Preset, Mapping[str, float]] = MappingProxyType(
    {
        "default": _DEFAULT,
        "paper": MappingProxyType(
            {
                **_DEFAULT,
                "pred_iou_thresh": 0.98,
                "stability_score_thresh": 0.98,
                "box_nms_thresh": 0.9,
                "crop_nms_thresh": 0.95,
                "crop_overlap_ratio": 0.05,
                "max_area_fraction": 0.25,
            }
        ),
        "microscopy": MappingProxyType(
            {
                **_DEFAULT,
                "points_per_side": 64,
                "crop_layer_count": 1,
                "crop_points_downscale_factor": 2,
                "max_area_fraction": 0.25,
            }
        ),
    }
)
"""The parameters of the automatic masks by preset: the library's defaults; those of arXiv:2405.00876,
"SAM-custom"; and a grid fine enough for hundreds of small objects. Where there is no `max_area_fraction`,
masks of any size are kept."""


@dataclass(frozen=True, slots=True)
class GridParameters:
    """The parameters of the automatic masks, every one decided; named as in SamParameters."""

    points_per_side: int
    points_per_batch: int
    pred_iou_thresh: float
    stability_score_thresh: float
    stability_score_offset: float
    box_nms_thresh: float
    crop_layer_count: int
    crop_nms_thresh: float
    crop_overlap_ratio: float
    crop_points_downscale_factor: int
    min_mask_region_area_px: int
    max_area_fraction: float | None = None
    """None: masks of any size are kept."""

    @property
    def points_by_layer(self) -> tuple[int, ...]:
        """Points along each side of a crop, by layer; the whole image is layer 0."""
        factor = self.crop_points_downscale_factor
        return tuple(self.points_per_side // factor**layer for layer in range(self.crop_layer_count + 1))

    @property
    def cost(self) -> int:
        """Points over all crops, with 1,000 more for each crop beside the whole image, to encode it.

        With ViT-H an encoding takes as much computing as 1,650 points, with ViT-B as 270.
        """
        crops = (4**layer for layer in range(self.crop_layer_count + 1))
        return sum(
            count * (side**2 + (1000 if layer else 0))
            for layer, (count, side) in enumerate(zip(crops, self.points_by_layer, strict=True))
        )


def decide_grid(asked: SamParameters) -> GridParameters:
    """What the preset says, but for what was asked for.

    Raises:
        InvalidRequestError: the grid of the last layer of crops would have no point.
    """
    names = [field.name for field in fields(GridParameters)]
    own = {name: getattr(asked, name) for name in names if getattr(asked, name) is not None}
    values: dict[str, Any] = {**PRESETS[asked.sam_preset or "default"], **own}
    grid = GridParameters(**values)
    if not all(grid.points_by_layer):
        raise InvalidRequestError.of_field(
            "sam.crop_points_downscale_factor",
            f"{grid.points_per_side} points divided by {grid.crop_points_downscale_factor} for each of "
            f"{grid.crop_layer_count} layers of crops leaves none",
        )
    return grid


def used_grid(asked: SamParameters, grid: GridParameters) -> tuple[UsedParameter, ...]:
    """Every parameter of the automatic masks as it was used."""
    used = [UsedParameter("sam_preset", asked.sam_preset or "default", asked.sam_preset is None)]
    for field in fields(grid):
        value, wanted = getattr(grid, field.name), getattr(asked, field.name)
        shown = "no limit" if value is None else value
        used.append(UsedParameter(field.name, shown, wanted is None or value != wanted))
    return tuple(used)


def used_prompts(prompts: SamPrompts) -> tuple[UsedParameter, ...]:
    """Every prompt as it was used: coordinates as text, the mask as the hash of its logits."""
    points = (f"{'-' if p.background else '+'}({p.x_px:g}, {p.y_px:g})" for p in prompts.points)
    boxes = (f"({b.x_px:g}, {b.y_px:g}, {b.width_px:g}, {b.height_px:g})" for b in prompts.boxes)
    logits = prompts.mask_logits
    return (
        UsedParameter("prompts.points", " ".join(points)),
        UsedParameter("prompts.boxes", " ".join(boxes)),
        UsedParameter(
            "prompts.mask_logits",
            "" if logits is None else "sha256:" + hashlib.sha256(logits.tobytes()).hexdigest(),
        ),
        UsedParameter(
            "prompts.multimask_output", bool(prompts.multimask_output), prompts.multimask_output is None
        ),
    )
