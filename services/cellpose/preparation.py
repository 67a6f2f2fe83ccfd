"""From a task to what the network is to see: scaled to one diameter, normalised, and checked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from cellpose import transforms
from numpy.typing import NDArray

from hooke.errors import InvalidRequestError
from hooke.images import Micrograph
from hooke.types import IntensityRange, UsedParameter
from runtime.tasks import SegmentTask
from services.cellpose.parameters import MAX_ITERATIONS, CellposeParameters, VolumeMode
from services.cellpose.tiles import count_tiles

_TRAINED_DIAMETER_PX = 30.0
"""Images are scaled so that their objects have this diameter; without one they stay as they are."""
_ITERATIONS = 200
"""Of the flow dynamics at that diameter."""
_MAX_SCALED_PIXELS = 256 * 1024**2
"""Of one image or volume after scaling."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A task as the network is to see it.

    Attributes:
        task: what was asked.
        parameters: of the task, or the defaults.
        anisotropy: distance of the planes over the size of a pixel.
        pixels: Z x H x W x C, one plane for an image; normalised float32 unless that was to be skipped.
        intensity_ranges: which raw intensities became 0 and 1; empty: they were taken as they are.
    """

    task: SegmentTask
    parameters: CellposeParameters
    anisotropy: float
    pixels: NDArray[Any]
    intensity_ranges: tuple[IntensityRange, ...]

    @property
    def is_stack(self) -> bool:
        """Whether the image has planes."""
        return self.task.image.axes[0] == "Z"

    @property
    def mode(self) -> VolumeMode | None:
        """How a stack is segmented."""
        return self.parameters.cellpose_volume_mode

    @property
    def scale(self) -> float:
        """Factor by which rows and columns are enlarged."""
        return _TRAINED_DIAMETER_PX / (self.task.expected_diameter_px or _TRAINED_DIAMETER_PX)

    @property
    def sides(self) -> tuple[float, float, float]:
        """Planes, rows and columns that the network sees, before they are rounded down."""
        depth, height, width = self.pixels.shape[:3]
        planes = depth * self.anisotropy * self.scale if self.mode == "full" else depth
        return planes, height * self.scale, width * self.scale

    @property
    def iterations(self) -> int:
        """Of the flow dynamics."""
        return self.parameters.iteration_count or max(1, int(_ITERATIONS / self.scale))

    def count_tiles(self, tile_px: int) -> int:
        """How many tiles the network sees of all planes, of a full volume across all three axes."""
        z, y, x = (int(side) for side in self.sides)
        planes = [(z, y, x), (y, z, x), (x, z, y)] if self.mode == "full" else [(z, y, x)]
        overlap = self.parameters.tile_overlap
        return sum(count * count_tiles(rows, columns, tile_px, overlap) for count, rows, columns in planes)

    @property
    def used(self) -> tuple[UsedParameter, ...]:
        """The parameters that made a difference, defaults included."""
        values: dict[str, float | bool | str | None] = {
            **self.parameters.model_dump(exclude={"flows_returned"}),
            "expected_diameter_px": _TRAINED_DIAMETER_PX / self.scale,
            "iteration_count": self.iterations,
            "anisotropy": self.anisotropy,
        }
        given = set(self.parameters.model_fields_set)
        if self.task.expected_diameter_px is not None:
            given.add("expected_diameter_px")
        for name in _without_effect(self.parameters):
            del values[name]
        return tuple(
            UsedParameter(name, value, chosen_by_server=name not in given)
            for name, value in values.items()
            if value is not None
        )


def prepare(task: SegmentTask, tile_px: int, max_tiles: int) -> Prepared:
    """Check a task, and normalise its image.

    Args:
        task: what is asked.
        tile_px: side of the tiles that the network takes.
        max_tiles: most of them.

    Raises:
        InvalidRequestError: the image is too small, becomes too small or too large when it is scaled, or
            comes to too many tiles.
        DeadlineExceededError: nobody waits for the answer any more.
    """
    task.abandoned.check()
    image = task.image
    parameters = task.parameters or CellposeParameters()
    pixels = image.pixels if image.axes[-1] in "CS" else image.pixels[..., np.newaxis]
    pixels = pixels if image.axes[0] == "Z" else pixels[np.newaxis]
    raw = Prepared(task, parameters, _anisotropy(image, parameters), pixels, ())
    _check(raw)
    _check_cost(raw, tile_px, max_tiles)
    if parameters.normalization_skipped:
        return raw
    seen = _normalise(pixels, parameters)
    ranges = tuple(_mapped(pixels[..., index], seen[..., index]) for index in range(pixels.shape[-1]))
    return Prepared(task, parameters, raw.anisotropy, seen, ranges)


def _anisotropy(image: Micrograph, parameters: CellposeParameters) -> float:
    size = image.pixel_size
    if parameters.anisotropy is not None:
        return parameters.anisotropy
    if size is None or size.z_um is None:
        return 1.0
    # Sizes are rounded down: 0.3 over 0.1 must not lose a plane by being 2.9999999999999996.
    return round(math.sqrt((size.z_um / size.x_um) * (size.z_um / size.y_um)), 6)


def _check(prepared: Prepared) -> None:
    """Refuse what cannot be computed: the library divides by the sides less one, and fails at sizes of 0."""
    depth, height, width = prepared.pixels.shape[:3]
    if min(height, width) < 2:
        raise InvalidRequestError.of_field("image", f"{width} x {height} pixels are too few: 2 x 2 at least")
    if prepared.mode == "full" and depth < 2:
        raise InvalidRequestError.of_field(
            "cellpose.cellpose_volume_mode", "flows along Z need two planes or more; the image has one"
        )
    sides = prepared.sides
    if min(sides) < 1 or not math.prod(sides) <= _MAX_SCALED_PIXELS:
        raise InvalidRequestError.of_field(
            "cellpose.anisotropy" if prepared.task.expected_diameter_px is None else "expected_diameter_px",
            f"{depth} x {height} x {width} pixels would be scaled to "
            f"{' x '.join(f'{side:.4g}' for side in sides)}; every side must keep a pixel, and all may be at "
            f"most {_MAX_SCALED_PIXELS:,}",
        )
    if prepared.iterations > MAX_ITERATIONS:
        raise InvalidRequestError.of_field(
            "expected_diameter_px",
            f"flows would be followed for {prepared.iterations:,} steps, {MAX_ITERATIONS:,} are the most; "
            "make the image smaller, or set iteration_count",
        )


def _check_cost(prepared: Prepared, tile_px: int, max_tiles: int) -> None:
    count = prepared.count_tiles(tile_px)
    if count <= max_tiles:
        return
    cost = f"{count:,} tiles of {tile_px} x {tile_px} pixels, and the server computes at most {max_tiles:,}"
    if prepared.scale > 1:
        raise InvalidRequestError.of_field(
            "expected_diameter_px",
            f"enlarged {prepared.scale:g} times, it comes to {cost}; give a larger diameter, or a part of it",
        )
    raise InvalidRequestError.of_field(
        "image", f"it comes to {cost}; give a part of it, fewer planes, or a smaller tile_overlap"
    )


def _normalise(pixels: NDArray[Any], parameters: CellposeParameters) -> NDArray[np.float32]:
    """Map the percentiles of each channel, over all planes, to 0 and 1; a flat channel becomes 0."""
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused before it is followed
        seen: NDArray[np.float32] = transforms.normalize_img(
            pixels.astype(np.float32),  # always a copy: the library writes where float32 samples stand
            normalize=True,
            norm3D=True,
            percentile=(parameters.low_percentile, parameters.high_percentile),
        )
    return seen


def _mapped(raw: NDArray[Any], seen: NDArray[np.float32]) -> IntensityRange:
    """The intensities that became 0 and 1, from the darkest and the brightest sample.

    The library does not say them, and takes the percentiles of large images from a part of the samples.
    """
    places = np.unravel_index(raw.argmin(), raw.shape), np.unravel_index(raw.argmax(), raw.shape)
    dark, bright = (float(raw[place]) for place in places)
    low, high = (float(seen[place]) for place in places)
    if high <= low:  # too flat to be normalised
        return IntensityRange(dark, dark)
    step = (bright - dark) / (high - low)
    # float32 is as exactly as it was computed.
    return IntensityRange(float(np.float32(dark - low * step)), float(np.float32(dark + (1 - low) * step)))


def _without_effect(parameters: CellposeParameters) -> set[str]:
    """The parameters that made no difference."""
    mode = parameters.cellpose_volume_mode
    names = set()
    if mode == "full":
        names.add("flow_threshold")
    else:
        names.add("anisotropy")
    if mode != "stitched":
        names.add("stitch_threshold")
    if parameters.normalization_skipped:
        names |= {"low_percentile", "high_percentile"}
    return names
