"""How the pages of a TIFF file make up one image: its T, C and Z axes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hooke.errors import ImageUnreadableError
from hooke.images import PixelSize

CANONICAL = "TCZ"
UNKNOWN_AXIS = "?"
"""Stands for the axis of pages of which the file does not say what they are."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The pages that make up the image.

    Attributes:
        pages: indices into the file's pages, in C order of `shape`.
        axes: one letter out of TCZ for each dimension of `shape`; UNKNOWN_AXIS where the file does not say.
        shape: none of its dimensions is 1.
        bit_depth, pixel_size, channel_names: None or empty where the description does not say.
    """

    pages: tuple[int, ...]
    axes: str = ""
    shape: tuple[int, ...] = ()
    bit_depth: int | None = None
    pixel_size: PixelSize | None = None
    channel_names: tuple[str, ...] = ()


def arrange(pages: Sequence[int], sizes: Mapping[str, int]) -> Layout:
    """Put pages into the order of TCZ and drop the dimensions of length 1.

    Args:
        pages: indices into the file's pages, in the order of the file.
        sizes: length of each axis, slowest first; their product is the number of pages.
    """
    letters = [letter for letter in CANONICAL if letter in sizes]
    present = list(sizes)
    grid = np.array(pages).reshape([sizes[letter] for letter in present])
    grid = grid.transpose([present.index(letter) for letter in letters])
    kept = [letter for letter in letters if sizes[letter] > 1]
    return Layout(
        pages=tuple(int(page) for page in grid.ravel()),
        axes="".join(kept),
        shape=tuple(sizes[letter] for letter in kept),
    )


def of_unknown_axis(pages: Sequence[int]) -> Layout:
    """Pages of which nobody says how they belong together."""
    if len(pages) == 1:
        return Layout(pages=tuple(pages))
    return Layout(pages=tuple(pages), axes=UNKNOWN_AXIS, shape=(len(pages),))


def read_imagej(fields: Mapping[str, str], samples: int, page_count: int) -> Layout:
    """The layout that an ImageJ description tells.

    Args:
        fields: see `imagej_fields`.
        samples: samples of a pixel on a page, which some writers count as channels too.
        page_count: pages in the file.

    Raises:
        ImageUnreadableError: the file has fewer pages than the description says.
    """
    names = {"T": "frames", "Z": "slices", "C": "channels"}
    order = fields.get("order", "czt").upper()[::-1]
    if sorted(order) != sorted(names):
        order = "TZC"
    sizes = {letter: _positive(fields.get(names[letter], "1")) for letter in order}
    if sizes["C"] == samples:
        sizes["C"] = 1
    count = math.prod(sizes.values())
    if count > 1:
        return arrange(range(_available(count, page_count)), sizes)
    return of_unknown_axis(range(_available(_positive(fields.get("images", "1")), page_count)))


def imagej_fields(description: str) -> dict[str, str]:
    """The `key=value` lines of an ImageJ description."""
    lines = (line.partition("=") for line in description.splitlines())
    return {key.strip(): value.strip() for key, separator, value in lines if separator}


def read_shaped(description: str, page_shape: tuple[int, ...], page_count: int) -> Layout | None:
    """The layout in the JSON description that tifffile writes; None where it tells no axes.

    Raises:
        ImageUnreadableError: the file has fewer pages than the description says.
    """
    try:
        fields = json.loads(description)
    except (ValueError, RecursionError):
        return None
    axes, shape = fields.get("axes"), fields.get("shape")
    if not isinstance(axes, str) or not isinstance(shape, list) or len(axes) != len(shape):
        return None
    leading = len(axes) - len(page_shape)
    letters = axes[: max(leading, 0)]
    if leading < 0 or set(letters) - set(CANONICAL) or len(set(letters)) != len(letters):
        return None
    if tuple(shape[leading:]) != page_shape or not all(isinstance(size, int) and size > 0 for size in shape):
        return None
    count = _available(math.prod(shape[:leading]), page_count)
    return arrange(range(count), dict(zip(letters, shape[:leading], strict=True)))


def _positive(text: str) -> int:
    if not text.isdecimal() or not 0 < len(text) < 10 or int(text) < 1:
        raise ImageUnreadableError(f"the TIFF file's description is damaged: {text[:20]!r} is no count")
    return int(text)


def _available(count: int, page_count: int) -> int:
    if count > page_count:
        raise ImageUnreadableError(
            f"the TIFF file says that it has {count} planes, but it has {page_count}: it is cut off, or "
            f"its planes are stored in a way that is not read; save it again, as OME-TIFF"
        )
    return count
