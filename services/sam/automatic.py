"""Everything in an image, by a grid of points."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from segment_anything import SamAutomaticMaskGenerator
from segment_anything.modeling import Sam
from segment_anything.utils.amg import (
    MaskData,
    batched_mask_to_box,
    generate_crop_boxes,
    mask_to_rle_pytorch,
    remove_small_regions,
    rle_to_mask,
)
from torchvision.ops.boxes import nms

from hooke import masks
from hooke.errors import ImageTooLargeError, InvalidRequestError
from runtime.batches import Abandonment
from runtime.tasks import Segmentation
from services.sam.encoder import EmbeddedPredictor, Pixels, too_narrow
from services.sam.parameters import GridParameters

MAX_SIDE_PX = 2**15 - 1
"""The library counts the pixels of a row in 16 bits."""


def check_grid(grid: GridParameters, shape: tuple[int, ...], image_size: int, max_cost: int) -> None:
    """Check that a grid can be laid over an image, and that it is not too dear.

    Args:
        grid: its parameters.
        shape: rows and columns of the image.
        image_size: side of the square that images are scaled to, in pixels.
        max_cost: most points, counted as `GridParameters.cost` does.

    Raises:
        InvalidRequestError: it cannot, or it is.
    """
    if grid.cost > max_cost:
        raise InvalidRequestError.of_field(
            "sam.points_per_side",
            f"with {grid.crop_layer_count} layers of crops this grid costs as much as {grid.cost} points, "
            f"and the server computes at most {max_cost}",
        )
    if max(shape[:2]) > MAX_SIDE_PX:
        raise ImageTooLargeError.of_field("image", f"a side is longer than {MAX_SIDE_PX} pixels")
    crops, _ = generate_crop_boxes(shape[:2], grid.crop_layer_count, grid.crop_overlap_ratio)
    if any(too_narrow((bottom - top, right - left), image_size) for left, top, right, bottom in crops[1:]):
        raise InvalidRequestError.of_field(
            "sam.crop_layer_count", f"the image is too small for {grid.crop_layer_count} layers of crops"
        )


def segment_everything(
    sam: Sam, predictor: EmbeddedPredictor, pixels: Pixels, grid: GridParameters, abandoned: Abandonment
) -> Segmentation:
    """Segment everything, as the library's own generator does with these parameters.

    Returns:
        `rles` in the library's order, their predicted IoU as `scores`; the caller adds the parameters.

    Raises:
        DeadlineExceededError: nobody waits for the answer any more.
    """
    generator = FrugalGenerator(
        abandoned,
        sam,
        points_per_side=grid.points_per_side,
        points_per_batch=grid.points_per_batch,
        pred_iou_thresh=grid.pred_iou_thresh,
        stability_score_thresh=grid.stability_score_thresh,
        stability_score_offset=grid.stability_score_offset,
        box_nms_thresh=grid.box_nms_thresh,
        crop_n_layers=grid.crop_layer_count,
        crop_nms_thresh=grid.crop_nms_thresh,
        crop_overlap_ratio=grid.crop_overlap_ratio,
        crop_n_points_downscale_factor=grid.crop_points_downscale_factor,
        min_mask_region_area=grid.min_mask_region_area_px,
        # A mask as pixels would take as much memory as the image.
        output_mode="uncompressed_rle",
    )
    generator.predictor = predictor
    records: list[dict[str, Any]] = generator.generate(pixels)
    if grid.max_area_fraction is not None:
        largest = grid.max_area_fraction * pixels.shape[0] * pixels.shape[1]
        records = [record for record in records if record["area"] < largest]
    # Without thresholds the library returns masks without pixels, too.
    records = [record for record in records if record["area"] > 0]
    scores = np.array([record["predicted_iou"] for record in records], np.float64)
    return Segmentation(
        labels=None,
        # The network predicts a number that is an IoU only by training.
        scores=np.clip(scores, 0, 1),
        rles=masks.encode_counts([record["segmentation"]["counts"] for record in records]),
    )


class FrugalGenerator(SamAutomaticMaskGenerator):  # type: ignore[misc]  # the library publishes no types
    """The library's generator; but it can be stopped, and removes small regions one mask at a time.

    The library has all masks as pixels at once, twice: thousands of them times the size of the image.

    Args:
        abandoned: checked before every batch of points.
        sam: the model.
        options: those of the library.
    """

    def __init__(self, abandoned: Abandonment, sam: Sam, **options: Any) -> None:
        super().__init__(sam, **options)
        self._abandoned = abandoned

    def _process_batch(self, *arguments: Any) -> MaskData:
        self._abandoned.check()
        return super()._process_batch(*arguments)

    @staticmethod
    def postprocess_small_regions(mask_data: MaskData, min_area: int, nms_thresh: float) -> MaskData:
        """Remove small regions and holes, then masks whose boxes have become much the same."""
        rles = mask_data["rles"]
        if not rles:
            return mask_data
        boxes = []
        changed: dict[int, dict[str, Any]] = {}
        for index, rle in enumerate(rles):
            filled, has_filled = remove_small_regions(rle_to_mask(rle), min_area, mode="holes")
            cleaned, has_cleaned = remove_small_regions(filled, min_area, mode="islands")
            mask = torch.as_tensor(cleaned)[None]
            boxes.append(batched_mask_to_box(mask)[0])
            if has_filled or has_cleaned:
                changed[index] = mask_to_rle_pytorch(mask)[0]
        found = torch.stack(boxes)
        untouched_first = torch.tensor([float(index not in changed) for index in range(len(boxes))])
        for index, rle in changed.items():
            rles[index], mask_data["boxes"][index] = rle, found[index]
        mask_data.filter(nms(found.float(), untouched_first, nms_thresh))
        return mask_data
