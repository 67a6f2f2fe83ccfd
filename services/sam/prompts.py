"""What points, boxes and earlier masks mark."""

from __future__ import annotations

import numpy as np
import torch
from segment_anything.utils.amg import mask_to_rle_pytorch

from hooke import masks
from hooke.errors import FieldViolation, InvalidRequestError
from runtime.batches import Abandonment
from runtime.tasks import Segmentation
from services.sam.encoder import EmbeddedPredictor
from services.sam.parameters import SamPrompts

_ROUNDING_PX = 1e-3
"""By so much a box may leave the image: edges are often sums of rounded numbers."""


def check_prompts(prompts: SamPrompts, shape: tuple[int, ...], mask_size: int) -> None:
    """Check that prompts lie in the image and that the mask is of the model's size.

    Args:
        prompts: what is marked.
        shape: rows and columns of the image.
        mask_size: rows and columns of the model's mask logits.

    Raises:
        InvalidRequestError: with one violation for each that does not.
    """
    height, width = shape[:2]
    outside = f"lies outside of the image of {width} x {height} pixels"
    violations = [
        FieldViolation(f"sam.prompts.points[{index}]", f"({point.x_px:g}, {point.y_px:g}) {outside}")
        for index, point in enumerate(prompts.points)
        if not (0 <= point.x_px <= width and 0 <= point.y_px <= height)
    ]
    violations += [
        FieldViolation(f"sam.prompts.boxes[{index}]", f"{box} {outside}")
        for index, box in enumerate(prompts.boxes)
        if min(box.x_px, box.y_px) < -_ROUNDING_PX
        or box.x_px + box.width_px > width + _ROUNDING_PX
        or box.y_px + box.height_px > height + _ROUNDING_PX
    ]
    if prompts.mask_logits is not None and prompts.mask_logits.shape != (mask_size, mask_size):
        found = " x ".join(map(str, prompts.mask_logits.shape))
        violations.append(
            FieldViolation(
                "sam.prompts.mask_logits", f"the model's masks are {mask_size} x {mask_size}, not {found}"
            )
        )
    if violations:
        text = "; ".join(f"{found.field}: {found.description}" for found in violations)
        raise InvalidRequestError(text, violations=violations)


def segment_prompts(
    predictor: EmbeddedPredictor, prompts: SamPrompts, at_once: int, abandoned: Abandonment
) -> Segmentation:
    """Segment what is marked.

    Coordinates are the library's own, handed on as they are.

    Args:
        predictor: has the image.
        prompts: fit the image.
        at_once: most boxes decoded together.
        abandoned: checked before each of their passes.

    Returns:
        For each object one mask, or three with `multimask_output`, in the order of the boxes; their predicted
        IoU as `scores` and, if asked for, `arrays["mask_logits"]`. The parameters are the caller's to add.

    Raises:
        DeadlineExceededError: nobody waits for the answer any more.
    """
    points, labels = _points(predictor, prompts)
    boxes = _boxes(predictor, prompts)
    logits = prompts.mask_logits
    mask = None if logits is None else torch.as_tensor(np.array(logits)[None, None], device=predictor.device)
    rles: list[bytes] = []
    scores, low_resolution = [], []
    for some_boxes in [None] if boxes is None else boxes.split(at_once):
        abandoned.check()
        found, quality, low = predictor.predict_torch(
            points, labels, some_boxes, mask, multimask_output=bool(prompts.multimask_output)
        )
        runs = mask_to_rle_pytorch(found.flatten(0, 1))
        rles += masks.encode_counts([each["counts"] for each in runs])
        scores.append(quality.flatten().cpu().numpy().astype(np.float64))
        low_resolution.append(low.flatten(0, 1).cpu().numpy())
    arrays = {"mask_logits": np.concatenate(low_resolution)} if prompts.mask_logits_returned else {}
    return Segmentation(
        labels=None, scores=np.clip(np.concatenate(scores), 0, 1), rles=tuple(rles), arrays=arrays
    )


def _points(
    predictor: EmbeddedPredictor, prompts: SamPrompts
) -> tuple[torch.Tensor, torch.Tensor] | tuple[None, None]:
    """The points of the one object, 1 x N x 2, and whether each lies in it, 1 x N."""
    if not prompts.points:
        return None, None
    coordinates = np.array([(point.x_px, point.y_px) for point in prompts.points])
    inside = [0 if point.background else 1 for point in prompts.points]
    scaled = predictor.transform.apply_coords(coordinates, predictor.original_size)
    return (
        torch.as_tensor(scaled[None], dtype=torch.float, device=predictor.device),
        torch.as_tensor([inside], dtype=torch.int, device=predictor.device),
    )


def _boxes(predictor: EmbeddedPredictor, prompts: SamPrompts) -> torch.Tensor | None:
    """The boxes, B x 4: left, top, right, bottom."""
    if not prompts.boxes:
        return None
    corners = np.array(
        [(box.x_px, box.y_px, box.x_px + box.width_px, box.y_px + box.height_px) for box in prompts.boxes]
    )
    scaled = predictor.transform.apply_boxes(corners, predictor.original_size)
    return torch.as_tensor(scaled, dtype=torch.float, device=predictor.device)
