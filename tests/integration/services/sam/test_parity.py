"""Our answers are those of the library called directly, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from segment_anything import SamAutomaticMaskGenerator, SamPredictor
from segment_anything.modeling import Sam

from hooke import masks
from runtime.tasks import Segmentation, SegmentTask
from services.sam.encoder import Encoder
from services.sam.model import SamModel
from services.sam.parameters import PRESETS, SamBox, SamParameters, SamPoint, SamPrompts
from services.sam.pipeline import Pipeline
from tests.integration.services.sam.references import Reference, everything, micrograph, picture, prompted

pytestmark = pytest.mark.torch

INNER, OUTER = SamPoint(x_px=20, y_px=30), SamPoint(x_px=35.5, y_px=11.25, background=True)
BOX = SamBox(x_px=5, y_px=6.5, width_px=22, height_px=30)
BOXES = tuple(SamBox(x_px=3 * i, y_px=2 * i, width_px=10 + i, height_px=25 - i) for i in range(7))
LOGITS = np.random.default_rng(3).normal(0, 4, (32, 32)).astype(np.float32)

OURS = {"crop_n_layers": "crop_layer_count", "crop_n_points_downscale_factor": "crop_points_downscale_factor"}
"""What the library calls otherwise."""

GRIDS: dict[str, dict[str, Any]] = {
    "the default thresholds": {"points_per_side": 10},
    "no thresholds": {"points_per_side": 5, "pred_iou_thresh": 0.0, "stability_score_thresh": 0.0},
    "nothing is good enough": {"points_per_side": 5, "pred_iou_thresh": 1.0, "stability_score_thresh": 1.0},
    "an odd batch": {"points_per_side": 8, "points_per_batch": 7, "pred_iou_thresh": 0.8},
    "another offset": {"points_per_side": 8, "stability_score_offset": 40.0, "pred_iou_thresh": 0.8},
    "overlaps kept": {"points_per_side": 6, "box_nms_thresh": 1.0, "pred_iou_thresh": 0.8},
    "crops": {
        "points_per_side": 6,
        "crop_n_layers": 1,
        "crop_n_points_downscale_factor": 2,
        "crop_overlap_ratio": 0.2,
        "crop_nms_thresh": 0.4,
        "pred_iou_thresh": 0.8,
        "stability_score_thresh": 0.5,
    },
    "two layers of crops that overlap by all they can": {
        "points_per_side": 4,
        "crop_n_layers": 2,
        "crop_overlap_ratio": 1.0,
        "pred_iou_thresh": 0.85,
    },
    "small regions removed": {"points_per_side": 6, "min_mask_region_area": 25, "pred_iou_thresh": 0.8},
}


def ours(options: dict[str, Any]) -> SamParameters:
    """Our parameters of the library's options."""
    renamed = {OURS.get(name, name): value for name, value in options.items()}
    if "min_mask_region_area" in renamed:
        renamed["min_mask_region_area_px"] = renamed.pop("min_mask_region_area")
    return SamParameters(**renamed)


def assert_equal(found: Segmentation, expected: Reference) -> None:
    assert found.rles == expected.rles
    assert found.scores is not None
    assert np.array_equal(found.scores, expected.scores)


# Automatic masks, whatever the parameters and the size; asked again, too, when the embedding is known.
@pytest.mark.parametrize("name", GRIDS)
def test_everything(name: str, model: SamModel, library: Sam) -> None:
    parameters = ours(GRIDS[name])
    counts = 0
    for seed in range(4):
        expected = everything(library, picture(seed), **GRIDS[name])
        for _ in range(2):
            (found,) = model.segment([SegmentTask(micrograph(seed), parameters=parameters)])
            assert_equal(found, expected)
        counts += len(expected.rles)
    assert (counts > 0) is (name != "nothing is good enough")


