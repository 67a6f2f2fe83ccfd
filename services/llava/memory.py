"""What happens where a batch cannot be computed as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from hooke.errors import HookeError, OutOfMemoryError
from runtime import accelerators

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


def in_parts(
    items: Sequence[ItemT], compute: Callable[[Sequence[ItemT]], list[ResultT]]
) -> list[ResultT | HookeError]:
    """Compute all items together; where memory runs out or one is refused, each half for itself, and so on.

    Returns:
        For each item its result, or why there is none: what `compute` raises for it alone, or
        OutOfMemoryError where it does not even fit alone.
    """
    if not items:
        return []
    try:
        return [*compute(items)]
    except HookeError as error:
        if len(items) == 1:
            return [error]
    except Exception as error:
        if not accelerators.out_of_memory(error):
            raise
    # Out here the error is gone, and with it what the failed attempt held.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if len(items) == 1:
        return [
            OutOfMemoryError(
                "the request needs more memory than there is: send fewer images or turns, or have the model "
                "served with a lower precision or in fewer bits"
            )
        ]
    middle = len(items) // 2
    return [*in_parts(items[:middle], compute), *in_parts(items[middle:], compute)]
