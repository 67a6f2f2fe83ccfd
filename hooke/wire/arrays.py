"""Numbers beside the masks: float32 arrays on the wire."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from hooke.errors import ImageTooLargeError, ImageUnreadableError
from hooke.images import DEFAULT_LIMITS, ImageLimits
from hooke.v1 import mask_pb2
from hooke.wire.packing import pack, unpack

_DTYPE = np.dtype("<f4")
_MAX_DIMENSIONS = 8
_ZLIB_LEVEL = 1
"""Mantissas hardly compress; more effort only takes time."""


def arrays_to_proto(arrays: Mapping[str, NDArray[np.float32]]) -> list[mask_pb2.Array]:
    """The messages of arrays, in the order of the mapping.

    Raises:
        ValueError: one is not of type float32.
    """
    for name, values in arrays.items():
        if values.dtype != np.float32:
            raise ValueError(f"the array {name!r} is of type {values.dtype}, not float32")
    return [
        mask_pb2.Array(
            name=name, shape=values.shape, data=pack(np.ascontiguousarray(values, _DTYPE), _ZLIB_LEVEL)
        )
        for name, values in arrays.items()
    ]


def arrays_from_proto(
    messages: Iterable[mask_pb2.Array], limits: ImageLimits = DEFAULT_LIMITS
) -> dict[str, NDArray[np.float32]]:
    """The arrays by name, in the order of the messages.

    Raises:
        ImageTooLargeError, ImageUnreadableError: see `array_from_proto`; or two arrays have one name.
    """
    arrays: dict[str, NDArray[np.float32]] = {}
    for message in messages:
        if message.name in arrays:
            raise ImageUnreadableError(f"there are two arrays {message.name!r}")
        arrays[message.name] = array_from_proto(message, limits)
    return arrays


def array_from_proto(message: mask_pb2.Array, limits: ImageLimits = DEFAULT_LIMITS) -> NDArray[np.float32]:
    """One array: read-only, native byte order, its values not looked at; a length may be 0.

    Raises:
        ImageTooLargeError: it has more numbers than the limits allow pixels.
        ImageUnreadableError: the shape and the data disagree, or the data is no zlib stream.
    """
    shape = tuple(message.shape)
    if len(shape) > _MAX_DIMENSIONS or any(length < 0 for length in shape):
        raise ImageUnreadableError(f"the array {message.name!r} cannot have the shape {shape}")
    # Lengths beside a 0 count too: NumPy refuses shapes beyond what could be addressed.
    if max(math.prod(shape), *shape, 0) > limits.max_pixels:
        raise ImageTooLargeError(
            f"the array {message.name!r} of shape {shape} has more than {limits.max_pixels} numbers"
        )
    size_bytes = math.prod(shape) * _DTYPE.itemsize
    data = unpack(message.data, size_bytes, f"the array {message.name!r}")
    values: NDArray[np.float32] = np.frombuffer(data, _DTYPE).reshape(shape)
    return values
