"""Measurements of objects that may overlap, on raw pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hooke.images import Micrograph
from hooke.masks.measurements import build_instances, find_objects
from hooke.masks.rle import decode_runs
from hooke.masks.runs import Runs
from hooke.types import Box, Instance


def measure_rles(
    rles: Sequence[bytes],
    micrograph: Micrograph,
    scores: Sequence[float] | NDArray[np.floating[Any]] | None = None,
    info_bar: Box | None = None,
) -> tuple[Instance, ...]:
    """Measure objects that may overlap, each by its whole mask; otherwise as `measure`.

    The work grows with the size of the image plus the areas of the objects, not with the size of the image
    times their number.

    Args:
        rles: COCO's compressed run-length encoding of each object.
        micrograph: the image, of axes "YX", "YXC" or "YXS".
        scores: one for each object; None where the model gives none.
        info_bar: see `measure`.

    Returns:
        One for each mask, in order, labelled from 1. All measurements of a mask without pixels are 0.

    Raises:
        ImageUnreadableError: the characters are no encoding of an image of this size.
        ValueError: the image is a volume, or the number of scores is not the number of masks.
    """
    if micrograph.axes not in ("YX", "YXC", "YXS"):
        raise ValueError(f"masks of two dimensions do not fit an image {micrograph.axes}")
    if scores is not None and len(scores) != len(rles):
        raise ValueError(f"{len(scores)} scores for {len(rles)} objects")
    height, width = micrograph.height_px, micrograph.width_px
    runs = _within_columns(decode_runs(rles, (height, width)), height)
    # To what measures runs along rows, runs along columns are those of the transposed image.
    transposed = find_objects(runs, (width, height))
    objects = replace(
        transposed, centroids=transposed.centroids[:, ::-1], boxes=transposed.boxes[:, [1, 0, 3, 2]]
    )
    found = build_instances(
        objects,
        _mean_intensities(runs, micrograph)[objects.names - 1],
        micrograph,
        None if scores is None else np.asarray(scores)[objects.names - 1],
        info_bar,
    )
    by_label = {instance.label: instance for instance in found}
    return tuple(
        by_label.get(label) or _nothing(label, micrograph, score)
        for label, score in enumerate([None] * len(rles) if scores is None else map(float, scores), 1)
    )


def _within_columns(runs: Runs, height: int) -> Runs:
    """The same runs, cut where they go on from one column to the next."""
    first = runs.starts // height
    ends = runs.starts + runs.lengths
    pieces = (ends - 1) // height - first + 1
    run = np.repeat(np.arange(pieces.size), pieces)
    column = first[run] + np.arange(run.size) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    starts = np.maximum(runs.starts[run], column * height)
    return Runs(starts, np.minimum(ends[run], (column + 1) * height) - starts, runs.labels[run])


def _mean_intensities(runs: Runs, micrograph: Micrograph) -> NDArray[np.float64]:
    """The mean of the samples of each object up to the highest label, averaged over the channels."""
    # Sorted by their starts, the gaps between the runs add up to one image at most, however they overlap.
    order = np.argsort(runs.starts, kind="stable")
    starts, lengths, labels = runs.starts[order], runs.lengths[order], runs.labels[order]
    spans = np.stack([starts, starts + lengths], axis=1).ravel()
    pixels = micrograph.pixels if micrograph.pixels.ndim == 3 else micrograph.pixels[..., np.newaxis]
    height, width, channel_count = pixels.shape
    sums: NDArray[np.float64] = np.zeros(starts.size)
    # One sample more, since the end of the last run must be an index too.
    samples = np.zeros(height * width + 1, pixels.dtype)
    for channel in range(channel_count):
        samples[:-1].reshape(width, height)[...] = pixels[..., channel].T
        sums += np.add.reduceat(samples, spans, dtype=np.float64)[::2]
    areas = np.bincount(labels, weights=lengths)[1:]
    means: NDArray[np.float64] = np.bincount(labels, weights=sums)[1:] / (
        np.maximum(areas, 1) * channel_count
    )
    return means


def _nothing(label: int, micrograph: Micrograph, score: float | None) -> Instance:
    """The measurements of a mask without pixels."""
    area_um2 = None if micrograph.pixel_size is None else 0.0
    return Instance(
        label=label,
        bounding_box=Box(0, 0, 0, 0),
        score=score,
        area_px=0,
        area_um2=area_um2,
        centroid_x_px=0.0,
        centroid_y_px=0.0,
        equivalent_diameter_px=0.0,
        equivalent_diameter_um=area_um2,
        touches_border=False,
        mean_intensity=0.0,
    )
