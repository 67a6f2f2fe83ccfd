"""Objects in a volume: their projections along Z and their extents, from the runs of the label volume."""

from __future__ import annotations

import numpy as np

from hooke.images import PixelSize
from hooke.masks.runs import Runs
from hooke.types import Extent


def project(runs: Runs, plane: tuple[int, ...]) -> Runs:
    """The runs of the projection of each object along Z; projections of different objects may overlap.

    Args:
        runs: of the volume.
        plane: rows and columns of a plane.

    Returns:
        Runs without background, by ascending label, whose starts are places in the plane; no two of one
        object overlap.
    """
    size = plane[0] * plane[1]
    inside = runs.labels > 0
    names, index = np.unique(runs.labels[inside], return_inverse=True)
    # A plane for each object, laid out one after the other: then runs are intervals of one line.
    starts = index * size + runs.starts[inside] % size
    order = np.argsort(starts, kind="stable")
    starts = starts[order]
    reach = np.maximum.accumulate(starts + runs.lengths[inside][order])
    # Runs that only touch stay apart: the next may belong to the next row.
    first = np.ones(starts.size, bool)
    first[1:] = starts[1:] >= reach[:-1]
    last = np.ones(starts.size, bool)
    last[:-1] = first[1:]
    owner, place = np.divmod(starts[first], size)
    return Runs(place, reach[last] - starts[first], names[owner])


def find_extents(runs: Runs, plane: tuple[int, ...], pixel_size: PixelSize | None) -> list[Extent]:
    """The extent of each object, by ascending label.

    Args:
        runs: of the volume.
        plane: rows and columns of a plane.
        pixel_size: volumes in cubic micrometres need its size along Z.
    """
    inside = runs.labels > 0
    names, index = np.unique(runs.labels[inside], return_inverse=True)
    z = runs.starts[inside] // (plane[0] * plane[1])
    lengths = runs.lengths[inside]
    voxels = np.bincount(index, weights=lengths)
    centroids = np.bincount(index, weights=z * lengths) / voxels
    first = np.full(names.size, np.iinfo(np.int64).max)
    last = np.zeros(names.size, np.int64)
    np.minimum.at(first, index, z)
    np.maximum.at(last, index, z)
    voxel_um3 = (
        None
        if pixel_size is None or pixel_size.z_um is None
        else pixel_size.x_um * pixel_size.y_um * pixel_size.z_um
    )
    return [
        Extent(
            voxel_count=int(count),
            volume_um3=None if voxel_um3 is None else count * voxel_um3,
            first_plane_index=bottom,
            plane_count=top - bottom + 1,
            centroid_z=centroid,
        )
        for count, bottom, top, centroid in zip(
            voxels.tolist(), first.tolist(), last.tolist(), centroids.tolist(), strict=True
        )
    ]
