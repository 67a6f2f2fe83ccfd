"""Faults of the way from the specimen to the camera."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator
from scipy import ndimage

from evaluator.corruptions.light import Floats, Light

_FINE = 8
"""Places along each side of a pixel at which a disc is looked at, so that its edge is smooth."""


def defocus(light: Light, radius_px: float, rng: Generator) -> Floats:
    """The specimen lies beside the focal plane: each point becomes an even disc.

    In geometrical optics the disc's radius grows with the distance from focus and with the aperture.

    Args:
        light: the image.
        radius_px: radius of the disc, in px.
        rng: not used.

    Source: Stokseth, "Properties of a defocused optical system", JOSA 59, 1969.
    """
    del rng
    return _convolve(light.levels, _disc(radius_px))


def gaussian_psf(light: Light, focus: float, rng: Generator) -> Floats:
    """Out of focus as BBBC005 draws it: a Gaussian of standard deviation F / 4 px, cut off at F px across.

    Args:
        light: the image.
        focus: the F of BBBC005's file names, 1 to 48.
        rng: not used.

    Source: Broad Bioimage Benchmark Collection, BBBC005, version 1, the description of its F.
    """
    del rng
    sigma = focus / 4
    blurred: Floats = ndimage.gaussian_filter(light.levels, (sigma, sigma, 0), mode="nearest", truncate=2)
    return blurred


def drift(light: Light, length_px: float, rng: Generator) -> Floats:
    """The stage moves while the shutter is open: each point becomes a line, in a random direction.

    The line's middle is where the point was, so that the truth still fits.

    Args:
        light: the image.
        length_px: how far the stage moves, in px.
        rng: chooses the direction.

    Source: Gonzalez and Woods, "Digital Image Processing", 4th ed., 2018, section 5.6.
    """
    return _convolve(light.levels, _line(length_px, rng.uniform(0, math.pi)))


def uneven_illumination(light: Light, loss_percent: float, rng: Generator) -> Floats:
    """The lamp is off the axis: light falls with the squared distance from a random place near the middle.

    Args:
        light: the image.
        loss_percent: of the light, lost at the darkest corner.
        rng: chooses the brightest place, within the middle half of both sides.

    Source: Peng et al., "A BaSiC tool for background and shading correction", Nature Communications 8, 2017.
    """
    height, width = light.shape
    y0, x0 = rng.uniform(0.25, 0.75, 2)
    rows = (np.arange(height) + 0.5)[:, np.newaxis] / height - y0
    columns = (np.arange(width) + 0.5) / width - x0
    distance = rows**2 + columns**2
    left: Floats = 1 - loss_percent / 100 * distance / distance.max()
    return light.levels * left[..., np.newaxis]


def _convolve(levels: Floats, kernel: Floats) -> Floats:
    result: Floats = ndimage.convolve(levels, kernel[..., np.newaxis], mode="nearest")
    return result


def _disc(radius_px: float) -> Floats:
    reach = math.ceil(radius_px)
    side = 2 * reach + 1
    places = (np.arange(side * _FINE) + 0.5) / _FINE - side / 2
    inside = places[:, np.newaxis] ** 2 + places**2 <= radius_px**2
    kernel: Floats = inside.reshape(side, _FINE, side, _FINE).mean(axis=(1, 3))
    return _of_sum_1(kernel)


def _line(length_px: float, angle: float) -> Floats:
    """Points close to each other on a line, each shared out among the four pixels around it."""
    reach = math.ceil(length_px / 2) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    along = np.linspace(-length_px / 2, length_px / 2, _FINE * math.ceil(length_px) + 1)
    for y, x in zip(along * math.sin(angle) + reach, along * math.cos(angle) + reach, strict=True):
        row, column = int(y), int(x)
        down, right = y - row, x - column
        kernel[row : row + 2, column : column + 2] += np.outer((1 - down, down), (1 - right, right))
    return _of_sum_1(kernel)


def _of_sum_1(kernel: Floats) -> Floats:
    """The kernel that keeps the light."""
    return kernel / float(kernel.sum())
