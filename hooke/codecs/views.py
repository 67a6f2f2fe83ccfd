"""The view of an image that a model gets: a plane, or a stack of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hooke.codecs.arrays import invalid
from hooke.images import Micrograph, View

_WHOLE = View()
_RGB = ("red", "green", "blue")


def select_view(
    micrograph: Micrograph, view: View | None, max_channel_count: int, volume: bool = False
) -> Micrograph:
    """The view of an image in two dimensions, or of a stack. Nothing is guessed.

    One channel, or a selection of one, gives an image without a channel axis. RGB samples count as three
    channels for `max_channel_count`; a model that takes fewer is expected to bring them to grey itself, so
    they are never refused. In a stack they are channels like any others.

    Args:
        micrograph: any image.
        view: what the request selects; None for nothing.
        max_channel_count: most channels that the model takes.
        volume: whether all planes are kept; an image without planes becomes a stack of one.

    Returns:
        An image of axes "YX", "YXC" or "YXS", or "ZYX" or "ZYXC" for a volume.

    Raises:
        InvalidRequestError: an index is out of range or a name unknown, the image has several time points,
            planes or too many channels and the view does not say which to use, or it selects a plane where
            all are needed.
    """
    view = view or _WHOLE
    pixels, axes = micrograph.pixels, micrograph.axes
    pixels, axes = _at(pixels, axes, "T", view.time_index, "view.time_index", "time points")
    if volume:
        pixels, axes = _stack(pixels, axes, view)
    elif view.z_projection is None:
        pixels, axes = _at(pixels, axes, "Z", view.z_index, "view.z_index", "planes")
    else:
        if view.z_index is not None:
            invalid("view.z_projection", "select one plane or project them, not both")
        pixels, axes = _project(pixels, axes, view.z_projection)
    names = micrograph.channel_names
    if "S" in axes and "C" in axes:
        pixels, axes, names = _channels(pixels, axes, names, view, 1)
    elif "S" in axes:
        if view.channel_indices or view.channel_names:
            field = "view.channel_names" if view.channel_names else "view.channel_indices"
            invalid(field, "the image has RGB samples and no channels to choose from")
    elif "C" in axes or view.channel_indices or view.channel_names:
        pixels, axes, names = _channels(pixels, axes, names, view, max_channel_count)
    if volume and "S" in axes:
        axes, names = axes.replace("S", "C"), _RGB
        if len(names) > max_channel_count:
            invalid("view.channel_indices", f"RGB is 3 channels, but the model takes {max_channel_count}")
    order = ("ZYX" if volume else "YX") + "".join(letter for letter in axes if letter not in "ZYX")
    pixels = np.transpose(pixels, [axes.index(letter) for letter in order])
    pixels = np.ascontiguousarray(pixels)
    pixels.flags.writeable = False
    return replace(
        micrograph,
        pixels=pixels,
        axes=order,
        channel_names=names if "C" in order or len(names) == 1 else (),
    )


def _stack(pixels: NDArray[Any], axes: str, view: View) -> tuple[NDArray[Any], str]:
    """Keep the planes, one where there is no such axis."""
    for field, value in (("view.z_index", view.z_index), ("view.z_projection", view.z_projection)):
        if value is not None:
            invalid(field, "the parameters ask for the whole stack; leave it out")
    return (pixels, axes) if "Z" in axes else (pixels[np.newaxis], "Z" + axes)


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
    """Take the channels that the view selects, all of them where it selects none."""
    field = "view.channel_names" if view.channel_names else "view.channel_indices"
    count = pixels.shape[axes.index("C")] if "C" in axes else 1
    present = ", ".join(f"{index}: {name}" for index, name in enumerate(names)) or f"0 to {count - 1}"
    chosen = _named(view, names) if view.channel_names else view.channel_indices or tuple(range(count))
    if not all(0 <= index < count for index in chosen):
        invalid(field, f"{list(chosen)} is out of range; the image has the channels {present}")
    if len(set(chosen)) != len(chosen):
        invalid(field, f"{list(view.channel_names or chosen)} names a channel twice")
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


def _named(view: View, present: tuple[str, ...]) -> tuple[int, ...]:
    """The indices of the channels that the view names."""
    field = "view.channel_names"
    if view.channel_indices:
        invalid(field, "choose channels by name or by index, not both")
    if not present:
        invalid(field, "the channels of the image have no names; choose them by index")
    for name in view.channel_names:
        if present.count(name) != 1:
            count = present.count(name) or "no"
            invalid(field, f"{count} channels have the name {name!r}; there are {', '.join(present)}")
    return tuple(present.index(name) for name in view.channel_names)
