"""Pictures for people: the image with the outlines of the objects."""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from hooke.images import DEFAULT_HIGH_PERCENTILE, DEFAULT_LOW_PERCENTILE, Micrograph
from hooke.masks.runs import Labels, check_labels

_CHANNEL_COLOURS = (
    (1.0, 0.0, 0.0),
    (0.0, 1.0, 0.0),
    (0.0, 0.4, 1.0),
    (1.0, 0.0, 1.0),
    (1.0, 1.0, 0.0),
    (0.0, 1.0, 1.0),
)
_OUTLINE_COLOURS = 61
"""A prime number, so that regular arrangements of objects do not repeat their colours side by side."""
_PNG_LEVEL = 3
_PIXELS_PER_OUTLINE_WIDTH = 1200
"""An outline of one pixel is lost when a larger image is scaled down to a screen."""


def overlay(micrograph: Micrograph, labels: Labels) -> NDArray[np.uint8]:
    """The image with a coloured outline around every object.

    8-bit RGB is shown as it is. Everything else is stretched for display, each channel by itself, from its
    1st to its 99.8th percentile over the whole image; one channel is grey, several are added in colours.

    Args:
        micrograph: an image of axes "YX", "YXC" or "YXS".
        labels: H x W integers of the same height and width, 0 background.

    Returns:
        H x W x 3.

    Raises:
        ValueError: the array is no label image, or does not fit the image.
    """
    check_labels(labels)
    if micrograph.axes not in ("YX", "YXC", "YXS") or micrograph.pixels.shape[:2] != labels.shape:
        raise ValueError(
            f"labels of shape {labels.shape} do not fit an image {micrograph.axes} of shape "
            f"{micrograph.pixels.shape}"
        )
    picture = _picture(micrograph)
    width = max(1, round(max(labels.shape) / _PIXELS_PER_OUTLINE_WIDTH))
    outline = _outlines(labels, width)
    places = np.flatnonzero(outline)
    picture.reshape(-1, 3)[places] = _colours()[outline.ravel()[places] % _OUTLINE_COLOURS]
    return picture


def write_overlay_png(path: str | Path, micrograph: Micrograph, labels: Labels) -> None:
    """Write `overlay` as a PNG file."""
    Path(path).write_bytes(imagecodecs.png_encode(overlay(micrograph, labels), level=_PNG_LEVEL))


def _picture(micrograph: Micrograph) -> NDArray[np.uint8]:
    pixels = micrograph.pixels
    if micrograph.axes == "YXS":
        if pixels.dtype == np.uint8:
            return pixels.copy()
        return np.stack([_stretched(pixels[..., sample]) for sample in range(3)], axis=-1)
    if micrograph.axes == "YX":
        return np.repeat(_stretched(pixels)[..., np.newaxis], 3, axis=-1)
    total = np.zeros((*pixels.shape[:2], 3), np.float32)
    for channel in range(pixels.shape[2]):
        colour = np.array(_CHANNEL_COLOURS[channel % len(_CHANNEL_COLOURS)], np.float32)
        total += _stretched(pixels[..., channel])[..., np.newaxis] * colour
    return np.minimum(total, 255).astype(np.uint8)


def _stretched(channel: NDArray[Any]) -> NDArray[np.uint8]:
    low, high = np.percentile(channel, (DEFAULT_LOW_PERCENTILE, DEFAULT_HIGH_PERCENTILE))
    if high <= low:
        high = low + 1
    scaled = (channel.astype(np.float32) - np.float32(low)) * np.float32(255 / (high - low))
    shown: NDArray[np.uint8] = np.clip(scaled, 0, 255).astype(np.uint8)
    return shown


def _outlines(labels: Labels, width: int) -> Labels:
    """The label of each pixel that is at most `width` pixels inside the edge of its object, else 0."""
    inside = labels.copy()
    outline = np.zeros_like(labels)
    for _ in range(width):
        edge = np.zeros(labels.shape, bool)
        across = inside[:, 1:] != inside[:, :-1]
        down = inside[1:] != inside[:-1]
        edge[:, 1:] |= across
        edge[:, :-1] |= across
        edge[1:] |= down
        edge[:-1] |= down
        np.copyto(outline, inside, where=edge & (inside > 0))
        inside[edge] = 0
    return outline


def _colours() -> NDArray[np.uint8]:
    """Saturated colours whose hues differ most between successive labels."""
    golden = 0.618034
    hues = [(index * golden) % 1.0 for index in range(_OUTLINE_COLOURS)]
    return (255 * np.array([colorsys.hsv_to_rgb(hue, 0.9, 1.0) for hue in hues])).astype(np.uint8)
