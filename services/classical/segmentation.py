"""The segmentation pipeline: view, foreground, objects, filters, scores."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu

from hooke.types import Box, UsedParameter
from runtime.tasks import Segmentation, SegmentTask
from services.classical.background import light_field, local_mean, noise_sigma
from services.classical.infobar import InfoBar, find_info_bar
from services.classical.measure import contrasts
from services.classical.parameters import ClassicalParameters
from services.classical.planes import Plane, candidate_planes, channels_last, intensity_ranges
from services.classical.split import split_touching
from services.classical.threshold import (
    Foreground,
    Levelled,
    fill_small_holes,
    floors,
    foreground,
    local_window_px,
)

PROBE_PX = 1024
"""Side of the window that decides between the views of an image with more pixels than it has."""
SMOOTHING_PX = 1.0
"""Sigma of the Gaussian that every view is smoothed with."""
DEFAULT_DIAMETER_PX = 15.0
"""Diameter that is assumed where none can be estimated."""
MIN_RADIUS_PX = 1.5
"""Thinner things are noise to the estimate of the scale."""
MAX_HOLE_FRACTION = 0.02
"""Holes up to this fraction of the image are filled while the scale is unknown."""
DIAMETER_FACTOR = 2.2
"""Diameter over inscribed radius of a typical object, which is somewhat longer than wide."""
OUTLINE_SMOOTHING_PX = 0.75
"""Least sigma that smooths the distance transform: hides the steps of the pixel grid, keeps shallow necks."""
FINE_DIAMETER_PX = 20.0
GRAIN_DIAMETERS = 0.2
"""What exceeds the fine diameter, times this, is the sigma that hides the grain of large objects."""
MIN_AREA_PX = 15
"""Smaller regions cannot be told from noise, whatever the scale."""
MIN_AREA_FRACTION = 0.1
"""Smallest object as a fraction of the typical one."""
MIN_CONTRAST_FRACTION = 0.25
"""Faintest object as a fraction of the median contrast."""
MIN_CONTRAST_NOISE = 4.0
"""Faintest object in standard deviations of the smoothed noise."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One way to look at the image, and what is seen.

    Attributes:
        plane: where it came from.
        levelled: the plane made ready for thresholds.
        noise: standard deviation of the noise left in it.
        diameter_px: diameter of a typical object.
        foreground: its objects by half of Otsu's threshold, the default floor.
    """

    plane: Plane
    levelled: Levelled
    noise: float
    diameter_px: float
    foreground: Foreground


def segment_image(task: SegmentTask) -> Segmentation:
    """Find the objects of one image; a flat one has none."""
    parameters = task.parameters or ClassicalParameters()
    pixels = channels_last(task.image)
    bar = find_info_bar(pixels.mean(axis=-1) if pixels.shape[-1] > 1 else pixels[..., 0])
    seam = None if bar is None else bar.top
    field = pixels if bar is None else np.delete(pixels, np.s_[bar.top : bar.bottom], axis=0)
    ranges = intensity_ranges(field)
    planes = candidate_planes(field, task.image.axes.endswith("S"), parameters.polarity)
    planes = _promising([plane for plane in planes if np.ptp(plane.values) > 0], task.expected_diameter_px)
    views = [_view(plane, task.expected_diameter_px, seam) for plane in planes]
    if not views:
        return Segmentation(np.zeros(pixels.shape[:2], np.int32), np.zeros(0), (), _box(bar, pixels), ranges)
    view = max(views, key=lambda candidate: candidate.foreground.quality)
    chosen = _best_foreground(view, seam)
    labels = _objects(view, chosen, task.expected_diameter_px, parameters)
    minimum = _min_area(labels, task.expected_diameter_px, parameters)
    labels = _filtered(labels, view, minimum, parameters)
    scores = contrasts(labels, view.levelled.values, _reach(view.diameter_px)).probabilities
    if bar is not None:
        labels = np.insert(labels, [bar.top] * (bar.bottom - bar.top), 0, axis=0)
    used = _used(task, parameters, view, chosen, minimum)
    return Segmentation(labels, scores, used, _box(bar, pixels), ranges)


def _promising(planes: list[Plane], expected_diameter_px: float | None) -> list[Plane]:
    """Leave one plane of a large image, the best on the window with the most contrast; all of a small one.

    The planes are stretched, so that clipping them to 0 and 1 keeps single bright specks from deciding.
    """
    if len(planes) < 2 or planes[0].values.size <= PROBE_PX**2:
        return planes
    rows, columns = (
        [max(0, min(start, side - PROBE_PX)) for start in range(0, side, PROBE_PX)]
        for side in planes[0].values.shape
    )
    windows = [np.s_[row : row + PROBE_PX, column : column + PROBE_PX] for row in rows for column in columns]
    window = max(windows, key=lambda w: float(np.clip(planes[0].values[w], 0, 1).std()))
    probes = [replace(plane, values=plane.values[window]) for plane in planes]
    qualities = [_view(probe, expected_diameter_px, None).foreground.quality for probe in probes]
    return [planes[int(np.argmax(qualities))]]


def _view(plane: Plane, expected_diameter_px: float | None, seam: int | None) -> View:
    """Smooth a plane, even its light out, and find the scale of its objects."""
    values = ndimage.gaussian_filter(plane.values, SMOOTHING_PX)
    values -= light_field(values)
    slopes = np.gradient(np.pad(values, 1, mode="edge"))
    gradient = np.hypot(*slopes)[1:-1, 1:-1]
    # The noise of a Gaussian-smoothed image is that of its pixels over 2 sqrt(pi) sigma.
    noise = noise_sigma(plane.values) / (2 * np.sqrt(np.pi) * SMOOTHING_PX)
    otsu = float(threshold_otsu(values))
    diameter = expected_diameter_px or _typical_diameter(values > otsu)
    levelled = Levelled(values, gradient, local_mean(values, local_window_px(diameter)))
    return View(plane, levelled, noise, diameter, foreground(levelled, diameter, "otsu", 0.5 * otsu, seam))


def _typical_diameter(mask: NDArray[np.bool_]) -> float:
    """Estimate the diameter of the object that a random foreground pixel belongs to.

    Every maximum of the distance transform stands for one object, as wide as the maximum is high.
    """
    mask = ndimage.binary_opening(fill_small_holes(mask, MAX_HOLE_FRACTION * mask.size))
    distance = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1].astype(np.float32)
    distance = ndimage.gaussian_filter(distance, 1.0)
    peaks = (distance == ndimage.maximum_filter(distance, size=5)) & (distance > MIN_RADIUS_PX)
    radii = np.sort(distance[peaks])
    if not radii.size:
        return DEFAULT_DIAMETER_PX
    total = np.cumsum(radii**2)
    return float(DIAMETER_FACTOR * radii[np.searchsorted(total, total[-1] / 2)])


def _best_foreground(view: View, seam: int | None) -> Foreground:
    """Choose the floor by the criterion of `threshold.quality`."""
    candidates = [view.foreground]
    for method, floor in floors(view.levelled.values).items():
        if method != view.foreground.method:
            candidates.append(foreground(view.levelled, view.diameter_px, method, floor, seam))
    return max(candidates, key=lambda candidate: candidate.quality)


def _objects(
    view: View, chosen: Foreground, expected_diameter_px: float | None, parameters: ClassicalParameters
) -> NDArray[np.int32]:
    """Label the foreground, touching objects apart unless the request says otherwise."""
    if parameters.touching_objects_split is False:
        labels, _ = ndimage.label(chosen.mask)
        return labels.astype(np.int32)
    smoothing = max(OUTLINE_SMOOTHING_PX, GRAIN_DIAMETERS * (view.diameter_px - FINE_DIAMETER_PX))
    if expected_diameter_px is None:
        return split_touching(chosen.mask, view.diameter_px, smoothing)
    window = max(5, 2 * int(expected_diameter_px / 4) + 1)
    smoothing = max(smoothing, 0.08 * expected_diameter_px)
    return split_touching(chosen.mask, view.diameter_px, smoothing, window)


def _min_area(
    labels: NDArray[np.int32], expected_diameter_px: float | None, parameters: ClassicalParameters
) -> int:
    """Smallest object kept, in pixels: as asked, or a fraction of the typical object."""
    if parameters.min_area_px is not None:
        return parameters.min_area_px
    areas = np.bincount(labels.ravel())[1:]
    areas = np.sort(areas[areas >= MIN_AREA_PX])
    typical = 0.0
    if expected_diameter_px is not None:
        typical = np.pi / 4 * expected_diameter_px**2
    elif areas.size:
        total = np.cumsum(areas)
        typical = float(areas[np.searchsorted(total, total[-1] / 2)])
    return max(MIN_AREA_PX, int(MIN_AREA_FRACTION * typical))


def _filtered(
    labels: NDArray[np.int32], view: View, minimum: int, parameters: ClassicalParameters
) -> NDArray[np.int32]:
    """Drop objects that are too small, too large, too faint or, if asked, cut by the border."""
    areas = np.bincount(labels.ravel())[1:]
    kept = areas >= minimum
    if parameters.max_area_px is not None:
        kept &= areas <= parameters.max_area_px
    if parameters.border_objects_excluded:
        for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
            kept[edge[edge > 0] - 1] = False
    labels = _keep(labels, kept)
    difference = contrasts(labels, view.levelled.values, _reach(view.diameter_px)).differences
    if not difference.size:
        return labels
    faintest = max(MIN_CONTRAST_FRACTION * float(np.median(difference)), MIN_CONTRAST_NOISE * view.noise)
    return _keep(labels, difference >= faintest)


def _keep(labels: NDArray[np.int32], kept: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Drop the labels that are not kept and number the others 1..N in order."""
    table = np.concatenate([[0], np.cumsum(kept) * kept]).astype(np.int32)
    return table[labels]


