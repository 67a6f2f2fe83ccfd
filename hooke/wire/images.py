"""Images on the wire: pixel size, view, box, label image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hooke.errors import ImageTooLargeError, ImageUnreadableError, InvalidRequestError
from hooke.images import (
    DEFAULT_HIGH_PERCENTILE,
    DEFAULT_LIMITS,
    DEFAULT_LOW_PERCENTILE,
    ImageLimits,
    PixelSize,
    PixelSizeSource,
    View,
)
from hooke.types import Box
from hooke.v1 import image_pb2, mask_pb2
from hooke.wire.enums import PIXEL_SIZE_SOURCES, PROJECTIONS
from hooke.wire.packing import pack, unpack

_LABEL_DTYPES: Mapping[int, np.dtype[Any]] = {
    mask_pb2.LabelType.LABEL_TYPE_UINT16: np.dtype("<u2"),
    mask_pb2.LabelType.LABEL_TYPE_UINT32: np.dtype("<u4"),
}
_ZLIB_LEVEL = 3
"""As fast as level 1 on label images and a third smaller; level 6 takes three times as long."""


def pixel_size_to_proto(pixel_size: PixelSize) -> image_pb2.PixelSize:
    """The message of a pixel size."""
    return image_pb2.PixelSize(
        pixel_size_x_um=pixel_size.x_um,
        pixel_size_y_um=pixel_size.y_um,
        pixel_size_z_um=pixel_size.z_um,
        source=PIXEL_SIZE_SOURCES.number(pixel_size.source),
    )


def pixel_size_from_proto(message: image_pb2.PixelSize, field: str = "image.pixel_size") -> PixelSize:
    """A pixel size; an unspecified source is read as REQUEST.

    Args:
        message: what came over the wire.
        field: path of the message in the request, for violations.

    Raises:
        InvalidRequestError: a size is not a finite number greater than 0.
    """
    z_um = message.pixel_size_z_um if message.HasField("pixel_size_z_um") else None
    for name, value in (("x", message.pixel_size_x_um), ("y", message.pixel_size_y_um), ("z", z_um)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise InvalidRequestError.of_field(
                f"{field}.pixel_size_{name}_um",
                f"{value} is no size; it must be a finite number of micrometres greater than 0",
            )
    source = PixelSizeSource.REQUEST if message.source == 0 else PIXEL_SIZE_SOURCES.member(message.source)
    return PixelSize(message.pixel_size_x_um, message.pixel_size_y_um, z_um, source)


def view_to_proto(view: View) -> image_pb2.View:
    """The message of a view.

    Raises:
        InvalidRequestError: `z_projection` is unknown.
    """
    numbers: Mapping[str | None, Any] = {None: 0, **{text: number for number, text in PROJECTIONS.items()}}
    if view.z_projection not in numbers:
        raise InvalidRequestError.of_field(
            "view.z_projection",
            f"{view.z_projection!r} is unknown; known are max, mean",
        )
    return image_pb2.View(
        time_index=view.time_index,
        z_index=view.z_index,
        z_projection=numbers[view.z_projection],
        channel_indices=view.channel_indices,
        low_percentile=view.low_percentile,
        high_percentile=view.high_percentile,
        channel_names=view.channel_names,
    )


def view_from_proto(message: image_pb2.View, field: str = "view") -> View:
    """A view.

    Args:
        message: what came over the wire.
        field: path of the message in the request, for violations.

    Raises:
        InvalidRequestError: `z_projection` is unknown, or the percentiles are none or the wrong way round.
    """
    if message.z_projection and message.z_projection not in PROJECTIONS:
        raise InvalidRequestError.of_field(
            f"{field}.z_projection", f"{message.z_projection} is unknown; known are 1 (max) and 2 (mean)"
        )
    view = View(
        time_index=message.time_index if message.HasField("time_index") else None,
        z_index=message.z_index if message.HasField("z_index") else None,
        z_projection=PROJECTIONS.get(message.z_projection),
        channel_indices=tuple(message.channel_indices),
        low_percentile=message.low_percentile if message.HasField("low_percentile") else None,
        high_percentile=message.high_percentile if message.HasField("high_percentile") else None,
        channel_names=tuple(message.channel_names),
    )
    _check_percentiles(view, field)
    return view


def _check_percentiles(view: View, field: str) -> None:
    for name, value in (("low_percentile", view.low_percentile), ("high_percentile", view.high_percentile)):
        if value is not None and not 0 <= value <= 100:
            raise InvalidRequestError.of_field(f"{field}.{name}", f"{value} must lie between 0 and 100")
    low = DEFAULT_LOW_PERCENTILE if view.low_percentile is None else view.low_percentile
    high = DEFAULT_HIGH_PERCENTILE if view.high_percentile is None else view.high_percentile
    if low >= high:
        raise InvalidRequestError.of_field(
            f"{field}.high_percentile", f"{high} must be above low_percentile, which is {low}"
        )


def box_to_proto(box: Box) -> mask_pb2.BoundingBox:
    """The message of a box."""
    return mask_pb2.BoundingBox(x_px=box.x_px, y_px=box.y_px, width_px=box.width_px, height_px=box.height_px)


def box_from_proto(message: mask_pb2.BoundingBox) -> Box:
    """A box."""
    return Box(message.x_px, message.y_px, message.width_px, message.height_px)


def label_image_to_proto(labels: NDArray[np.integer[Any]]) -> mask_pb2.LabelImage:
    """The message of a label image or volume: uint16 where the highest label fits, else uint32.

    Args:
        labels: H x W or Z x H x W integers, 0 background, at least one pixel.

    Raises:
        ValueError: a label is negative or above 4,294,967,295, or the array is no label image.
    """
    if labels.ndim not in (2, 3) or labels.size == 0 or labels.dtype.kind not in "ui":
        raise ValueError(
            f"a label image is H x W or Z x H x W integers, not {labels.dtype} of shape {labels.shape}"
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high > np.iinfo(np.uint32).max:
        raise ValueError(f"labels must lie between 0 and 4294967295, not between {low} and {high}")
    label_type = (
        mask_pb2.LabelType.LABEL_TYPE_UINT16
        if high <= np.iinfo(np.uint16).max
        else mask_pb2.LabelType.LABEL_TYPE_UINT32
    )
    return mask_pb2.LabelImage(
        height_px=labels.shape[-2],
        width_px=labels.shape[-1],
        label_type=label_type,
        data=pack(np.ascontiguousarray(labels, dtype=_LABEL_DTYPES[label_type]), _ZLIB_LEVEL),
        plane_count=labels.shape[0] if labels.ndim == 3 else None,
    )


def label_image_from_proto(
    message: mask_pb2.LabelImage, limits: ImageLimits = DEFAULT_LIMITS
) -> NDArray[np.integer[Any]]:
    """A label image: H x W, or Z x H x W for a volume; uint16 or uint32, read-only.

    Raises:
        ImageTooLargeError: it has more pixels than the limits allow.
        ImageUnreadableError: the header and the data disagree, or the data is no zlib stream.
    """
    shape: tuple[int, ...] = (message.height_px, message.width_px)
    if message.HasField("plane_count"):
        shape = (message.plane_count, *shape)
    dtype = _LABEL_DTYPES.get(message.label_type)
    if min(shape) < 1 or dtype is None:
        raise ImageUnreadableError(f"the label image says shape {shape} and label type {message.label_type}")
    if math.prod(shape) > limits.max_pixels:
        raise ImageTooLargeError(
            f"the label image has the shape {shape}; at most {limits.max_pixels} pixels are taken"
        )
    data = unpack(message.data, math.prod(shape) * dtype.itemsize, "the label image")
    labels: NDArray[np.integer[Any]] = np.frombuffer(data, dtype).reshape(shape)
    return labels
