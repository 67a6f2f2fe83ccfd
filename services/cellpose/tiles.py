"""The network on planes of any sizes: cut into tiles, tiles computed together, put together again.

Cutting, padding and averaging are those of the library (`cellpose.core.run_net`), which fills a forward pass
with the tiles of one image only.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import torch
from cellpose import transforms
from numpy.typing import NDArray

from runtime.batches import Abandonment
from services.cellpose.network import Network

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """One plane for the network.

    Attributes:
        pixels: H x W x C, normalised; one to three channels.
        scale: factor by which it is enlarged first.
        overlap: of neighbouring tiles, as a share of a tile.
        abandoned: set once nobody needs this plane any more.
    """

    pixels: NDArray[Any]
    scale: float
    overlap: float
    abandoned: Abandonment = field(default_factory=Abandonment)


def count_tiles(height: int, width: int, tile_px: int, overlap: float) -> int:
    """How many tiles a plane is cut into, as the library counts them.

    Args:
        height: rows of the plane once it is enlarged.
        width: its columns.
        tile_px: side of a tile.
        overlap: of neighbouring tiles, as a share of a tile.
    """
    top, bottom, left, right = transforms.get_pad_yx(height, width, min_size=(tile_px, tile_px))
    padded = height + top + bottom, width + left + right
    return math.prod(
        1 if side <= tile_px else math.ceil((1 + 2 * overlap) * side / tile_px) for side in padded
    )


def predict(network: Network, planes: Sequence[Plane], batch_size: int) -> Iterator[Floats]:
    """Yield the flows and the cell probability of each plane, in order.

    The numbers of a plane alone are those of the library, bit for bit. Beside others they may differ by the
    order in which sums are taken: by less than 1e-4 in float32.

    Args:
        network: on its device.
        planes: of any sizes.
        batch_size: most tiles in one forward pass.

    Yields:
        H x W x 3: flow along Y, flow along X, cell probability (a logit), in the size of the given plane;
        0 x 0 x 3 for a plane that is abandoned.
    """
    # Tiles of fewer channels are filled up with zeros, which add nothing.
    channels = max((plane.pixels.shape[-1] for plane in planes), default=0)
    cuts: deque[_Cut] = deque()
    for plane in planes:
        cuts.append(_Cut.of(plane, network.tile_px, channels))
        while sum(len(cut.waiting) for cut in cuts) >= batch_size:
            _forward(network, cuts, batch_size)
        yield from _finished(cuts)
    while cuts:
        _forward(network, cuts, batch_size)
        yield from _finished(cuts)


@dataclass(frozen=True, slots=True, eq=False)
class _Cut:
    """A plane in tiles.

    Attributes:
        plane: what was cut.
        tiles: N x C x T x T.
        rows, columns: for each tile, its first row and the one after its last, in the padded plane.
        padded: rows and columns of the padded plane.
        inside: the plane in the padded one.
        computed: for each tile that was computed so far 3 x T x T, in order.
    """

    plane: Plane
    tiles: Floats
    rows: Sequence[Sequence[int]]
    columns: Sequence[Sequence[int]]
    padded: tuple[int, int]
    inside: tuple[slice, slice]
    computed: list[Floats] = field(default_factory=list)

    @classmethod
    def of(cls, plane: Plane, tile_px: int, channels: int) -> _Cut:
        if plane.abandoned.is_set():
            return cls(plane, np.empty((0, channels, tile_px, tile_px), np.float32), (), (), (0, 0), _NOWHERE)
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

    @property
    def waiting(self) -> Floats:
        """The tiles that are still to be computed."""
        return self.tiles[len(self.tiles) if self.plane.abandoned.is_set() else len(self.computed) :]

    def average(self) -> Floats:
        """Bring the tiles back to the plane; where some were not computed, there is none."""
        if not self.computed or len(self.computed) < len(self.tiles):
            return np.empty((0, 0, 3), np.float32)
        whole = transforms.average_tiles(np.stack(self.computed), self.rows, self.columns, *self.padded)
        found: Floats = whole[(slice(None), *self.inside)].transpose(1, 2, 0)
        height, width = self.plane.pixels.shape[:2]
        if self.plane.scale != 1:
            found = transforms.resize_image(found, height, width)
        return found


_NOWHERE = (slice(0), slice(0))


def _finished(cuts: deque[_Cut]) -> Iterator[Floats]:
    """Take the planes that have no tile to wait for."""
    while cuts and not len(cuts[0].waiting):
        yield cuts.popleft().average()


def _forward(network: Network, cuts: Iterable[_Cut], batch_size: int) -> None:
    """One forward pass over the oldest tiles that wait, if any do."""
    batch = list(islice(((cut, tile) for cut in cuts for tile in cut.waiting), batch_size))
    if not batch:
        return
    tiles = torch.from_numpy(np.stack([tile for _, tile in batch]))
    with torch.inference_mode():
        found = network(tiles.to(network.device, dtype=network.dtype))[0].float().cpu().numpy()
    for (cut, _), each in zip(batch, found, strict=True):
        cut.computed.append(each)
