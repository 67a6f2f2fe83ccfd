"""The network on planes of any sizes: cut into tiles, tiles computed together, put together again.

Cutting, padding and averaging are those of the library (`cellpose.core.run_net`), which fills a forward pass
with the tiles of one image only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from cellpose import transforms
from numpy.typing import NDArray

from services.cellpose.network import Network

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """One plane for the network.

    Attributes:
        pixels: H x W x C, normalised; one to three channels.
        scale: factor by which it is enlarged first.
        overlap: of neighbouring tiles, as a share of a tile.
    """

    pixels: NDArray[Any]
    scale: float
    overlap: float


def predict(network: Network, planes: Sequence[Plane], batch_size: int) -> Iterator[Floats]:
    """Yield the flows and the cell probability of each plane, in order.

    The numbers of a plane alone are those of the library, bit for bit. Beside others they may differ by the
    order in which sums are taken: by less than 1e-4 in float32.

    Args:
        network: on its device.
        planes: of any sizes.
        batch_size: most tiles in one forward pass.

    Yields:
        H x W x 3: flow along Y, flow along X, cell probability (a logit), in the size of the given plane.
    """
    # Tiles of fewer channels are filled up with zeros, which add nothing.
    channels = max((plane.pixels.shape[-1] for plane in planes), default=0)
    cuts: deque[_Cut] = deque()
    waiting: list[Floats] = []
    computed: list[Floats] = []
    for plane in planes:
        cuts.append(_Cut.of(plane, network.tile_px, channels))
        waiting.extend(cuts[-1].tiles)
        while len(waiting) >= batch_size:
            computed.extend(_forward(network, waiting[:batch_size]))
            del waiting[:batch_size]
        yield from _finished(cuts, computed)
    if waiting:
        computed.extend(_forward(network, waiting))
        yield from _finished(cuts, computed)


@dataclass(frozen=True, slots=True, eq=False)
class _Cut:
    """A plane in tiles.

    Attributes:
        plane: what was cut.
        tiles: N x C x T x T.
        rows, columns: for each tile, its first row and the one after its last, in the padded plane.
        padded: rows and columns of the padded plane.
        inside: the plane in the padded one.
    """

    plane: Plane
    tiles: Floats
    rows: Sequence[Sequence[int]]
    columns: Sequence[Sequence[int]]
    padded: tuple[int, int]
    inside: tuple[slice, slice]

    @classmethod
    def of(cls, plane: Plane, tile_px: int, channels: int) -> _Cut:
        pixels = plane.pixels
        if plane.scale != 1:
            pixels = transforms.resize_image(pixels, rsz=plane.scale)
        height, width, missing = *pixels.shape[:2], channels - pixels.shape[2]
        top, bottom, left, right = transforms.get_pad_yx(height, width, min_size=(tile_px, tile_px))
        padded = np.pad(pixels.transpose(2, 0, 1), ((0, missing), (top, bottom), (left, right)))
        tiles, rows, columns, *shape = transforms.make_tiles(
            padded, bsize=tile_px, tile_overlap=plane.overlap
        )
        inside = (slice(top, top + height), slice(left, left + width))
        return cls(plane, tiles.reshape(-1, *tiles.shape[2:]), rows, columns, tuple(shape), inside)

    def average(self, computed: Floats) -> Floats:
        """Bring N x 3 x T x T back to the plane."""
        whole = transforms.average_tiles(computed, self.rows, self.columns, *self.padded)
        found: Floats = whole[(slice(None), *self.inside)].transpose(1, 2, 0)
        height, width = self.plane.pixels.shape[:2]
        if self.plane.scale != 1:
            found = transforms.resize_image(found, height, width)
        return found


def _finished(cuts: deque[_Cut], computed: list[Floats]) -> Iterator[Floats]:
    """Take the planes whose tiles have all been computed."""
    while cuts and len(computed) >= len(cuts[0].tiles):
        cut = cuts.popleft()
        count = len(cut.tiles)
        yield cut.average(np.stack(computed[:count]))
        del computed[:count]


def _forward(network: Network, tiles: Iterable[Floats]) -> Floats:
    """One forward pass: N x C x T x T to N x 3 x T x T."""
    batch = torch.from_numpy(np.stack(list(tiles))).to(network.device, dtype=network.dtype)
    with torch.inference_mode():
        found: Floats = network(batch)[0].float().cpu().numpy()
    return found
