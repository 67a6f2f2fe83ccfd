"""Arrays of numbers on the wire."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest

from hooke import wire
from hooke.errors import ImageTooLargeError, ImageUnreadableError
from hooke.images import ImageLimits
from hooke.v1 import mask_pb2

FLOWS = np.random.default_rng(1).normal(size=(2, 3, 5)).astype(np.float32)


# Arrays come back by name, in their order, with their shape and every bit.
def test_arrays_go_there_and_back() -> None:
    arrays = {
        "flows": FLOWS,
        "a": FLOWS.transpose(2, 1, 0),
        "none": np.zeros((0, 256, 256), np.float32),
        "scalar": np.float32(np.nan).reshape(()),
    }
    returned = wire.arrays_from_proto(wire.arrays_to_proto(arrays))
    assert list(returned) == list(arrays)
    for name, values in arrays.items():
        assert returned[name].dtype == np.float32
        assert np.array_equal(returned[name], values, equal_nan=True)
        assert not returned[name].flags.writeable
    assert wire.arrays_from_proto([]) == {}


# Numbers of another type are a mistake of the sender.
def test_only_float32_is_sent() -> None:
    with pytest.raises(ValueError, match=r"flows.*float64"):
        wire.arrays_to_proto({"flows": FLOWS.astype(np.float64)})


def message(**changes: Any) -> mask_pb2.Array:
    parts = {"name": "flows", "shape": FLOWS.shape, "data": zlib.compress(FLOWS.tobytes())}
    return mask_pb2.Array(**{**parts, **changes})


# An array whose shape and data disagree is refused, whatever it says.
@pytest.mark.parametrize(
    "changes",
    [
        {"shape": (2, 3, 4)},
        {"shape": (2, 3, 6)},
        {"shape": (2, -3, -5)},
        {"shape": (1,) * 9},
        {"shape": ()},
        {"shape": (0, 3)},
        {"data": b""},
        {"data": b"no zlib"},
        {"data": zlib.compress(FLOWS.tobytes())[:-3]},
        {"data": zlib.compress(FLOWS.tobytes()) + b"more"},
        {"data": zlib.compress(bytes(50_000_000))},
    ],
)
def test_lying_arrays_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ImageUnreadableError, match="flows"):
        wire.array_from_proto(message(**changes))


# The size is checked before anything is unpacked, also beside a length of 0.
@pytest.mark.parametrize("shape", [(2**62,), (0, 2**62), (2**40, 2**40), (1000, 1000)])
def test_huge_arrays_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageTooLargeError):
        wire.array_from_proto(message(shape=shape), ImageLimits(max_pixels=999_999))


# Two arrays of one name cannot both be the answer.
def test_names_are_unique() -> None:
    with pytest.raises(ImageUnreadableError, match="two arrays"):
        wire.arrays_from_proto([message(), message()])
