"""The parameters of SAM: the twin of its message, the presets, and what a grid costs."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from hooke.errors import InvalidRequestError
from hooke.types import UsedParameter
from hooke.v1 import mask_pb2, parameters_pb2
from services.sam.parameters import (
    PRESETS,
    GridParameters,
    SamBox,
    SamParameters,
    SamPoint,
    SamPrompts,
    decide_grid,
    used_grid,
    used_prompts,
)

POINT = SamPoint(x_px=3, y_px=4)
BOX = SamBox(x_px=1, y_px=2, width_px=3, height_px=4)


# Every field of the messages has its twin, and every preset its name.
@pytest.mark.parametrize(
    ("twin", "message"),
    [
        (SamParameters, parameters_pb2.SamParameters),
        (SamPrompts, parameters_pb2.SamPrompts),
        (SamPoint, parameters_pb2.SamPoint),
        (SamBox, mask_pb2.BoundingBox),
    ],
)
def test_twins(twin: Any, message: Any) -> None:
    assert list(twin.model_fields) == [field.name for field in message.DESCRIPTOR.fields]
    names = [name.removeprefix("SAM_PRESET_").lower() for name in parameters_pb2.SamPreset.keys()]  # noqa: SIM118
    assert names == ["unspecified", *PRESETS]


# Every number has the bounds that its comment on the wire states; what is no number is refused everywhere.
@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("points_per_side", [1, 256], [0, 257]),
        ("points_per_batch", [1, 1024], [0, 1025]),
        ("pred_iou_thresh", [0, 1], [-0.1, 1.1, float("nan")]),
        ("stability_score_thresh", [0, 1], [-0.1, 1.1, float("nan")]),
        ("stability_score_offset", [0, 5], [-1, float("nan"), float("inf")]),
        ("box_nms_thresh", [0, 1], [-0.1, 1.1, float("nan")]),
        ("crop_layer_count", [0, 4], [-1, 5]),
        ("crop_nms_thresh", [0, 1], [-0.1, 1.1, float("nan")]),
        ("crop_overlap_ratio", [0, 1], [-0.1, 1.1, float("nan")]),
        ("crop_points_downscale_factor", [1, 8], [0]),
        ("min_mask_region_area_px", [0, 100], [-1]),
        ("max_area_fraction", [0, 1], [-0.1, 1.1, float("nan")]),
        ("session_id", ["", "a" * 128], ["a" * 129]),
        ("sam_preset", ["default", "paper", "microscopy"], ["other"]),
    ],
)
def test_bounds(name: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert getattr(SamParameters(**{name: value}), name) == value
    for value in bad:
        with pytest.raises(ValidationError):
            SamParameters(**{name: value})


# Prompts that do not fit together are refused with a sentence that says why.
@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ({}, "set points, boxes or mask_logits"),
        ({"points": (POINT,), "boxes": (BOX, BOX)}, "at most one box"),
        ({"boxes": (BOX, BOX), "mask_logits": np.zeros((4, 4), np.float32)}, "at most one box"),
        ({"mask_logits": np.zeros((3, 4, 4), np.float32)}, "one mask is needed"),
        ({"mask_logits": np.full((4, 4), np.inf, np.float32)}, "finite"),
        ({"points": ({"x_px": float("nan"), "y_px": 0},)}, "finite"),
        ({"boxes": ({"x_px": 0, "y_px": 0, "width_px": 0, "height_px": 1},)}, "greater than 0"),
        ({"points": (POINT,) * 1025}, "at most 1024"),
    ],
)
def test_prompts_that_do_not_fit_together(prompts: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SamPrompts(**prompts)


# Parameters of the grid have no effect on prompts, so they are refused with them; a session goes with both.
def test_prompts_and_the_grid() -> None:
    prompts = SamPrompts(points=(POINT,))
    with pytest.raises(ValidationError, match="leave out sam_preset, max_area_fraction"):
        SamParameters(sam_preset="paper", max_area_fraction=0.5, prompts=prompts)
    assert SamParameters(prompts=prompts, session_id="s").prompts == prompts


# The mask of an answer with a single object can be handed back as it came.
def test_masks_may_have_the_dimension_of_objects() -> None:
    logits = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    prompts = SamPrompts(mask_logits=logits)
    assert prompts.mask_logits is not None
    assert np.array_equal(prompts.mask_logits, logits[0])


# "paper" is the published SAM-custom.
def test_the_preset_of_the_paper() -> None:
    grid = decide_grid(SamParameters(sam_preset="paper"))
    assert (grid.points_per_side, grid.points_per_batch) == (32, 64)
    assert (grid.pred_iou_thresh, grid.stability_score_thresh) == (0.98, 0.98)
    assert (grid.box_nms_thresh, grid.crop_nms_thresh, grid.crop_overlap_ratio) == (0.90, 0.95, 0.05)
    assert (grid.crop_layer_count, grid.max_area_fraction) == (0, 0.25)


# What is asked for takes the place of the preset's; without a preset it is the default's.
def test_single_values_change_a_preset() -> None:
    for name in PRESETS:
        plain = decide_grid(SamParameters(sam_preset=name))
        changed = decide_grid(SamParameters(sam_preset=name, pred_iou_thresh=0.0, max_area_fraction=0.5))
        differing = {f.name for f in fields(plain) if getattr(plain, f.name) != getattr(changed, f.name)}
        assert differing == {"pred_iou_thresh", "max_area_fraction"}
    assert decide_grid(SamParameters()) == decide_grid(SamParameters(sam_preset="default"))


# Points are counted over all crops: 4 to the power of the layer, each with the points of its layer.
def test_what_a_grid_costs() -> None:
    assert decide_grid(SamParameters()).cost == 32 * 32
    assert decide_grid(SamParameters(sam_preset="microscopy")).cost == 64**2 + 4 * (32**2 + 1000)
    grid = decide_grid(SamParameters(points_per_side=20, crop_layer_count=2, crop_points_downscale_factor=3))
    assert grid.points_by_layer == (20, 6, 2)
    assert grid.cost == 400 + 4 * (36 + 1000) + 16 * (4 + 1000)


# A grid whose crops would have no points is refused, since the library fails on it.
def test_a_grid_without_points() -> None:
    with pytest.raises(InvalidRequestError, match="leaves none") as caught:
        decide_grid(SamParameters(points_per_side=4, crop_layer_count=2, crop_points_downscale_factor=3))
    assert caught.value.violations[0].field == "sam.crop_points_downscale_factor"


# The answer states every parameter of the grid, and which of them the server chose.
def test_used_parameters() -> None:
    asked = SamParameters(points_per_side=16, points_per_batch=64)
    used = {each.name: each for each in used_grid(asked, decide_grid(asked))}
    assert list(used) == ["sam_preset", *(field.name for field in fields(GridParameters))]
    assert used["points_per_side"] == UsedParameter("points_per_side", 16)
    assert used["sam_preset"] == UsedParameter("sam_preset", "default", chosen_by_server=True)
    assert used["max_area_fraction"] == UsedParameter("max_area_fraction", "no limit", chosen_by_server=True)
    fewer = {
        each.name: each
        for each in used_grid(asked, GridParameters(**{**PRESETS["default"], "points_per_batch": 16}))
    }
    assert fewer["points_per_batch"] == UsedParameter("points_per_batch", 16, chosen_by_server=True)


# The answer states every prompt; the mask by its hash.
def test_used_prompts() -> None:
    outside = SamPoint(x_px=5.5, y_px=6, background=True)
    prompts = SamPrompts(points=(POINT, outside), boxes=(BOX,), mask_logits=np.zeros((4, 4), np.float32))
    values = {each.name: each.value for each in used_prompts(prompts)}
    assert values["prompts.points"] == "+(3, 4) -(5.5, 6)"
    assert values["prompts.boxes"] == "(1, 2, 3, 4)"
    assert str(values["prompts.mask_logits"]).startswith("sha256:")
    assert values["prompts.multimask_output"] is False
