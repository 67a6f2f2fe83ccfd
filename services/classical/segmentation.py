"""The segmentation pipeline: plane, foreground, objects, scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_li

from hooke.types import UsedParameter
from runtime.tasks import Segmentation, SegmentTask
from services.classical.parameters import ClassicalParameters
from services.classical.planes import to_plane
from services.classical.split import split_touching


def segment_image(task: SegmentTask) -> Segmentation:
    """Find the objects of one image."""
    parameters = task.parameters or ClassicalParameters()
    plane = to_plane(task.image)
    values = plane.values
    polarity = parameters.polarity
    if polarity is None:
        dark = np.median(values) > 0.5
        polarity = "dark_on_bright" if dark else "bright_on_dark"
    if polarity == "dark_on_bright":
        values = 1 - values
    smooth = ndimage.gaussian_filter(values, 1)
    if float(np.ptp(smooth)) < 1e-6:
        return Segmentation(np.zeros(values.shape, np.int32), np.zeros(0), ())
    mask = smooth > np.maximum(ndimage.gaussian_filter(smooth, 10), 0.7 * threshold_li(smooth))
    mask = ndimage.binary_opening(ndimage.binary_fill_holes(mask))
    labels = split_touching(mask, 1.0)
    areas = np.bincount(labels.ravel())[1:]
    typical = float(np.median(areas[areas >= 15])) if (areas >= 15).any() else 15.0
    minimum = parameters.min_area_px if parameters.min_area_px is not None else int(max(15, 0.15 * typical))
    labels = _keep(labels, np.flatnonzero(areas >= minimum) + 1)
    used = (
        UsedParameter("polarity", polarity, parameters.polarity is None),
        UsedParameter("min_area_px", minimum, parameters.min_area_px is None),
    )
    count = int(labels.max(initial=0))
    return Segmentation(labels, np.full(count, 0.5), used, None, plane.intensity_ranges)


def _keep(labels: NDArray[np.int32], kept: NDArray[np.intp]) -> NDArray[np.int32]:
    """Drop all but the labels `kept` and number these 1..N in order."""
    table = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
    table[kept] = np.arange(1, len(kept) + 1)
    return table[labels]
