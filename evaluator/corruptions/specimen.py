"""Faults of the specimen and of how it was prepared."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from evaluator.corruptions.light import Floats, Light

_DARKEST = 1 / 512
"""Light below which a stain is not told from black."""
_HEMATOXYLIN, _EOSIN = (0.65, 0.70, 0.29), (0.07, 0.99, 0.11)
"""How much of red, green and blue the stains absorb, after Ruifrok and Johnston."""


def debris(light: Light, area_percent: float, rng: Generator) -> Floats:
    """Dust and fragments lie in the light: round specks with soft edges, half of them bright and half dark.

    Args:
        light: the image.
        area_percent: of the image, covered; specks that overlap count twice.
        rng: places the specks: radius 1 to 4 % of the shorter side, opacity 50 to 90 %.

    Source: Bray et al., "Workflow and metrics for image quality control in large-scale high-content
    screens", Journal of Biomolecular Screening 17, 2012 (debris as an artefact of screens).
    """
    levels, (height, width) = light.levels.copy(), light.shape
    wanted = area_percent / 100 * height * width
    covered = 0.0
    while covered < wanted:
        y, x = rng.uniform(0, height), rng.uniform(0, width)
        radius = max(1.0, rng.uniform(0.01, 0.04) * min(height, width))
        opacity, tone = rng.uniform(0.5, 0.9), float(rng.integers(2))
        top, left = max(0, math.floor(y - radius)), max(0, math.floor(x - radius))
        window = levels[top : math.ceil(y + radius) + 1, left : math.ceil(x + radius) + 1]
        rows = np.arange(top, top + window.shape[0])[:, np.newaxis] + 0.5 - y
        columns = np.arange(left, left + window.shape[1]) + 0.5 - x
        inside = np.clip(3 * (1 - np.sqrt(rows**2 + columns**2) / radius), 0, 1)
        window += (opacity * inside)[..., np.newaxis] * (tone - window)
        covered += math.pi * radius**2
    return levels


def charging(light: Light, rows_percent: float, rng: Generator) -> Floats:
    """An electron beam charges what does not conduct: rows flash or go dark somewhere, and recover.

    The beam scans along the rows; from a random place on, the signal jumps by 30 to 100 % of the step from
    dark to bright, up or down, and comes back exponentially within a twentieth to a third of the width.

    Args:
        light: the image.
        rows_percent: of the rows, struck.
        rng: chooses the rows and what happens in them.

    Source: Cazaux, "Charging in scanning electron microscopy from inside and outside", Scanning 26, 2004.
    """
    height, width = light.shape
    struck = rng.permutation(height)[: math.ceil(rows_percent / 100 * height)]
    # Drawn for every row, so that the rows of a lower severity are struck alike in a higher one.
    start = rng.uniform(-0.2, 0.9, height)[struck, np.newaxis] * width
    jump = (rng.uniform(0.3, 1.0, height) * rng.choice((-1.0, 1.0), height))[struck, np.newaxis]
    recovery = rng.uniform(0.05, 0.33, height)[struck, np.newaxis] * width
    since = np.arange(width) - start
    streaks = np.where(since >= 0, jump * np.exp(-np.maximum(since, 0) / recovery), 0)
    levels = light.levels.copy()
    levels[struck] = np.clip(levels[struck] + streaks[..., np.newaxis], 0, 1)
    return levels


def stain_shift(light: Light, change_percent: float, rng: Generator) -> Floats:
    """Another batch of stain: one of hematoxylin and eosin has become stronger, the other weaker.

    Absorbance is taken apart into the two stains and a rest, and put together with other amounts. Other
    stains are treated as mixtures of these. What has no colours, that is grey images, fluorescence
    channels, and RGB images in which red, green and blue are equal, stays as it is.

    Args:
        light: the image; light 1 is the lamp's.
        change_percent: of the amount of both stains, up for one and down for the other.
        rng: chooses which.

    Source: Ruifrok and Johnston, Analytical and Quantitative Cytology and Histology 23, 2001 (the stains);
    Tellez et al., Medical Image Analysis 58, 2019 (shifts of them).
    """
    sign = float(rng.choice((-1.0, 1.0)))
    if not light.colour or np.ptp(light.levels, axis=2).max() == 0:
        return light.levels
    stains = np.array([_HEMATOXYLIN, _EOSIN, np.cross(_HEMATOXYLIN, _EOSIN)])
    stains /= np.linalg.norm(stains, axis=1, keepdims=True)
    factors = 1 + sign * change_percent / 100 * np.array([1.0, -1.0, 0.0])
    absorbance = -np.log(np.maximum(light.levels, _DARKEST))
    changed = np.zeros_like(absorbance)
    mixing = np.linalg.inv(stains) @ np.diag(factors) @ stains
    for colour in range(3):  # no matrix product: its last digits depend on the machine
        for other in range(3):
            changed[..., colour] += absorbance[..., other] * mixing[other, colour]
    return np.exp(-changed)
