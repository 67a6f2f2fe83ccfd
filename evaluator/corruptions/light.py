"""Samples as light and back: faults happen to light, whatever type the samples have.

Light 0 and 1 are what the image itself calls dark and bright, so that a fault of one severity harms an
8-bit image and a dim 16-bit one alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hooke.codecs import from_array
from hooke.images import Micrograph

Floats = NDArray[np.float64]

PERCENTILES = (0.1, 99.9)
"""Intensities that are dark and bright; beyond them lie dead and hot pixels."""
COLOURS = 3
"""Samples of a pixel of RGB data."""
_BIT_DEPTHS = (8, 10, 12, 14, 16, 32)
"""Of cameras. A file that says 16 bits mostly holds what one of these wrote."""
_FLOAT_STEPS = 2.0**20
"""Levels between dark and bright that are kept of floats: what is finer depends on the machine."""
_HALF = 0.5 + 1e-6
"""Halves, and what rounding has left of them, go up: the same on every machine."""


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """An image as light.

    Attributes:
        levels: H x W x N, 0 dark and 1 bright, a little beyond both in places; N counts the channels, planes
            and colours together.
        colour: the N are red, green and blue of one image.
    """

    levels: Floats
    colour: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        height, width, _ = self.levels.shape
        return height, width


@dataclass(frozen=True, slots=True, eq=False)
class Exposure:
    """How the samples of one image stand for light.

    Attributes:
        image: what was taken.
        light: what was there.
        dark, bright: the samples of light 0 and 1, for each of the N.
        lowest, highest: what the camera can write: the range of its bit depth; of floats, 0 to 1 or, where
            the image goes beyond that, as far as it goes.
    """

    image: Micrograph
    light: Light
    dark: Floats
    bright: Floats
    lowest: float
    highest: float

    @classmethod
    def of(cls, image: Micrograph) -> Exposure:
        """Read the light of an image.

        Dark and bright are the 0.1 and 99.9 percentiles of each channel. Of RGB data they are those of all
        three, and 0 is dark, since there the darkest place absorbs light and is not the absence of it.
        """
        colour = image.axes.endswith("S")
        samples = _turned(image).astype(np.float64)
        lowest, highest = _range_of(image, samples)
        channels = samples.reshape(-1, samples.shape[-1] if "C" in image.axes else 1)
        dark, bright = np.percentile(channels, PERCENTILES, axis=0)
        alike = bright <= dark  # a few spots on nothing
        dark, bright = np.where(alike, (channels.min(axis=0), channels.max(axis=0)), (dark, bright))
        if colour:
            dark = np.minimum(dark, 0)
        bright = np.where(bright <= dark, dark + ((highest - lowest) or 1.0), bright)
        flat = samples.reshape(*samples.shape[:2], -1)
        dark, bright = (np.resize(ends, flat.shape[2]) for ends in (dark, bright))
        return cls(image, Light((flat - dark) / (bright - dark), colour), dark, bright, lowest, highest)

    def record(self, levels: Floats) -> Micrograph:
        """Write light as samples: of the same type, shape and range, with all else that is known.

        Args:
            levels: H x W x N, as in `light`.
        """
        pixels = self.image.pixels
        span = self.bright - self.dark
        if pixels.dtype.kind == "f":
            samples = self.dark + span * np.floor(levels * _FLOAT_STEPS + _HALF) / _FLOAT_STEPS
        else:
            samples = np.floor(self.dark + span * levels + _HALF)
        written = np.clip(samples, self.lowest, self.highest).astype(pixels.dtype)
        places = _places(self.image.axes)
        shape = [pixels.shape[place] for place in places]
        return from_array(
            written.reshape(shape).transpose(np.argsort(places)),
            self.image.axes,
            pixel_size=self.image.pixel_size,
            channel_names=self.image.channel_names,
            bit_depth=self.image.bit_depth,
        )


def _places(axes: str) -> list[int]:
    """Where rows, columns, planes and, last, channels or colours stand among the axes."""
    order = "YX" + "".join(letter for letter in axes if letter not in "YXCS") + "CS"
    return [axes.index(letter) for letter in order if letter in axes]


def _turned(image: Micrograph) -> NDArray[Any]:
    """H x W, then planes, channels and colours as far as there are any."""
    turned = image.pixels.transpose(_places(image.axes))
    return turned if turned.ndim > 2 else turned[..., np.newaxis]


def _range_of(image: Micrograph, samples: Floats) -> tuple[float, float]:
    if image.pixels.dtype.kind == "f":
        return min(0.0, float(samples.min())), max(1.0, float(samples.max()))
    bits = image.bit_depth
    if bits == image.pixels.dtype.itemsize * 8:
        bits = next(depth for depth in _BIT_DEPTHS if samples.max() < 2**depth)
    return 0.0, float(2**bits - 1)
