"""Embeddings of SAM: images of 1024 x 1024 pixels through the encoder of vit_h with random weights."""

from __future__ import annotations

import torch
from segment_anything import SamPredictor, sam_model_registry

from benchmarks.gpu.work import Work, micrographs
from services.sam.encoder import Encoder
from tests.tiny import sam as tiny_sam

TITLE = "SAM vit_h, embedding of 1024 x 1024"


def load(device: torch.device, dtype: torch.dtype, *, tiny: bool) -> Work:
    """Build the model, or a tiny one of its kind."""
    sam = tiny_sam.build() if tiny else sam_model_registry["vit_h"]()
    sam = sam.eval().to(device)
    images = micrographs(sam.image_encoder.img_size, tiny=tiny)
    encoder = Encoder(sam, dtype)
    predictor = SamPredictor(sam)

    def plain() -> int:
        for image in images:
            predictor.set_image(image)
        return len(images)

    def batched(size: int) -> int:
        return len(encoder.encode(images, size))

    return Work(plain if dtype is torch.float32 else None, batched)  # the predictor knows no other
