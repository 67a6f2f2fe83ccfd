"""A tiny SAM with random weights: every path of the large ones, in milliseconds.

The weights are wide, so that masks differ from point to point and their logits are steep enough to be stable,
and predicted qualities lie about the default threshold: some of the masks are kept, and they overlap.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import torch
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

from hooke.parameters import SamParameters
from services.sam.settings import SamSettings

PARAMETERS = SamParameters(points_per_side=8)
"""A grid of 64 points instead of 1,024."""

IMAGE_PX = 128
WIDTH = 32
DECODER_HEADS = 4


def build(seed: int = 15) -> Sam:
    """The model: an encoder of two layers, one of them windowed, for images of 128 x 128 pixels."""
    torch.manual_seed(seed)
    grid = (IMAGE_PX // 16, IMAGE_PX // 16)
    sam = Sam(
        ImageEncoderViT(
            img_size=IMAGE_PX,
            patch_size=16,
            embed_dim=WIDTH,
            depth=2,
            num_heads=2,
            out_chans=WIDTH,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=7,
            global_attn_indexes=(1,),
        ),
        PromptEncoder(
            embed_dim=WIDTH,
            image_embedding_size=grid,
            input_image_size=(IMAGE_PX, IMAGE_PX),
            mask_in_chans=16,
        ),
        MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(depth=2, embedding_dim=WIDTH, mlp_dim=64, num_heads=DECODER_HEADS),
            transformer_dim=WIDTH,
            iou_head_depth=3,
            iou_head_hidden_dim=WIDTH,
        ),
    )
    with torch.no_grad():
        for name, weights in sam.mask_decoder.named_parameters():
            if weights.ndim > 1 and not name.startswith("iou"):
                weights.mul_(5)
            if "hypernetworks" in name and "layers.2" in name:
                weights.mul_(100 if weights.ndim > 1 else 0)
        quality = sam.mask_decoder.iou_prediction_head.layers[-1]
        quality.weight.mul_(0.3)
        quality.bias.fill_(0.88)
    return sam.eval()


def write_checkpoint(folder: Path, name: str = "tiny", seed: int = 15) -> Path:
    """Write the weights and the JSON file that belongs beside them; return where."""
    path = folder / f"{name}.pth"
    torch.save(build(seed).state_dict(), path)
    path.with_suffix(".json").write_text(json.dumps({"decoder_heads": DECODER_HEADS}), encoding="utf-8")
    return path


def settings(folder: Path, **changes: Any) -> SamSettings:
    """Settings of a service with tiny weights, which are written into the folder."""
    write_checkpoint(folder)
    values = {"host": "127.0.0.1", "port": 0, "weights_dir": folder, "threads": 1, "device": "cpu"}
    return SamSettings.model_validate({**values, "sam_checkpoint": "tiny.pth", **changes})
