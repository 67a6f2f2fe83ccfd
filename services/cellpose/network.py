"""Checkpoints of Cellpose-SAM: read as a whole or refused.

The library itself replaces a file that is not there by a download, and fills in what a file lacks with
random numbers; neither happens here. The sizes of the network are read from the shapes of its tensors, so
that smaller networks of the same kind load through the same lines.
"""

from __future__ import annotations

import functools
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from cellpose.vit import CPSAM, BaseModel
from segment_anything.modeling import ImageEncoderViT
from torch import nn

from runtime.accelerators import Accelerator
from runtime.weights import WeightsError

State = Mapping[str, torch.Tensor]

_OUTPUTS = 3
"""Flow along Y, flow along X, cell probability."""


@dataclass(frozen=True, slots=True)
class _Sizes:
    """The sizes of a network.

    Attributes:
        tile_px: side of the tiles that it takes.
        patch_px: side of a patch, which becomes one token.
        embedding, features: numbers for each token inside of the encoder, and after it.
        head: numbers for each token in one attention head.
        hidden: numbers for each token inside of a block's perceptron.
        positions: for each block, the number of relative positions that it knows.
    """

    tile_px: int
    patch_px: int
    embedding: int
    features: int
    head: int
    hidden: int
    positions: tuple[int, ...]

    @classmethod
    def of(cls, state: State) -> _Sizes:
        """Read them from the shapes; raises KeyError, IndexError or ValueError where these make no sense."""
        patches = state["encoder.patch_embed.proj.weight"].shape
        depth = len({key.split(".")[2] for key in state if key.startswith("encoder.blocks.")})
        relative = [state[f"encoder.blocks.{block}.attn.rel_pos_h"].shape for block in range(depth)]
        sizes = cls(
            tile_px=state["encoder.pos_embed"].shape[1] * patches[2],
            patch_px=patches[2],
            embedding=patches[0],
            features=state["encoder.neck.0.weight"].shape[0],
            head=relative[0][1],
            hidden=state["encoder.blocks.0.mlp.lin1.weight"].shape[0],
            positions=tuple(shape[0] for shape in relative),
        )
        if sizes.embedding % sizes.head:
            raise ValueError(f"{sizes.embedding} numbers do not divide into heads of {sizes.head}")
        return sizes


class Network(CPSAM):  # type: ignore[misc]  # the library publishes no types
    """The library's network with sizes of its own; its `forward` is the library's."""

    def __init__(self, sizes: _Sizes) -> None:
        BaseModel.__init__(self)  # that of CPSAM builds 300 million random numbers first
        self.tile_px = sizes.tile_px
        self.ps, self.nout, self.rdrop = sizes.patch_px, _OUTPUTS, 0.0
        self.encoder = ImageEncoderViT(
            img_size=sizes.tile_px,
            patch_size=sizes.patch_px,
            embed_dim=sizes.embedding,
            depth=len(sizes.positions),
            num_heads=sizes.embedding // sizes.head,
            mlp_ratio=sizes.hidden / sizes.embedding,
            out_chans=sizes.features,
            norm_layer=functools.partial(nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
        )
        for block, count in zip(self.encoder.blocks, sizes.positions, strict=True):
            # Blocks of SAM that saw windows know fewer positions, and interpolate now that they see all.
            block.attn.rel_pos_h = nn.Parameter(torch.empty(count, sizes.head))
            block.attn.rel_pos_w = nn.Parameter(torch.empty(count, sizes.head))
        outputs = _OUTPUTS * sizes.patch_px**2
        self.out = nn.Conv2d(sizes.features, outputs, kernel_size=1)
        self.W2 = nn.Parameter(torch.empty(outputs, _OUTPUTS, sizes.patch_px, sizes.patch_px))


def load_network(path: Path, accelerator: Accelerator) -> Network:
    """Load a checkpoint onto a device, ready to predict.

    Raises:
        WeightsError: there is no such file, or it does not hold exactly the tensors of such a network.
    """
    state = _read(path)
    try:
        sizes = _Sizes.of(state)
        with torch.device("meta"):  # shapes only: the numbers come from the file
            network = Network(sizes)
        network.load_state_dict(state, strict=True, assign=True)
    except (KeyError, IndexError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise WeightsError(f"{path} is no checkpoint of Cellpose-SAM: {_first_lines(error)}") from error
    network.dtype = accelerator.dtype
    network.to(accelerator.device).eval().requires_grad_(False)
    return network


def _read(path: Path) -> State:
    """The tensors of a file, as float32 in C order."""
    if not path.is_file():
        raise WeightsError(f"{path} is not there")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise WeightsError(f"{path} cannot be read as a checkpoint: {_first_lines(error)}") from error
    if not isinstance(content, dict) or not all(
        isinstance(value, torch.Tensor) for value in content.values()
    ):
        raise WeightsError(f"{path} holds no mapping of names to tensors")
    # Networks that were trained on several GPUs say "module." before every name. The published files hold
    # views into larger tensors, which would stay in memory whole.
    return {
        str(key).removeprefix("module."): value.to(torch.float32).clone(memory_format=torch.contiguous_format)
        for key, value in content.items()
    }


def _first_lines(error: Exception) -> str:
    """What went wrong, short: PyTorch names every tensor of a foreign file."""
    lines = f"{type(error).__name__}: {error}".splitlines()
    return " ".join(line.strip()[:200] for line in lines[:3])
