"""The parameters that belong to one model each.

The fields are those of the messages in `parameters.proto`, which say what each one means, its range, and
what the model does without it. None: the model decides. Texts such as "bright_on_dark" are the names of enum
values in lower case, without their prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hooke.types import Box

_OF_PROMPTS = {"within": "prompts"}
"""Metadata of a field that stands in the message `prompts`: see `hooke.wire.fill`."""


@dataclass(frozen=True, slots=True)
class ClassicalParameters:
    """Parameters of the classical model.

    Attributes:
        polarity: "bright_on_dark" or "dark_on_bright".
        min_area_px, max_area_px: smallest and largest object kept, in pixels of area.
        border_objects_excluded: whether objects that touch the border of the field are left out.
        touching_objects_split: whether touching objects are split.
    """

    polarity: str | None = None
    min_area_px: int | None = None
    max_area_px: int | None = None
    border_objects_excluded: bool | None = None
    touching_objects_split: bool | None = None


@dataclass(frozen=True, slots=True)
class SamPoint:
    """A point that SAM is to look at; the top-left corner of the image is (0, 0).

    Attributes:
        x_px, y_px: column and row, in pixels.
        background: True if the point lies outside of the object, not in it.
    """

    x_px: float
    y_px: float
    background: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SamParameters:
    """Parameters of SAM. Without points and boxes, everything is segmented by a grid of points.

    Attributes:
        sam_preset: "default", "paper" or "microscopy"; the other fields change single points of it.
        points: together they mark one object.
        boxes: with points at most one, around the same object; without points, one object each.
        mask_logits: of an earlier answer for the same object (`result.arrays["mask_logits"]`), to be refined.
        multimask_output: whether three masks of different extent are returned for each object.
        mask_logits_returned: whether the result has the array "mask_logits".
        points_per_side: of the grid.
        points_per_batch: points that are decoded together; more need more memory.
        pred_iou_thresh, stability_score_thresh: least quality and stability of a mask that is kept.
        stability_score_offset: how far the cut-off is moved to measure stability.
        box_nms_thresh, crop_nms_thresh: overlap of boxes from which the worse of two masks is dropped.
        crop_layer_count, crop_overlap_ratio, crop_points_downscale_factor: of the crops that are segmented,
            too.
        min_mask_region_area_px: smallest region and largest hole that are kept, in pixels of area.
        max_area_fraction: largest mask kept, as a share of the image.
        session_id: keeps the image's embedding in memory while somebody points at objects.
    """

    sam_preset: str | None = None
    points: Sequence[SamPoint] = field(default=(), metadata=_OF_PROMPTS)
    boxes: Sequence[Box] = field(default=(), metadata=_OF_PROMPTS)
    mask_logits: NDArray[np.float32] | None = field(default=None, metadata=_OF_PROMPTS)
    multimask_output: bool | None = field(default=None, metadata=_OF_PROMPTS)
    mask_logits_returned: bool | None = field(default=None, metadata=_OF_PROMPTS)
    points_per_side: int | None = None
    points_per_batch: int | None = None
    pred_iou_thresh: float | None = None
    stability_score_thresh: float | None = None
    stability_score_offset: float | None = None
    box_nms_thresh: float | None = None
    crop_layer_count: int | None = None
    crop_nms_thresh: float | None = None
    crop_overlap_ratio: float | None = None
    crop_points_downscale_factor: int | None = None
    min_mask_region_area_px: int | None = None
    max_area_fraction: float | None = None
    session_id: str = ""


@dataclass(frozen=True, slots=True)
class CellposeParameters:
    """Parameters of Cellpose; the expected diameter is an argument of the call.

    Attributes:
        flow_threshold: largest error of the flows of a mask; 0 keeps all masks.
        cell_probability_threshold: least cell probability (a logit) of a pixel, -100 to 100.
        min_area_px: smallest object kept, in pixels of area.
        max_area_fraction: largest object kept, as a share of the image.
        low_percentile, high_percentile: of the intensities, that become 0 and 1.
        normalization_skipped: whether intensities are taken as they are.
        iteration_count: of the flow dynamics.
        tile_overlap: of neighbouring tiles, as a share of a tile.
        cellpose_volume_mode: how a stack is segmented: "stitched" or "full"; None: one plane, by the view.
        stitch_threshold: overlap from which masks of neighbouring planes are one object.
        anisotropy: distance of the planes over the size of a pixel.
        flows_returned: whether the result has the arrays "flows" and "cell_probability".
    """

    flow_threshold: float | None = None
    cell_probability_threshold: float | None = None
    min_area_px: int | None = None
    max_area_fraction: float | None = None
    low_percentile: float | None = None
    high_percentile: float | None = None
    normalization_skipped: bool | None = None
    iteration_count: int | None = None
    tile_overlap: float | None = None
    cellpose_volume_mode: str | None = None
    stitch_threshold: float | None = None
    anisotropy: float | None = None
    flows_returned: bool | None = None


@dataclass(frozen=True, slots=True)
class Decoding:
    """How a model that takes words chooses the next one.

    Attributes:
        decoding_preset: "greedy" or "paper"; the other fields change single points of it.
        max_output_token_count: most tokens to write.
        temperature: of the sampling, 0 to 2; 0 takes the likeliest token.
        top_p: share of the probability that tokens are sampled from, above 0, at most 1.
        seed: of the sampling.
    """

    decoding_preset: str | None = None
    max_output_token_count: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class LlavaParameters:
    """Parameters of LLaVA.

    Attributes:
        decoding: how words are chosen.
        label_normalization: what the likelihood of a class is measured by: "token_mean", "none" or "prior".
    """

    decoding: Decoding | None = None
    label_normalization: str | None = None


@dataclass(frozen=True, slots=True)
class OpenaiParameters:
    """Parameters of the OpenAI proxy.

    Attributes:
        provider_model: the provider's name of the model; empty: the operator's default.
        decoding: how words are chosen.
        openai_detail: how closely the images are looked at: "low" or "high".
    """

    provider_model: str = ""
    decoding: Decoding | None = None
    openai_detail: str | None = None


@dataclass(frozen=True, slots=True)
class GeminiParameters:
    """Parameters of the Gemini proxy.

    Attributes:
        provider_model: the provider's name of the model; empty: the operator's default.
        decoding: how words are chosen.
        gemini_media_resolution: how many tokens each image becomes: "low", "medium" or "high".
    """

    provider_model: str = ""
    decoding: Decoding | None = None
    gemini_media_resolution: str | None = None


ObjectParameters = ClassicalParameters | SamParameters | CellposeParameters
"""Parameters of models that find objects."""
WordParameters = LlavaParameters | OpenaiParameters | GeminiParameters
"""Parameters of models that take words."""
ModelParameters = ObjectParameters | WordParameters
"""Parameters of any model."""
