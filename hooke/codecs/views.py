"""The two-dimensional view of an image that a model gets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hooke.codecs.arrays import invalid
from hooke.images import Micrograph, View

_WHOLE = View()


def select_view(micrograph: Micrograph, view: View | None, max_channel_count: int) -> Micrograph:
    """The view of an image in two dimensions: axes "YX", "YXC" or "YXS". Nothing is guessed.

    One channel, or a selection of one, gives "YX". RGB samples count as three channels for
    `max_channel_count`; a model that takes fewer is expected to bring them to grey itself, so they are
    never refused.

    Args:
        micrograph: any image.
        view: what the request selects; None for nothing.
        max_channel_count: most channels that the model takes.

    Raises:
        InvalidRequestError: an index is out of range, or the image has several time points, planes or
            too many channels and the view does not say which to use.
    """
    view = view or _WHOLE
    pixels, axes = micrograph.pixels, micrograph.axes
    pixels, axes = _at(pixels, axes, "T", view.time_index, "view.time_index", "time points")
    if view.z_projection is None:
        pixels, axes = _at(pixels, axes, "Z", view.z_index, "view.z_index", "planes")
    else:
        if view.z_index is not None:
            invalid("view.z_projection", "select one plane or project them, not both")
        pixels, axes = _project(pixels, axes, view.z_projection)
    names = micrograph.channel_names
    if "S" in axes and "C" in axes:
        pixels, axes, names = _channels(pixels, axes, names, view, 1)
    elif "S" in axes:
        if view.channel_indices:
            invalid("view.channel_indices", "the image has RGB samples and no channels to choose from")
    elif "C" in axes or view.channel_indices:
        pixels, axes, names = _channels(pixels, axes, names, view, max_channel_count)
    order = "YX" + axes.replace("Y", "").replace("X", "")
    pixels = np.transpose(pixels, [axes.index(letter) for letter in order])
    pixels = np.ascontiguousarray(pixels)
    pixels.flags.writeable = False
    return replace(
        micrograph,
        pixels=pixels,
        axes=order,
        channel_names=names if "C" in order or len(names) == 1 else (),
    )


def _at(
    pixels: NDArray[Any], axes: str, axis: str, index: int | None, field: str, plural: str
) -> tuple[NDArray[Any], str]:
    """Take one position of an axis; the only one where none is named."""
    count = pixels.shape[axes.index(axis)] if axis in axes else 1
    if index is None:
        if count > 1:
            other = " or set view.z_projection" if axis == "Z" else ""
            invalid(field, f"the image has {count} {plural}; choose one, 0 to {count - 1}{other}")
        index = 0
    if not 0 <= index < count:
        invalid(field, f"{index} is out of range; the image has {count} {plural}, 0 to {count - 1}")
    if axis not in axes:
        return pixels, axes
    return pixels.take(index, axis=axes.index(axis)), axes.replace(axis, "")


def _project(pixels: NDArray[Any], axes: str, projection: str) -> tuple[NDArray[Any], str]:
    """Bring the planes of a stack together; the mean of integers is rounded to their type."""
    if projection not in ("max", "mean"):
        invalid("view.z_projection", f"{projection!r} is unknown; known are max, mean")
    if "Z" not in axes:
        return pixels, axes
    axis = axes.index("Z")
    if projection == "max":
        return pixels.max(axis=axis), axes.replace("Z", "")
    mean = pixels.mean(axis=axis, dtype=np.float64)
    if pixels.dtype.kind == "u":
        mean = np.rint(mean)
    return mean.astype(pixels.dtype), axes.replace("Z", "")


def _channels(
    pixels: NDArray[Any], axes: str, names: tuple[str, ...], view: View, max_count: int
) -> tuple[NDArray[Any], str, tuple[str, ...]]:
    """Take the channels that the view names, all of them where it names none."""
    field = "view.channel_indices"
    count = pixels.shape[axes.index("C")] if "C" in axes else 1
    present = ", ".join(f"{index}: {name}" for index, name in enumerate(names)) or f"0 to {count - 1}"
    chosen = view.channel_indices or tuple(range(count))
    if not all(0 <= index < count for index in chosen):
        invalid(field, f"{list(chosen)} is out of range; the image has the channels {present}")
    if len(set(chosen)) != len(chosen):
        invalid(field, f"{list(chosen)} names a channel twice")
    if len(chosen) > max_count:
        invalid(
            field,
            f"{len(chosen)} channels, but the model takes {max_count}; choose among {present}",
        )
    if "C" not in axes:
        return pixels, axes, names
    axis = axes.index("C")
    pixels = pixels.take(chosen, axis=axis)
    names = tuple(names[index] for index in chosen) if names else ()
    if len(chosen) == 1:
        return pixels.take(0, axis=axis), axes.replace("C", ""), names
    return pixels, axes, names
