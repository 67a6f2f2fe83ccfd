"""What the readers of single formats share."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from hooke.errors import HookeError, ImageTooLargeError, ImageUnreadableError
from hooke.images import ImageHeader, ImageLimits


@dataclass(frozen=True, slots=True)
class Source:
    """An opened file: its header, and how to get its samples in the header's shape."""

    header: ImageHeader
    samples: Callable[[], NDArray[Any]]


def check_size(shape: tuple[int, ...], limits: ImageLimits) -> None:
    """Check the shape that a header claims, before anything of that size is allocated.

    Raises:
        ImageUnreadableError: a dimension is empty.
        ImageTooLargeError: there are more samples than the limits allow.
    """
    if min(shape) < 1:
        raise ImageUnreadableError(f"the file says that the image is {shape}: it has no pixels")
    count = math.prod(shape)
    if count > limits.max_pixels:
        raise ImageTooLargeError(
            f"the image has {count} samples {shape}; at most {limits.max_pixels} are taken",
            metadata={"maxPixels": str(limits.max_pixels)},
        )


def check_enough(present: int, claimed: int, ratio: float) -> None:
    """Check that compressed data can be what its header claims, before so much is allocated.

    Args:
        present: compressed, in bytes.
        claimed: decompressed, in bytes.
        ratio: how much the compression can shrink data at best.

    Raises:
        ImageUnreadableError: it cannot.
    """
    if present * ratio < claimed:
        raise ImageUnreadableError(
            f"the file is cut off or lies: {present} bytes cannot hold the {claimed} bytes of its samples"
        )


@contextlib.contextmanager
def reading(format_name: str) -> Iterator[None]:
    """Turn whatever a decoder raises into the error of an unreadable image.

    Decoders meet files that lie in every field and answer with nearly any exception; all of them mean the
    same to the caller.
    """
    try:
        yield
    except HookeError:
        raise
    except MemoryError as error:
        raise ImageTooLargeError(f"the {format_name} file needs more memory than there is") from error
    except Exception as error:
        raise ImageUnreadableError(
            f"the {format_name} file is damaged or cut off: {str(error) or type(error).__name__}"[:500]
        ) from error
