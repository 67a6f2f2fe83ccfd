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
from services.cellpose.parameters import CellposeParameters, VolumeMode

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
    def scaled(self) -> tuple[int, int, int]:
        """Planes, rows and columns that the network sees."""
        depth, height, width = self.pixels.shape[:3]
        stretch = self.scale * self.anisotropy if self.mode == "full" else 1.0
        return int(depth * stretch), int(height * self.scale), int(width * self.scale)

    @property
    def iterations(self) -> int:
        """Of the flow dynamics."""
        return self.parameters.iteration_count or max(1, int(_ITERATIONS / self.scale))

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


def prepare(task: SegmentTask) -> Prepared:
    """Check a task, and normalise its image.

    Raises:
        InvalidRequestError: the image is too small, or becomes too small or too large when it is scaled.
    """
    image = task.image
    parameters = task.parameters or CellposeParameters()
    pixels = image.pixels if image.axes[-1] in "CS" else image.pixels[..., np.newaxis]
    pixels = pixels if image.axes[0] == "Z" else pixels[np.newaxis]
    raw = Prepared(task, parameters, _anisotropy(image, parameters), pixels, ())
    _check(raw)
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
    return size.z_um / math.sqrt(size.x_um * size.y_um)


def _check(prepared: Prepared) -> None:
    """Refuse what cannot be computed: the library divides by the sides less one, and fails at sizes of 0."""
    depth, height, width = prepared.pixels.shape[:3]
    if min(height, width) < 2:
        raise InvalidRequestError.of_field("image", f"{width} x {height} pixels are too few: 2 x 2 at least")
    if prepared.mode == "full" and depth < 2:
        raise InvalidRequestError.of_field(
            "cellpose.cellpose_volume_mode", "flows along Z need two planes or more; the image has one"
        )
    if min(prepared.scaled) < 1 or math.prod(prepared.scaled) > _MAX_SCALED_PIXELS:
        raise InvalidRequestError.of_field(
            "cellpose.anisotropy" if prepared.task.expected_diameter_px is None else "expected_diameter_px",
            f"for objects of {_TRAINED_DIAMETER_PX:g} pixels, {depth} x {height} x {width} would become "
            f"{' x '.join(map(str, prepared.scaled))} pixels; every side must keep one, and they may be at "
            f"most {_MAX_SCALED_PIXELS:,} together",
        )


def _normalise(pixels: NDArray[Any], parameters: CellposeParameters) -> NDArray[np.float32]:
    """Map the percentiles of each channel, over all planes, to 0 and 1; a flat channel becomes 0."""
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
