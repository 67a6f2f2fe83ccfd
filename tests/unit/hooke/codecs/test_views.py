"""The two-dimensional view that a model gets."""

from __future__ import annotations

import numpy as np
import pytest

from hooke import codecs
from hooke.errors import InvalidRequestError
from hooke.images import Micrograph, PixelSize, View

SIZES = {"T": 2, "C": 3, "Z": 4, "Y": 5, "X": 6, "S": 3}


def image(axes: str, names: tuple[str, ...] = ()) -> Micrograph:
    shape = [SIZES[axis] for axis in axes]
    samples = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    return codecs.from_array(samples, axes, pixel_size=PixelSize(0.1, 0.1), channel_names=names)


def refused_field(micrograph: Micrograph, view: View | None, channels: int = 1) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        codecs.select_view(micrograph, view, channels)
    (violation,) = caught.value.violations
    return violation.field


# Two-dimensional images pass as they are, with all that is known about them.
@pytest.mark.parametrize("axes", ["YX", "YXS"])
def test_flat_images_pass(axes: str) -> None:
    whole = image(axes)
    seen = codecs.select_view(whole, None, 1)
    assert seen.axes == axes
    assert np.array_equal(seen.pixels, whole.pixels)
    assert (seen.sha256, seen.pixel_size, seen.bit_depth) == (whole.sha256, whole.pixel_size, 16)


# The selected position of every axis is what the model sees, channels last and in the order asked for.
def test_a_selection_of_every_axis() -> None:
    whole = image("TCZYX", ("DAPI", "GFP", "Cy5"))
    seen = codecs.select_view(whole, View(time_index=1, z_index=2, channel_indices=(2, 0)), 2)
    assert (seen.axes, seen.channel_names) == ("YXC", ("Cy5", "DAPI"))
    assert np.array_equal(seen.pixels[..., 0], whole.pixels[1, 2, 2])
    assert np.array_equal(seen.pixels[..., 1], whole.pixels[1, 0, 2])
    assert seen.pixels.flags.c_contiguous
    assert not seen.pixels.flags.writeable


# One channel gives an image without a channel axis that keeps the channel's name.
def test_one_channel_is_grey() -> None:
    whole = image("CYX", ("DAPI", "GFP", "Cy5"))
    seen = codecs.select_view(whole, View(channel_indices=(1,)), 1)
    assert (seen.axes, seen.channel_names) == ("YX", ("GFP",))
    assert np.array_equal(seen.pixels, whole.pixels[1])


# Channels that stand last are taken from there.
def test_channels_may_stand_last() -> None:
    whole = codecs.from_array(np.arange(40, dtype=np.uint8).reshape(4, 5, 2), "YXC")
    assert np.array_equal(codecs.select_view(whole, None, 2).pixels, whole.pixels)
    chosen = codecs.select_view(whole, View(channel_indices=(1,)), 1)
    assert np.array_equal(chosen.pixels, whole.pixels[..., 1])


# Projections are those of NumPy; the mean of integers is rounded, not cut off.
def test_projections() -> None:
    whole = codecs.from_array(np.array([[[1, 5]], [[2, 6]], [[2, 2]]], np.uint8), "ZYX")
    brightest = codecs.select_view(whole, View(z_projection="max"), 1)
    mean = codecs.select_view(whole, View(z_projection="mean"), 1)
    assert brightest.pixels.tolist() == [[2, 6]]
    assert mean.pixels.tolist() == [[2, 4]]
    assert mean.pixels.dtype == np.uint8


# A projection of an image without planes is the image.
def test_projection_of_one_plane() -> None:
    whole = image("YX")
    assert np.array_equal(codecs.select_view(whole, View(z_projection="max"), 1).pixels, whole.pixels)


# Nothing is guessed: what is not selected is an error that names the field.
@pytest.mark.parametrize(
    ("axes", "view", "field"),
    [
        ("TYX", None, "view.time_index"),
        ("ZYX", None, "view.z_index"),
        ("CYX", None, "view.channel_indices"),
        ("TYX", View(time_index=2), "view.time_index"),
        ("TYX", View(time_index=-1), "view.time_index"),
        ("ZYX", View(z_index=4), "view.z_index"),
        ("ZYX", View(z_index=0, z_projection="max"), "view.z_projection"),
        ("ZYX", View(z_projection="median"), "view.z_projection"),
        ("CYX", View(channel_indices=(3,)), "view.channel_indices"),
        ("CYX", View(channel_indices=(-1,)), "view.channel_indices"),
        ("CYX", View(channel_indices=(0, 1)), "view.channel_indices"),
        ("CYX", View(channel_indices=(0, 0)), "view.channel_indices"),
        ("YX", View(z_index=1), "view.z_index"),
        ("YX", View(channel_indices=(1,)), "view.channel_indices"),
        ("YXS", View(channel_indices=(0,)), "view.channel_indices"),
        ("CYXS", None, "view.channel_indices"),
    ],
)
def test_what_is_not_selected_is_an_error(axes: str, view: View | None, field: str) -> None:
    assert refused_field(image(axes), view) == field


# The error says which channels there are.
def test_errors_name_the_channels() -> None:
    with pytest.raises(InvalidRequestError, match="0: DAPI, 1: GFP, 2: Cy5"):
        codecs.select_view(image("CYX", ("DAPI", "GFP", "Cy5")), None, 2)


# As many channels as the model takes need no selection; dimensions of length 1 need none either.
def test_what_needs_no_selection() -> None:
    assert codecs.select_view(image("CYX"), None, 3).axes == "YXC"
    single = codecs.from_array(np.zeros((1, 1, 1, 4, 5), np.uint8), "TCZYX")
    assert codecs.select_view(single, None, 1).axes == "YX"
    assert codecs.select_view(single, View(0, 0, None, (0,)), 1).axes == "YX"
    assert codecs.select_view(image("CYXS"), View(channel_indices=(1,)), 1).axes == "YXS"