def _reach(diameter_px: float) -> int:
    """Width of the surroundings that an object is compared with, in pixels."""
    return max(2, round(0.15 * diameter_px))


def _box(bar: InfoBar | None, pixels: NDArray[np.generic]) -> Box | None:
    """The banner as a box."""
    if bar is None:
        return None
    return Box(0, bar.top, pixels.shape[1], bar.bottom - bar.top)


def _used(
    task: SegmentTask, parameters: ClassicalParameters, view: View, chosen: Foreground, minimum: int
) -> tuple[UsedParameter, ...]:
    """Every parameter with its value, and whether the request or the model chose it."""
    used = [
        UsedParameter("polarity", view.plane.polarity, parameters.polarity is None),
        UsedParameter("plane", view.plane.name, chosen_by_server=True),
        UsedParameter("expected_diameter_px", view.diameter_px, task.expected_diameter_px is None),
        UsedParameter("threshold_method", chosen.method, chosen_by_server=True),
        UsedParameter("threshold_value", chosen.floor, chosen_by_server=True),
        UsedParameter("min_area_px", minimum, parameters.min_area_px is None),
        UsedParameter("border_objects_excluded", bool(parameters.border_objects_excluded)),
        UsedParameter("touching_objects_split", parameters.touching_objects_split is not False),
    ]
    if parameters.max_area_px is not None:
        used.append(UsedParameter("max_area_px", parameters.max_area_px))
    return tuple(used)
