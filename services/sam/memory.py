"""What to do when memory runs out: once more with less at a time, then say so; the service lives on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from hooke.errors import OutOfMemoryError
from runtime.accelerators import out_of_memory

T = TypeVar("T")


def sparingly(attempt: Callable[[int], T], at_once: int, image_pixels: int) -> T:
    """Attempt something with `at_once` things at a time, and if memory runs out with a quarter of them.

    Args:
        attempt: takes how many at a time; it must be safe to do twice.
        at_once: 1 or more.
        image_pixels: rows times columns, for the error.

    Raises:
        OutOfMemoryError: it did not fit the second time either.
    """
    for size in (at_once, max(1, at_once // 4)):
        try:
            return attempt(size)
        except Exception as error:
            if not out_of_memory(error):
                raise
        # Only here is nothing of the attempt referred to any more.
        torch.cuda.empty_cache()
    raise OutOfMemoryError(
        f"the image of {image_pixels} pixels does not fit into memory",
        metadata={"imagePixels": str(image_pixels), "suggestedMaxPixels": str(image_pixels // 2)},
    )