# Masks of the given share of the image or more are dropped, and no others.
def test_large_masks_are_dropped(model: SamModel, library: Sam) -> None:
    options = {"points_per_side": 5, "pred_iou_thresh": 0.0, "stability_score_thresh": 0.0}
    whole = everything(library, picture(2), **options)
    areas = sorted(int(masks.decode_mask(rle, (130, 130)).sum()) for rle in whole.rles)
    limit = areas[len(areas) // 2] / 130**2
    expected = everything(library, picture(2), limit, **options)
    assert 0 < len(expected.rles) < len(whole.rles)
    (found,) = model.segment(
        [SegmentTask(micrograph(2), parameters=SamParameters(**options, max_area_fraction=limit))]
    )
    assert_equal(found, expected)


# Our default preset says what the library's defaults are.
def test_the_default_preset(library: Sam) -> None:
    generator = SamAutomaticMaskGenerator(library)
    names = {ours: name for name, ours in OURS.items()} | {"min_mask_region_area_px": "min_mask_region_area"}
    for name, value in PRESETS["default"].items():
        if name != "points_per_side":
            assert getattr(generator, names.get(name, name)) == value
    assert len(generator.point_grids[0]) == PRESETS["default"]["points_per_side"] ** 2


# Points, boxes, both, and an earlier mask give the library's masks, scores and logits, one mask or three.
@pytest.mark.parametrize("multimask", [None, False, True])
@pytest.mark.parametrize(
    "prompts",
    [
        {"points": (INNER,)},
        {"points": (INNER, OUTER, SamPoint(x_px=0, y_px=0))},
        {"boxes": (BOX,)},
        {"points": (INNER, OUTER), "boxes": (BOX,)},
        {"mask_logits": LOGITS},
        {"points": (INNER,), "mask_logits": LOGITS},
        {"points": (OUTER,), "boxes": (BOX,), "mask_logits": LOGITS},
    ],
    ids=["point", "points", "box", "points and box", "mask", "point and mask", "all"],
)
def test_prompts(prompts: dict[str, Any], multimask: bool | None, model: SamModel, library: Sam) -> None:
    asked = SamPrompts(**prompts, multimask_output=multimask, mask_logits_returned=True)
    for seed in range(4):
        expected = prompted(library, picture(seed), asked)
        (found,) = model.segment([SegmentTask(micrograph(seed), parameters=SamParameters(prompts=asked))])
        assert_equal(found, expected)
        assert expected.logits is not None
        assert len(expected.rles) == (3 if multimask else 1)
        assert np.array_equal(found.arrays["mask_logits"], expected.logits)


# Boxes that are decoded together give what the library gives for them together.
def test_boxes_together(model: SamModel, library: Sam) -> None:
    predictor = SamPredictor(library)
    predictor.set_image(picture(2))
    corners = np.array([[b.x_px, b.y_px, b.x_px + b.width_px, b.y_px + b.height_px] for b in BOXES])
    scaled = torch.as_tensor(predictor.transform.apply_boxes(corners, (130, 130)), dtype=torch.float)
    together, scores, logits = predictor.predict_torch(None, None, scaled, multimask_output=True)
    asked = SamPrompts(boxes=BOXES, multimask_output=True, mask_logits_returned=True)
    (found,) = model.segment([SegmentTask(micrograph(2), parameters=SamParameters(prompts=asked))])
    assert found.rles is not None
    assert len(found.rles) == 21
    for rle, mask in zip(found.rles, together.flatten(0, 1), strict=True):
        assert np.array_equal(masks.decode_mask(rle, (130, 130)), mask.numpy())
    assert np.array_equal(found.scores, np.clip(scores.flatten().double().numpy(), 0, 1))  # type: ignore[arg-type]
    assert np.array_equal(found.arrays["mask_logits"], logits.flatten(0, 1).numpy())


# Each box of many is the object that it is alone, but for the last digits of the logits.
def test_boxes_alone(model: SamModel, library: Sam) -> None:
    asked = SamPrompts(boxes=BOXES, mask_logits_returned=True)
    expected = prompted(library, picture(2), asked)
    (found,) = model.segment([SegmentTask(micrograph(2), parameters=SamParameters(prompts=asked))])
    assert expected.logits is not None
    assert np.allclose(found.arrays["mask_logits"], expected.logits, rtol=1e-4, atol=1e-2)


# Without being asked for, logits are not returned.
def test_logits_are_returned_on_request_only(model: SamModel) -> None:
    asked = SamParameters(prompts=SamPrompts(points=(INNER,)))
    (found,) = model.segment([SegmentTask(micrograph(0), parameters=asked)])
    assert not found.arrays


# Tasks of a batch have the answers that they have alone: images of any size, known or not, any parameters.
def test_batches(model: SamModel, library: Sam) -> None:
    grid = {"points_per_side": 6, "pred_iou_thresh": 0.8}
    prompts = SamPrompts(points=(INNER,))
    tasks, expected = [], []
    for seed in (0, 1, 2, 3, 0, 2):
        tasks += [
            SegmentTask(micrograph(seed), parameters=ours(grid)),
            SegmentTask(micrograph(seed), parameters=SamParameters(prompts=prompts)),
        ]
        expected += [everything(library, picture(seed), **grid), prompted(library, picture(seed), prompts)]
    for found, reference in zip(model.segment(tasks), expected, strict=True):
        assert_equal(found, reference)


# Encoded one by one, embeddings are the library's to the bit; in one pass they differ in the last digits.
def test_embeddings(library: Sam) -> None:
    images = [picture(seed) for seed in range(4)]
    encoder = Encoder(library, torch.float32)
    alone, together = encoder.encode(images), encoder.encode(images, at_once=3)
    predictor = SamPredictor(library)
    for image, single, batched in zip(images, alone, together, strict=True):
        predictor.set_image(image)
        assert torch.equal(single, predictor.get_image_embedding())
        assert torch.allclose(batched, single, rtol=0, atol=4e-6)


# Precision is the encoder's; what it gives and all that follows is float32.
def test_precision(settings: Any, library: Sam) -> None:
    model = SamModel(settings.model_copy(update={"precision": "bfloat16"}))
    assert "bfloat16" in model.load().device
    pipeline = model._pipeline
    assert isinstance(pipeline, Pipeline)
    assert {each.dtype for each in pipeline._sam.image_encoder.parameters()} == {torch.bfloat16}
    assert {each.dtype for each in pipeline._sam.mask_decoder.parameters()} == {torch.float32}
    (embedding,) = pipeline._encoder.encode([picture(0)])
    (exact,) = Encoder(library, torch.float32).encode([picture(0)])
    assert embedding.dtype == torch.float32
    assert 0 < (embedding - exact).abs().max() < 0.2
    (found,) = model.segment([SegmentTask(micrograph(0), parameters=SamParameters(points_per_side=6))])
    assert found.rles is not None
