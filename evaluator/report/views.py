"""Images as a page shows them: stretched to what a screen can show, bounded in size, named by hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hooke.codecs import decode, select_view
from hooke.errors import HookeError
from hooke.images import Micrograph, View

VIEW_PX, THUMBNAIL_PX = 1024, 160
"""Longest sides of what a page shows."""

_QUALITY, _SMALL_QUALITY = 88, 75
_STRETCH_PERCENT = (0.1, 99.9)
_STRETCH_SAMPLES = 1_000_000
"""As many samples decide about the stretch; more would only take time."""

_EVERY_CHANNEL = 1 << 30


@dataclass(frozen=True, slots=True)
class ImageView:
    """An image as the pages show it.

    Attributes:
        full: file name within images/.
        thumbnail: the same of a small one; empty if none was asked for.
        width, height: of the image itself, in pixels.
        note: how it was brought to the screen, in a sentence.
    """

    full: str
    thumbnail: str
    width: int
    height: int
    note: str


@dataclass(frozen=True, slots=True, eq=False)
class Displayed:
    """Pixels for a screen, H x W or H x W x 3 uint8, and how they came about, in a sentence."""

    pixels: NDArray[np.uint8]
    note: str


def write_view(folder: Path, image: bytes, *, thumbnail: bool = True) -> ImageView | str:
    """Write an encoded image for the pages, or say why it cannot be shown.

    A view that is there already (another task has the same image) is written again: the bytes are equal.
    """
    try:
        micrograph = decode(image)
        shown = display(micrograph)
    except HookeError as error:
        return f"The image cannot be shown: {error}."
    name = hashlib.sha256(image).hexdigest()[:24]
    full, small = f"{name}.jpg", f"{name}.small.jpg" if thumbnail else ""
    view = ImageView(full, small, micrograph.width_px, micrograph.height_px, shown.note)
    sizes = ((full, VIEW_PX, _QUALITY), (small, THUMBNAIL_PX, _SMALL_QUALITY))
    for file, side, quality in sizes[: 1 + thumbnail]:
        picture = Image.fromarray(shown.pixels)
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        picture.save(folder / file, quality=quality)
    return view


def display(image: Micrograph) -> Displayed:
    """Any image as a screen shows it.

    Of several time points the first is taken, planes are projected by their maximum. 8-bit RGB is left as
    it is; all else is stretched linearly from its 0.1 to its 99.9 percentile, RGB in all samples alike.
    Two channels become magenta and green, more become red, green and blue; a fourth is not shown.
    """
    flat = select_view(image, View(time_index=0, z_projection="max"), _EVERY_CHANNEL)
    if flat.axes == "YXS":
        pixels = flat.pixels[..., :3]
        if pixels.dtype == np.uint8:
            return Displayed(np.ascontiguousarray(pixels), "Shown with its own colours.")
        low, high = _limits(pixels)
        return Displayed(_stretched(pixels, low, high), _note([(low, high)]))
    if flat.axes == "YX":
        low, high = _limits(flat.pixels)
        return Displayed(_stretched(flat.pixels, low, high), _note([(low, high)]))
    channels = [flat.pixels[..., i] for i in range(min(3, flat.pixels.shape[-1]))]
    ranges = [_limits(channel) for channel in channels]
    shown = [_stretched(channel, *limits) for channel, limits in zip(channels, ranges, strict=True)]
    colours = ("magenta", "green") if len(shown) == 2 else ("red", "green", "blue")
    if len(shown) == 2:
        shown = [shown[0], shown[1], shown[0]]
    of = f" of {flat.pixels.shape[-1]}" if flat.pixels.shape[-1] > 3 else ""
    return Displayed(
        np.stack(shown, axis=-1),
        f"{_note(ranges)} The first {len(ranges)}{of} channels are shown in {', '.join(colours)}.",
    )


def _limits(pixels: NDArray[Any]) -> tuple[float, float]:
    step = max(1, int(np.sqrt(pixels.size / _STRETCH_SAMPLES)))
    low, high = _percentiles(pixels[::step, ::step])
    if high <= low:  # a few bright pixels on nothing
        low, high = pixels.min(), pixels.max()
    return float(low), float(high)


def _percentiles(samples: NDArray[Any]) -> NDArray[np.float64]:
    """Where the stretch begins and ends, as `np.percentile` has it."""
    found: NDArray[np.float64]
    if samples.dtype in (np.uint8, np.uint16):  # counting takes a sixth of the time of sorting
        counts = np.bincount(samples.ravel()).cumsum()
        ranks = np.array(_STRETCH_PERCENT) / 100 * (samples.size - 1)
        below, above = (np.searchsorted(counts, ends(ranks), side="right") for ends in (np.floor, np.ceil))
        found = below + (above - below) * (ranks % 1)
    else:
        found = np.percentile(samples, _STRETCH_PERCENT)
    return found


def _stretched(pixels: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    if high <= low:
        return np.full(pixels.shape, 128, np.uint8)
    scaled = (pixels.astype(np.float32) - low) * (255 / (high - low))
    shown: NDArray[np.uint8] = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return shown


def _note(ranges: list[tuple[float, float]]) -> str:
    if all(high <= low for low, high in ranges):
        return "The image has one value only, shown as grey."
    written = " and ".join(f"{low:,.6g} to {high:,.6g}" for low, high in ranges)
    return f"Intensities from {written} are shown as dark to bright."
