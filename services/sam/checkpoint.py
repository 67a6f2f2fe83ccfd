"""Loads a checkpoint of SAM of any size, strictly: every weight is there, and nothing else.

The sizes are read from the shapes of the weights. Only the number of attention heads of the mask decoder is
not in the shapes: see `services.sam.weights`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

from runtime.weights import WeightsError, sha256_of
from services.sam.weights import FETCH, Weights

StateDict = Mapping[str, torch.Tensor]


class NoSamError(Exception):
    """The weights are none of a SAM; the message says why."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded model.

    Attributes:
        sam: on the CPU, float32, for inference only.
        name: of the weights.
        sha256: of the file.
    """

    sam: Sam
    name: str
    sha256: str


def load_checkpoint(weights: Weights) -> Checkpoint:
    """Load a file of weights.

    Raises:
        WeightsError: the file is damaged, or no SAM; the message names it and says how to mend it.
    """
    try:
        sam = build(_read(weights.path), weights.decoder_heads)
    except NoSamError as error:
        raise WeightsError(
            f"{weights.path}: {error}. HOOKE_SAM_CHECKPOINT says which file is loaded; get published weights "
            f"with:\n  {FETCH}"
        ) from None
    return Checkpoint(sam, weights.name, sha256_of(weights.path))


def build(weights: StateDict, decoder_heads: int) -> Sam:
    """Make the model that weights belong to.

    Raises:
        NoSamError: they belong to none.
    """
    try:
        # Without memory, so that nothing is made at random only to be overwritten.
        with torch.device("meta"):
            parts = _parts(weights, decoder_heads)
    except KeyError as error:
        raise NoSamError(f"the weights have no {error.args[0]}") from None
    except (AssertionError, IndexError, ValueError, ZeroDivisionError) as error:
        raise NoSamError(f"the shapes of the weights do not fit together ({error})") from None
    sam = Sam(*parts)
    _check(sam.state_dict(), weights)
    sam.load_state_dict({key: value.float() for key, value in weights.items()}, assign=True)
    return sam.eval().requires_grad_(requires_grad=False)


def _read(path: Path) -> StateDict:
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # There is no list of what a damaged file may raise.
        reason = str(error).partition("\n")[0]
        raise NoSamError(f"it cannot be read as weights ({reason})") from error
    if not isinstance(weights, dict) or not all(isinstance(each, torch.Tensor) for each in weights.values()):
        raise NoSamError("it holds something else than weights by name")
    return weights


def _check(expected: StateDict, weights: StateDict) -> None:
    faults = [f"{key} is missing" for key in expected if key not in weights]
    faults += [f"{key} is unknown" for key in weights if key not in expected]
    faults += [
        f"{key} has shape {tuple(weights[key].shape)} instead of {tuple(value.shape)}"
        for key, value in expected.items()
        if key in weights and weights[key].shape != value.shape
    ]
    if faults:
        more = f", and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise NoSamError("these are not the weights of a SAM: " + ", ".join(faults[:5]) + more)


def _parts(weights: StateDict, decoder_heads: int) -> tuple[ImageEncoderViT, PromptEncoder, MaskDecoder]:
    """The encoder, prompt encoder and decoder that have weights of these shapes."""

    def shape(key: str) -> torch.Size:
        return weights[key].shape

    patch = shape("image_encoder.patch_embed.proj.weight")[-1]
    grid, width = shape("image_encoder.pos_embed")[1], shape("image_encoder.pos_embed")[3]
    depth = _count(weights, "image_encoder.blocks.{}.norm1.weight")
    # n places along a side that attend to each other have 2 n - 1 relative positions.
    reach = [(shape(f"image_encoder.blocks.{i}.attn.rel_pos_h")[0] + 1) // 2 for i in range(depth)]
    windows = {each for each in reach if each != grid} or {0}
    if len(windows) > 1:
        raise ValueError(f"windows of {len(windows)} sizes")
    prompt_width = shape("image_encoder.neck.0.weight")[0]
    lin1 = shape("mask_decoder.transformer.layers.0.mlp.lin1.weight")
    cross = shape("mask_decoder.transformer.final_attn_token_to_image.q_proj.weight")
    encoder = ImageEncoderViT(
        img_size=grid * patch,
        patch_size=patch,
        embed_dim=width,
        depth=depth,
        num_heads=width // shape("image_encoder.blocks.0.attn.rel_pos_h")[1],
        mlp_ratio=shape("image_encoder.blocks.0.mlp.lin1.weight")[0] / width,
        out_chans=prompt_width,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=windows.pop(),
        global_attn_indexes=tuple(i for i, each in enumerate(reach) if each == grid),
    )
    prompt_encoder = PromptEncoder(
        embed_dim=prompt_width,
        image_embedding_size=(grid, grid),
        input_image_size=(grid * patch, grid * patch),
        mask_in_chans=shape("prompt_encoder.mask_downscaling.3.weight")[0],
    )
    decoder = MaskDecoder(
        num_multimask_outputs=shape("mask_decoder.mask_tokens.weight")[0] - 1,
        transformer=TwoWayTransformer(
            depth=_count(weights, "mask_decoder.transformer.layers.{}.norm1.weight"),
            embedding_dim=prompt_width,
            mlp_dim=lin1[0],
            num_heads=decoder_heads,
            attention_downsample_rate=cross[1] // cross[0],
        ),
        transformer_dim=prompt_width,
        iou_head_depth=_count(weights, "mask_decoder.iou_prediction_head.layers.{}.weight"),
        iou_head_hidden_dim=shape("mask_decoder.iou_prediction_head.layers.0.weight")[0],
    )
    return encoder, prompt_encoder, decoder


def _count(weights: StateDict, pattern: str) -> int:
    count = 0
    while pattern.format(count) in weights:
        count += 1
    return count
