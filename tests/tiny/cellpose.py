"""A tiny Cellpose-SAM with weights set by hand: it finds bright spots, on every path of the large one.

Its convolutions smooth an image and take its slope, which on bright cones is a flow to their centres.
Attention and perceptrons are random and faint. Two features far larger than all others keep the normalisation
layers from bending the numbers much.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import torch
from cellpose import models, vit
from numpy.typing import NDArray
from segment_anything.modeling import ImageEncoderViT
from torch import nn

from services.cellpose.settings import CellposeSettings

FILE_NAME = "cellpose-tiny"

_BLOCKS = 16
"""A patch of 8 x 8 pixels as 4 x 4 blocks."""
_FEATURES = 2 * _BLOCKS + 2
"""Each block, its negative, and two large constants."""
_OUTPUTS = 3 * _BLOCKS
_CHANNELS = 2 * _OUTPUTS + 2
_LARGE = 20.0
_SIGMA = 1.5
"""Of the smoothing, in blocks."""
_REACH = 4
"""Of the smoothing, in blocks: what a patch sees of its neighbours on all sides."""


def settings(folder: Path, tile_px: int = 256, **changes: object) -> CellposeSettings:
    """Settings of a service of the tiny network, whose file is written into the folder."""
    write_checkpoint(folder / FILE_NAME, tile_px)
    values = {"weights_dir": folder, "cellpose_checkpoint": FILE_NAME, "device": "cpu", "threads": 1}
    return CellposeSettings.model_validate({**values, **changes})


def write_checkpoint(path: Path, tile_px: int = 256) -> None:
    """Write the tiny network as the library writes networks; the library runs only those of tiles of 256."""
    # The library keeps views into larger tensors, whose unused numbers are random and are written, too.
    with torch.random.fork_rng(), _tiny_architecture():
        torch.manual_seed(0)
        network = vit.CPSAM(bsize=tile_px)
    _set_weights(network)
    network.save_model(path)


def library_model(path: Path, *, use_bfloat16: bool = False) -> models.CellposeModel:
    """The library's own model of a tiny checkpoint, to compare with."""
    with _tiny_architecture():
        return models.CellposeModel(
            pretrained_model=str(path), device=torch.device("cpu"), use_bfloat16=use_bfloat16
        )


def cells(shape: tuple[int, ...], seed: int = 0, count: int = 20, radius: float = 9.0) -> NDArray[np.uint16]:
    """Bright cones on a dark, noisy background; of three dimensions, bright balls that fade outwards."""
    random = np.random.default_rng(seed)
    grid = np.indices(shape, dtype=np.float32)
    image = np.zeros(shape, np.float32)
    for _ in range(count):
        centre = [random.uniform(0, side) for side in shape]
        distance = np.sqrt(sum((axis - at) ** 2 for axis, at in zip(grid, centre, strict=True)))
        np.maximum(image, 1 - distance / radius, out=image)
    return (300 + 3000 * image + random.normal(0, 15, shape)).clip(0, 65535).astype(np.uint16)


@contextmanager
def _tiny_architecture() -> Iterator[None]:
    """Within it the library takes a tiny encoder for that of SAM."""

    def build(_: object) -> SimpleNamespace:
        encoder = ImageEncoderViT(
            embed_dim=_FEATURES,
            depth=2,
            num_heads=2,
            mlp_ratio=2,
            out_chans=_CHANNELS,
            norm_layer=functools.partial(nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=14,
            global_attn_indexes=(1,),
        )
        return SimpleNamespace(image_encoder=encoder)

    with mock.patch.dict(vit.sam_model_registry, {"vit_l": build}):
        yield


def _set_weights(network: vit.CPSAM) -> None:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "encoder.blocks" in name and ".norm" not in name:
                faint = ".attn.proj." in name or ".mlp.lin2." in name
                deviation = 0.001 if faint else 0.05
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * deviation)
            elif name == "encoder.pos_embed":
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.002)
        _set_patches(network.encoder.patch_embed.proj)
        into, normalise, slopes, normalise_again = network.encoder.neck
        into.weight.zero_()
        into.weight[torch.arange(_FEATURES), torch.arange(_FEATURES)] = 1
        for layer in (normalise, normalise_again):
            # The deviation over the channels is nearly that of the two constants.
            layer.weight.fill_(_LARGE * (2 / _CHANNELS) ** 0.5)
            layer.bias.zero_()
        _set_slopes(slopes.weight)
        _set_readout(network.out)


def _set_patches(convolution: nn.Conv2d) -> None:
    """Each block becomes its mean; the second and third channel count for less than the first."""
    convolution.weight.zero_()
    convolution.bias.zero_()
    channels = torch.tensor([1.0, 0.6, 0.3]).reshape(3, 1, 1) / 4
    for block in range(_BLOCKS):
        top, left = (2 * at for at in divmod(block, 4))
        convolution.weight[block, :, top : top + 2, left : left + 2] = channels
        convolution.weight[_BLOCKS + block, :, top : top + 2, left : left + 2] = -channels
    convolution.bias[-2:] = torch.tensor([_LARGE, -_LARGE])


def _set_slopes(weight: torch.Tensor) -> None:
    """For each block its slope along Y and X and its level, smoothed by a Gaussian; then their negatives."""
    weight.zero_()
    for target in range(_BLOCKS):
        for source in range(_BLOCKS):
            for step in range(9):
                row, column = divmod(step, 3)
                y = 4 * (row - 1) + source // 4 - target // 4
                x = 4 * (column - 1) + source % 4 - target % 4
                if max(abs(y), abs(x)) > _REACH:
                    continue
                level = np.exp(-(y * y + x * x) / (2 * _SIGMA**2)) / (2 * np.pi * _SIGMA**2)
                for output, value in enumerate((level * y / _SIGMA**2, level * x / _SIGMA**2, level)):
                    weight[output * _BLOCKS + target, source, row, column] = value
                    weight[_OUTPUTS + output * _BLOCKS + target, source, row, column] = -value
    weight[-2, 2 * _BLOCKS, 1, 1] = 1
    weight[-1, 2 * _BLOCKS + 1, 1, 1] = 1


def _set_readout(convolution: nn.Conv2d) -> None:
    """From blocks to pixels: slopes become flows, what is brighter than a quarter becomes cell."""
    convolution.weight.zero_()
    convolution.bias.zero_()
    gains, levels = (25.0, 25.0, 20.0), (0.0, 0.0, -5.0)
    for pixel in range(3 * 64):
        output, place = divmod(pixel, 64)
        row, column = divmod(place, 8)
        convolution.weight[pixel, output * _BLOCKS + 4 * (row // 2) + column // 2] = gains[output]
        convolution.bias[pixel] = levels[output]
