"""SAM with random weights, and the library called directly; apart, since PyTorch takes seconds to import."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything import SamPredictor, sam_model_registry
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

_HEADS = 8


def vit_b() -> Sam:
    """The smallest published size: 94 million parameters."""
    torch.manual_seed(0)
    return sam_model_registry["vit_b"]().eval()


def small() -> Sam:
    """A size that encodes in a second or less on a core of a CPU, for images of 512 x 512 pixels."""
    torch.manual_seed(0)
    side, width = 512, 256
    sam = Sam(
        ImageEncoderViT(
            img_size=side,
            embed_dim=384,
            depth=6,
            num_heads=6,
            out_chans=width,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=14,
            global_attn_indexes=(2, 5),
        ),
        PromptEncoder(
            embed_dim=width,
            image_embedding_size=(side // 16, side // 16),
            input_image_size=(side, side),
            mask_in_chans=16,
        ),
        MaskDecoder(
            transformer=TwoWayTransformer(depth=2, embedding_dim=width, mlp_dim=2048, num_heads=_HEADS),
            transformer_dim=width,
        ),
    )
    return sam.eval()


def write_checkpoint(sam: Sam, path: Path) -> None:
    """Write the weights, and the JSON file that belongs beside them."""
    torch.save(sam.state_dict(), path)
    path.with_suffix(".json").write_text(json.dumps({"decoder_heads": _HEADS}), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Library:
    """The library, on one thread."""

    sam: Sam

    def click(self, pixels: NDArray[np.uint8], x_px: float, y_px: float) -> float:
        """Encode an image and decode one point; returns the predicted IoU."""
        torch.set_num_threads(1)
        predictor = SamPredictor(self.sam)
        predictor.set_image(pixels)
        _, scores, _ = predictor.predict(
            np.array([[x_px, y_px]]), np.array([1], np.int64), multimask_output=False
        )
        return float(scores[0])
