"""Whatever image goes in comes out; whatever bytes come in, only typed errors come out."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from hooke import codecs, wire
from hooke.errors import HookeError
from hooke.images import Micrograph, PixelSize
from hooke.v1 import image_pb2
from tests.malformed import lies
from tests.sample_files import tiff, valid_files

DTYPES = ("uint8", "uint16", "uint32", "float32")
SIZES = st.floats(1e-6, 1e6, allow_nan=False)
# What XML can hold; names are trimmed of nothing.
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12).filter(
    lambda name: "\ufffe" not in name and "\uffff" not in name
)
FILES = [data for _, data in valid_files()] + [data for _, data in lies()]


def samples(shape: tuple[int, ...], dtype: str) -> st.SearchStrategy[NDArray[Any]]:
    elements = (
        st.floats(width=32, allow_nan=False, allow_infinity=False)
        if dtype == "float32"
        else st.integers(0, int(np.iinfo(dtype).max))
    )
    return arrays.arrays(dtype, shape, elements=elements, fill=elements)


@st.composite
def micrographs(draw: st.DrawFn) -> Micrograph:
    """Any image that Hooke can hold, in OME's order of axes and without dimensions of length 1."""
    leading = draw(st.sampled_from(["", "T", "C", "Z", "TC", "TZ", "CZ", "TCZ"]))
    rgb = draw(st.booleans())
    axes = leading + ("YXS" if rgb else "YX")
    height, width = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    shape = (*(draw(st.integers(2, 3)) for _ in leading), height, width, *([3] if rgb else []))
    pixels = draw(samples(shape, draw(st.sampled_from(DTYPES))))
    channels = shape[axes.index("C")] if "C" in axes else 1
    names = draw(st.just(()) | st.lists(NAMES, min_size=channels, max_size=channels))
    z_um = draw(st.none() | SIZES)
    size = draw(st.none() | st.builds(PixelSize, SIZES, SIZES, st.just(z_um)))
    return codecs.from_array(pixels, axes, pixel_size=size, channel_names=names if any(names) else ())


# Writing and reading an image keeps samples, axes, type, bit depth, pixel size and channel names.
@given(micrographs())
@settings(max_examples=150, deadline=None)
def test_encode_and_decode(image: Micrograph) -> None:
    returned = codecs.decode(codecs.encode(image))
    assert (returned.axes, returned.bit_depth) == (image.axes, image.bit_depth)
    assert returned.pixels.dtype == image.pixels.dtype
    assert np.array_equal(returned.pixels, image.pixels)
    assert returned.channel_names == image.channel_names
    if image.pixel_size is None:
        assert returned.pixel_size is None
    else:
        assert returned.pixel_size is not None
        assert (returned.pixel_size.x_um, returned.pixel_size.y_um, returned.pixel_size.z_um) == (
            image.pixel_size.x_um,
            image.pixel_size.y_um,
            image.pixel_size.z_um,
        )


# Raw pixels on the wire arrive as they were sent.
@given(micrographs())
@settings(max_examples=50, deadline=None)
def test_raw_pixels(image: Micrograph) -> None:
    numbers = {dtype.name: number for number, dtype in wire.DTYPES.items()}
    pixels = image_pb2.Pixels(data=image.pixels.tobytes(), shape=image.pixels.shape)
    pixels.pixel_type = numbers[image.pixels.dtype.name]  # type: ignore[assignment]
    message = image_pb2.Image(pixels=pixels, axes=image.axes, channel_names=image.channel_names)
    returned = codecs.from_image_proto(message, lambda _: b"")
    assert np.array_equal(returned.pixels, image.pixels)
    assert (returned.axes, returned.sha256, returned.channel_names) == (
        image.axes,
        image.sha256,
        image.channel_names,
    )


# Every way of writing a TIFF file that keeps the samples gives them back.
@given(st.data())
@settings(max_examples=150, deadline=None)
def test_tiff_layouts(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(DTYPES))
    shape = (data.draw(st.integers(1, 70)), data.draw(st.integers(1, 70)))
    noise = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1))).random(shape)
    pixels = (noise * (1 if dtype == "float32" else np.iinfo(dtype).max)).astype(dtype)
    options: dict[str, Any] = {
        "compression": data.draw(st.sampled_from([None, "lzw", "zlib", "zstd", "packbits"])),
        "byteorder": data.draw(st.sampled_from("<>")),
        "bigtiff": data.draw(st.booleans()),
    }
    if data.draw(st.booleans()):
        options["tile"] = (16 * data.draw(st.integers(1, 3)), 16 * data.draw(st.integers(1, 3)))
    else:
        options["rowsperstrip"] = data.draw(st.integers(1, 80))
    assert np.array_equal(codecs.decode(tiff(pixels, photometric="minisblack", **options)).pixels, pixels)


# Any bytes, and any change to a file, give an image or an error of Hooke.
@given(st.data())
@settings(max_examples=400, deadline=None)
def test_any_bytes(data: st.DataObject) -> None:
    file = bytearray(data.draw(st.sampled_from(FILES) | st.binary(max_size=200)))
    for _ in range(data.draw(st.integers(0, 6))):
        if file:
            start = data.draw(st.integers(0, len(file) - 1))
            file[start : start + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    try:
        image = codecs.decode(bytes(file))
    except HookeError:
        return
    assert np.isfinite(image.pixels).all()
