"""Tiles of Cellpose-SAM: images of one tile, 256 x 256 pixels, through the network with random weights."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from cellpose import core, vit

from benchmarks.gpu.work import Work, micrographs
from runtime.accelerators import Accelerator
from services.cellpose.network import load_network
from services.cellpose.tiles import Plane, predict
from tests.tiny import cellpose as tiny_cellpose

TITLE = "CPSAM, tiles of 256 x 256"
_TILE_PX = 256
_OVERLAP = 0.1


def load(device: torch.device, dtype: torch.dtype, *, tiny: bool) -> Work:
    """Build the network, or a tiny one of its kind, once by the library and once by Hooke."""
    with tempfile.TemporaryDirectory(prefix="hooke-cellpose-") as folder:
        path = Path(folder, "random")
        if tiny:
            tiny_cellpose.write_checkpoint(path)
            plain_network = tiny_cellpose.library_model(path).net
        else:
            plain_network = vit.CPSAM()
            plain_network.save_model(path)
        network = load_network(path, Accelerator(device, dtype, str(device)))
    plain_network.dtype = dtype
    plain_network.to(device).eval()
    images = [image.astype(np.float32) / 255 for image in micrographs(_TILE_PX, tiny=tiny)]
    planes = [Plane(image, scale=1.0, overlap=_OVERLAP) for image in images]

    def plain() -> int:
        for image in images:
            core.run_net(plain_network, image[None], bsize=_TILE_PX, tile_overlap=_OVERLAP)
        return len(images)

    def batched(size: int) -> int:
        return sum(1 for _ in predict(network, planes, size))

    return Work(plain, batched)
