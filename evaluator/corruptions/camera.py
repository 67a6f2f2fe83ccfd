"""Faults of the camera, and of what is written of its image."""

from __future__ import annotations

import io

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from evaluator.corruptions.light import Floats, Light


def shot_noise(light: Light, photons: float, rng: Generator) -> Floats:
    """Too little light: the photons that reach a pixel vary by chance, after Poisson.

    What the image shows is taken for their mean; noise that it has already stays in it.

    Args:
        light: the image.
        photons: at the brightest place of the image, in one pixel.
        rng: counts the photons.

    Source: Janesick, "Photon Transfer", SPIE Press, 2007, chapter 3.
    """
    return rng.poisson(np.maximum(light.levels, 0) * photons) / photons


def read_noise(light: Light, deviation_percent: float, rng: Generator) -> Floats:
    """The amplifier adds noise that does not depend on the light: normal, the same everywhere.

    Args:
        light: the image.
        deviation_percent: standard deviation, in per cent of the step from dark to bright.
        rng: draws the noise.

    Source: Janesick, "Photon Transfer", SPIE Press, 2007, chapter 3.
    """
    return light.levels + rng.normal(0, deviation_percent / 100, light.levels.shape)


def saturation(light: Light, exposure: float, rng: Generator) -> Floats:
    """Exposed for too long: what would be brighter than bright is cut off there.

    Args:
        light: the image.
        exposure: time, in times of the one that just reaches the camera's limit.
        rng: not used.

    Source: Bray et al., "Workflow and metrics for image quality control in large-scale high-content
    screens", Journal of Biomolecular Screening 17, 2012.
    """
    del rng
    return np.minimum(light.levels * exposure, 1)


def binning(light: Light, side_px: float, rng: Generator) -> Floats:
    """The camera reads squares of pixels as one: their mean, which is repeated so that the size stays.

    Args:
        light: the image.
        side_px: side of a square, in px; squares at the lower and right edge may be smaller.
        rng: not used.

    Source: Janesick, "Scientific Charge-Coupled Devices", SPIE Press, 2001 (binning).
    """
    del rng
    side, (height, width) = int(side_px), light.shape
    rows, columns = np.arange(0, height, side), np.arange(0, width, side)
    sums = np.add.reduceat(np.add.reduceat(light.levels, rows, axis=0), columns, axis=1)
    heights, widths = np.diff(rows, append=height), np.diff(columns, append=width)
    means = sums / np.outer(heights, widths)[..., np.newaxis]
    return np.repeat(np.repeat(means, heights, axis=0), widths, axis=1)


def bit_depth(light: Light, levels: float, rng: Generator) -> Floats:
    """Written with 8 bits by the camera's range and not by the image's: few levels are left of a dim one.

    A 16-bit image whose bright places reach 1/8 of the range has 32 of 256 levels after that.

    Args:
        light: the image.
        levels: grey levels that are left from dark to bright.
        rng: not used.

    Source: Gonzalez and Woods, "Digital Image Processing", 4th ed., 2018, section 2.4 (quantisation).
    """
    del rng
    steps = levels - 1
    return np.floor(light.levels * steps + 0.5) / steps


def jpeg(light: Light, quality: float, rng: Generator) -> Floats:
    """Saved as JPEG: stretched to 8 bits, then only coarse steps are kept of each 8 x 8 pixels' frequencies.

    Colours are saved as such, with half the resolution (4:2:0); channels and planes one by one.

    Args:
        light: the image.
        quality: of libjpeg, 100 best.
        rng: not used.

    Source: Wallace, "The JPEG still picture compression standard", Communications of the ACM 34, 1991.
    """
    del rng
    low, high = float(light.levels.min()), float(light.levels.max())
    span = (high - low) or 1.0
    eight = np.floor((light.levels - low) / span * 255 + 0.5).astype(np.uint8)
    planes = [eight] if light.colour else list(np.moveaxis(eight, 2, 0))
    saved = [_saved(np.ascontiguousarray(plane), int(quality)) for plane in planes]
    return low + span / 255 * (saved[0] if light.colour else np.stack(saved, axis=-1)).astype(np.float64)


def _saved(plane: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    file = io.BytesIO()
    Image.fromarray(plane).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    return np.asarray(Image.open(file))
