"""What is measured on a GPU: a model, asked in the library's way and in Hooke's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IMAGES = 16
"""Images of one turn, so that the largest batch is full."""
TINY_IMAGES = 2
"""Images of one turn where only the script is tried."""


@dataclass(frozen=True, slots=True)
class Work:
    """One model with one kind of numbers, loaded, with images to work on.

    Attributes:
        plain: the library's own way, one image after the other; returns the number of images. None: it
            has no such numbers.
        batched: the same work by Hooke's classes, so many images at a time.
    """

    plain: Callable[[], int] | None
    batched: Callable[[int], int]


def micrographs(side_px: int, *, tiny: bool) -> list[NDArray[np.uint8]]:
    """Images of noise, side x side x 3; what they show costs none of these networks more or less."""
    count = TINY_IMAGES if tiny else IMAGES
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (side_px, side_px, 3), np.uint8) for _ in range(count)]
