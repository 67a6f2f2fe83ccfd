"""The view that a model gets: a plane, or a stack of them."""

from __future__ import annotations

from dataclasses import replace

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
        ("CYX", View(channel_names=("DAPI",)), "view.channel_names"),
        ("YXS", View(channel_names=("red",)), "view.channel_names"),
        ("YX", View(channel_names=("DAPI",)), "view.channel_names"),
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


# Channels by name come in the order of the names.
def test_channels_by_name() -> None:
    whole = image("CYX", ("DAPI", "GFP", "Cy5"))
    seen = codecs.select_view(whole, View(channel_names=("Cy5", "DAPI")), 2)
    assert (seen.axes, seen.channel_names) == ("YXC", ("Cy5", "DAPI"))
    assert np.array_equal(seen.pixels, whole.pixels[[2, 0]].transpose(1, 2, 0))
    grey = codecs.from_array(np.zeros((4, 5), np.uint8), channel_names=("DAPI",))
    assert codecs.select_view(grey, View(channel_names=("DAPI",)), 1).axes == "YX"


# A name that is not there, or not once, is an error that lists the names; so is one beside an index.
@pytest.mark.parametrize(
    ("names", "view", "text"),
    [
        (("DAPI", "GFP", "Cy5"), View(channel_names=("dapi",)), "no channels.*DAPI, GFP, Cy5"),
        (("GFP", "GFP", "Cy5"), View(channel_names=("GFP",)), "2 channels"),
        (("DAPI", "GFP", "Cy5"), View(channel_names=("GFP", "GFP")), "twice"),
        (("DAPI", "GFP", "Cy5"), View(channel_names=("GFP",), channel_indices=(1,)), "not both"),
        (("DAPI", "GFP", "Cy5"), View(channel_names=("DAPI", "GFP", "Cy5")), "the model takes 2"),
        ((), View(channel_names=("GFP",)), "have no names"),
    ],
)
def test_names_that_do_not_fit(names: tuple[str, ...], view: View, text: str) -> None:
    with pytest.raises(InvalidRequestError, match=text) as caught:
        codecs.select_view(image("CYX", names), view, 2)
    assert caught.value.violations[0].field == "view.channel_names"


# A volume keeps its planes, with the channels last.
@pytest.mark.parametrize(
    ("axes", "view", "seen_axes"),
    [
        ("ZYX", None, "ZYX"),
        ("YX", None, "ZYX"),
        ("CZYX", None, "ZYXC"),
        ("ZCYX", None, "ZYXC"),
        ("CYX", None, "ZYXC"),
        ("TCZYX", View(time_index=1, channel_indices=(2,)), "ZYX"),
        ("ZYXS", None, "ZYXC"),
        ("CZYXS", View(channel_indices=(1,)), "ZYXC"),
    ],
)
def test_volumes_keep_their_planes(axes: str, view: View | None, seen_axes: str) -> None:
    whole = image(axes)
    seen = codecs.select_view(whole, view, 3, volume=True)
    assert seen.axes == seen_axes
    assert seen.pixels.shape[0] == (SIZES["Z"] if "Z" in axes else 1)
    for z in range(seen.pixels.shape[0]):
        plane = View(z_index=z if "Z" in axes else None)
        if view is not None:
            plane = replace(view, z_index=z)
        assert np.array_equal(seen.pixels[z], codecs.select_view(whole, plane, 3).pixels)
    assert seen.pixels.flags.c_contiguous
    assert not seen.pixels.flags.writeable


# RGB samples of a stack are channels with names.
def test_colours_of_a_stack() -> None:
    assert codecs.select_view(image("ZYXS"), None, 3, volume=True).channel_names == ("red", "green", "blue")
    with pytest.raises(InvalidRequestError, match="the model takes 2"):
        codecs.select_view(image("ZYXS"), None, 2, volume=True)


# Where the whole stack is asked for, a plane or a projection contradicts it.
@pytest.mark.parametrize(
    ("view", "field"),
    [(View(z_index=0), "view.z_index"), (View(z_projection="max"), "view.z_projection")],
)
def test_a_stack_has_no_plane_selected(view: View, field: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        codecs.select_view(image("ZYX"), view, 1, volume=True)
    assert caught.value.violations[0].field == field
