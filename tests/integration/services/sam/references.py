"""What the library answers when it is called directly, and the images that it is asked about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco
from segment_anything import SamAutomaticMaskGenerator, SamPredictor
from segment_anything.modeling import Sam

from hooke import codecs
from hooke.images import Micrograph
from services.sam.parameters import SamPrompts

SHAPES = ((48, 64), (96, 40), (130, 130), (60, 200))


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """The library's masks, as COCO encodes them, and its scores and logits, as it gives them."""

    rles: tuple[bytes, ...]
    scores: NDArray[np.float64]
    logits: NDArray[np.float32] | None = None


def picture(seed: int, shape: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """RGB noise with bright discs; every seed has one of four sizes unless a size is given."""
    height, width = shape or SHAPES[seed % len(SHAPES)]
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 60, (height, width, 3))
    rows, columns = np.mgrid[:height, :width]
    for _ in range(6):
        row, column, radius = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(4, 15)
        disc = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
        pixels[disc] = rng.integers(100, 255, 3)
    return pixels.astype(np.uint8)


def micrograph(seed: int) -> Micrograph:
    """The picture as an image."""
    return codecs.from_array(picture(seed), "YXS")


def everything(sam: Sam, pixels: NDArray[np.uint8], limit: float | None = None, **options: Any) -> Reference:
    """The library's automatic masks; those of `limit` times the image's area or more are left out."""
    generator = SamAutomaticMaskGenerator(sam, output_mode="coco_rle", **options)
    largest = np.inf if limit is None else limit * pixels.shape[0] * pixels.shape[1]
    found = [each for each in generator.generate(pixels) if 0 < each["area"] < largest]
    return Reference(
        tuple(each["segmentation"]["counts"].encode() for each in found),
        np.clip([each["predicted_iou"] for each in found], 0, 1),
    )


def prompted(sam: Sam, pixels: NDArray[np.uint8], prompts: SamPrompts) -> Reference:
    """The library's masks for prompts, asked one object after the other."""
    predictor = SamPredictor(sam)
    predictor.set_image(pixels)
    points = np.array([(point.x_px, point.y_px) for point in prompts.points])
    inside = np.array([not point.background for point in prompts.points], int)
    corners = [
        np.array([box.x_px, box.y_px, box.x_px + box.width_px, box.y_px + box.height_px])
        for box in prompts.boxes
    ]
    masks, scores, logits = [], [], []
    for box in corners or [None]:
        found, quality, low = predictor.predict(
            point_coords=points if prompts.points else None,
            point_labels=inside if prompts.points else None,
            box=box,
            mask_input=None if prompts.mask_logits is None else prompts.mask_logits[None],
            multimask_output=bool(prompts.multimask_output),
        )
        masks += list(found)
        scores += quality.tolist()
        logits += list(low)
    rles = tuple(coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"] for mask in masks)
    return Reference(rles, np.clip(scores, 0, 1), np.array(logits))
