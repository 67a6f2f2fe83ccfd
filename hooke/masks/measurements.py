"""Measurements of the objects of a label image, on raw pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hooke.images import Micrograph
from hooke.masks.runs import Labels, Runs, check_labels, find_runs
from hooke.masks.volumes import find_extents, project
from hooke.types import Box, Extent, Instance

_AXES = {2: ("YX", "YXC", "YXS"), 3: ("ZYX", "ZYXC")}
"""Axes of an image that labels of so many dimensions fit."""


def measure(
    labels: Labels,
    micrograph: Micrograph,
    scores: Sequence[float] | NDArray[np.floating[Any]] | None = None,
    info_bar: Box | None = None,
) -> tuple[Instance, ...]:
    """Measure every object, in ascending order of the labels; gaps between labels are fine.

    Sizes in micrometres are given where the pixel size is known. The mean intensity is that of the raw
    samples, averaged over the channels. Of an object in a volume, box, area, centroid, diameter and border
    are those of its projection along Z, the intensity is that of all its voxels, and its extent is given.

    Args:
        labels: H x W integers, or Z x H x W for a volume; 0 background.
        micrograph: the image, of axes "YX", "YXC" or "YXS", or "ZYX" or "ZYXC" for a volume, and the same
            number of planes, rows and columns.
        scores: one for each object, in the order of the labels; None where the model gives none.
        info_bar: the banner that was left out of the analysis, in pixels; objects that reach it touch the
            border of the field.

    Raises:
        ValueError: the array is no label image, or does not fit the image or the scores.
    """
    check_labels(labels, volume_allowed=True)
    if micrograph.axes not in _AXES[labels.ndim] or micrograph.pixels.shape[: labels.ndim] != labels.shape:
        raise ValueError(
            f"labels of shape {labels.shape} do not fit an image {micrograph.axes} of shape "
            f"{micrograph.pixels.shape}"
        )
    volume = labels.ndim == 3
    runs = find_runs(labels)
    plane = labels.shape[-2:]
    objects = find_objects(project(runs, plane) if volume else runs, plane)
    extents = find_extents(runs, plane, micrograph.pixel_size) if volume else None
    intensities = _mean_intensities(runs, micrograph)
    return build_instances(objects, intensities, micrograph, scores, info_bar, extents)


@dataclass(frozen=True, slots=True, eq=False)
class Objects:
    """N objects, by ascending label.

    Attributes:
        names: N labels.
        areas: N, in pixels.
        centroids: N x 2: column, row.
        boxes: N x 4: left, top, width, height.
    """

    names: NDArray[Any]
    areas: NDArray[np.int64]
    centroids: NDArray[np.float64]
    boxes: NDArray[np.int64]


def find_objects(runs: Runs, shape: tuple[int, ...]) -> Objects:
    """Bring the runs of each object together; `shape` is that of the plane."""
    inside = runs.labels > 0
    names, index = np.unique(runs.labels[inside], return_inverse=True)
    row, left = np.divmod(runs.starts[inside], shape[1])
    length = runs.lengths[inside]

    def total(values: NDArray[Any]) -> NDArray[Any]:
        return np.bincount(index, weights=values, minlength=names.size)

    area = total(length)
    first = np.full((names.size, 2), np.iinfo(np.int64).max)
    end = np.zeros((names.size, 2), np.int64)
    np.minimum.at(first, index, np.stack([left, row], axis=1))
    np.maximum.at(end, index, np.stack([left + length, row + 1], axis=1))
    middle = left + (length - 1) / 2
    return Objects(
        names=names,
        areas=area.astype(np.int64),
        centroids=np.stack([total(middle * length) / area, total(row * length) / area], axis=1),
        boxes=np.concatenate([first, end - first], axis=1),
    )


def build_instances(
    objects: Objects,
    intensities: NDArray[np.float64],
    micrograph: Micrograph,
    scores: Sequence[float] | NDArray[np.floating[Any]] | None,
    info_bar: Box | None,
    extents: Sequence[Extent] | None = None,
) -> tuple[Instance, ...]:
    """The answer from its columns, each with an entry for each object; of the image only its sizes are used.

    Raises:
        ValueError: the number of scores is not the number of objects.
    """
    if scores is not None and len(scores) != objects.names.size:
        raise ValueError(f"{len(scores)} scores for {objects.names.size} objects")
    size = micrograph.pixel_size
    pixel_um2 = None if size is None else size.x_um * size.y_um
    columns = zip(
        objects.names.tolist(),
        objects.areas.tolist(),
        objects.centroids.tolist(),
        objects.boxes.tolist(),
        _touching(objects.boxes, (micrograph.height_px, micrograph.width_px), info_bar).tolist(),
        intensities.tolist(),
        [None] * objects.names.size if scores is None else [float(score) for score in scores],
        [None] * objects.names.size if extents is None else extents,
        strict=True,
    )
    return tuple(
        Instance(
            label=name,
            bounding_box=Box(*map(float, box)),
            score=score,
            area_px=area,
            area_um2=None if pixel_um2 is None else area * pixel_um2,
            centroid_x_px=x,
            centroid_y_px=y,
            equivalent_diameter_px=_diameter(area),
            equivalent_diameter_um=None if pixel_um2 is None else _diameter(area * pixel_um2),
            touches_border=touching,
            mean_intensity=intensity,
            extent=extent,
        )
        for name, area, (x, y), box, touching, intensity, score, extent in columns
    )


def _touching(boxes: NDArray[np.int64], shape: tuple[int, ...], info_bar: Box | None) -> NDArray[np.bool_]:
    """Which boxes reach the border of the image or the info bar."""
    left, top, width, height = boxes.T
    touching: NDArray[np.bool_] = (
        (left == 0) | (top == 0) | (left + width == shape[1]) | (top + height == shape[0])
    )
    if info_bar is not None:
        touching |= (
            (left <= info_bar.x_px + info_bar.width_px)
            & (left + width >= info_bar.x_px)
            & (top <= info_bar.y_px + info_bar.height_px)
            & (top + height >= info_bar.y_px)
        )
    return touching


def _diameter(area: float) -> float:
    """The diameter of the circle of this area."""
    return math.sqrt(4 * area / math.pi)


def _mean_intensities(runs: Runs, micrograph: Micrograph) -> NDArray[np.float64]:
    """The mean of the samples of each object, averaged over the channels, by ascending label."""
    pixels = micrograph.pixels
    channels = pixels if micrograph.axes[-1] in "CS" else pixels[..., np.newaxis]
    sums: NDArray[np.float64] = np.zeros(runs.starts.size)
    for channel in range(channels.shape[-1]):
        samples = channels[..., channel].ravel()
        sums += np.add.reduceat(samples, runs.starts, dtype=np.float64)
    inside = runs.labels > 0
    _, index = np.unique(runs.labels[inside], return_inverse=True)
    sizes = np.bincount(index, weights=runs.lengths[inside])
    means: NDArray[np.float64] = np.bincount(index, weights=sums[inside]) / (sizes * channels.shape[-1])
    return means
