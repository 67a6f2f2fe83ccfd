"""Files of every format, read."""

from __future__ import annotations

import hashlib
import io
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from hooke import codecs
from hooke.errors import (
    ImageTooLargeError,
    ImageUnreadableError,
    InvalidRequestError,
    UnsupportedPixelTypeError,
)
from hooke.images import ImageLimits
from tests.malformed import patched
from tests.sample_files import SHAPE, pillow, png_chunk, rgb, scene, tiff, valid_files

VALID = dict(valid_files())
LOSSY = {"jpeg-grey", "jpeg-rgb", "jpeg-progressive", "tiff-jpeg"}
PHOTOMETRIC, BITS, ORIENTATION = 262, 258, 274


def expected(name: str) -> np.ndarray[Any, Any]:
    """The samples that went into a file of `valid_files`."""
    known = {
        "png-uint16": scene("uint16"),
        "png-rgb16": rgb("uint16"),
        "png-rgba": rgb(),
        "png-bilevel": (np.array(Image.fromarray(scene()).convert("1"))).astype(np.uint8),
        "png-palette": np.repeat(scene()[..., np.newaxis], 3, axis=-1),
        "tiff-float32": scene("float32"),
        "tiff-uint32": scene("uint32"),
        "tiff-planar": np.moveaxis(scene("uint8", (3,)), 0, -1),
        "ome-tiff": scene("uint16", (3,), top=4095),
        "imagej-tiff": np.moveaxis(scene("uint16", (2, 3)), 0, 1),
    }
    if name in known:
        return known[name]
    if name in ("jpeg-rgb", "jpeg-progressive", "tiff-jpeg"):
        return rgb()
    return scene("uint8" if name in ("png-uint8", "jpeg-grey", "tiff-uint8") else "uint16")


# Every format and variety gives the samples that were written, and the header promises what decoding gives.
@pytest.mark.parametrize("name", VALID)
def test_samples_arrive_as_written(name: str) -> None:
    data = VALID[name]
    header, image = codecs.read_header(data), codecs.decode(data)
    assert (header.shape, header.axes) == (image.pixels.shape, image.axes)
    assert (header.dtype, header.bit_depth) == (image.pixels.dtype.name, image.bit_depth)
    assert (header.pixel_size, header.channel_names) == (image.pixel_size, image.channel_names)
    assert image.sha256 == hashlib.sha256(data).hexdigest()
    assert image.pixels.flags.c_contiguous
    assert not image.pixels.flags.writeable
    if name in LOSSY:
        assert np.abs(image.pixels.astype(int) - expected(name).astype(int)).mean() < 30
    else:
        assert np.array_equal(image.pixels, expected(name))


# Headers say what the file is.
@pytest.mark.parametrize(
    ("name", "format_name", "axes"),
    [
        ("png-uint8", "PNG", "YX"),
        ("png-palette", "PNG", "YXS"),
        ("jpeg-rgb", "JPEG", "YXS"),
        ("tiff-bigtiff", "TIFF", "YX"),
        ("ome-tiff", "OME-TIFF", "CYX"),
        ("imagej-tiff", "ImageJ TIFF", "CZYX"),
    ],
)
def test_headers_name_the_format(name: str, format_name: str, axes: str) -> None:
    header = codecs.read_header(VALID[name])
    assert (header.format, header.axes) == (format_name, axes)


# Names and significant bits of an OME-TIFF arrive.
def test_ome_tiff_metadata() -> None:
    image = codecs.decode(VALID["ome-tiff"])
    assert (image.channel_names, image.bit_depth) == (("DAPI", "GFP", "Cy5"), 12)


# A file is read from disk by its content, whatever its name says.
def test_reading_a_file_with_the_wrong_extension(tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    path.write_bytes(VALID["tiff-lzw"])
    assert np.array_equal(codecs.read(path).pixels, scene("uint16"))
    with pytest.raises(ImageTooLargeError):
        codecs.read(path, ImageLimits(max_bytes=100))
    with pytest.raises(FileNotFoundError):
        codecs.read(tmp_path / "missing.tif")


# The limits hold for bytes and for samples.
@pytest.mark.parametrize("name", VALID)
def test_limits_hold(name: str) -> None:
    data = VALID[name]
    header = codecs.read_header(data)
    samples = int(np.prod(header.shape))
    limits = ImageLimits(max_bytes=len(data), max_pixels=samples)
    codecs.decode(data, limits)
    with pytest.raises(ImageTooLargeError, match="bytes"):
        codecs.decode(data, ImageLimits(max_bytes=len(data) - 1))
    with pytest.raises(ImageTooLargeError, match="samples"):
        codecs.read_header(data, ImageLimits(max_pixels=samples - 1))


# Threads that decode at the same time get the same pixels as one alone.
def test_decoding_in_threads() -> None:
    names = list(VALID) * 8
    alone = {name: codecs.decode(VALID[name]).pixels for name in VALID}
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda name: codecs.decode(VALID[name]).pixels, names))
    for name, pixels in zip(names, together, strict=True):
        assert np.array_equal(pixels, alone[name])


# Grey of 1, 2 and 4 bits keeps its stored values.
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_png_of_few_bits(depth: int) -> None:
    values = np.arange(SHAPE[1]) % 2**depth
    bits = np.unpackbits(values.astype(np.uint8)[:, np.newaxis], axis=1)[:, 8 - depth :].ravel()
    row = b"\0" + np.packbits(bits).tobytes()
    header = struct.pack(">IIBBBBB", SHAPE[1], 2, depth, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header)
    data += png_chunk(b"IDAT", imagecodecs.zlib_encode(row * 2)) + png_chunk(b"IEND", b"")
    image = codecs.decode(data)
    assert image.bit_depth == depth
    assert image.pixels.tolist() == [values.tolist()] * 2


# Alpha and transparent colours of a PNG file are dropped; interlacing changes nothing.
def test_png_with_transparency() -> None:
    grey = Image.fromarray(scene())
    assert np.array_equal(codecs.decode(pillow(grey.convert("LA"), "PNG")).pixels, scene())
    assert np.array_equal(codecs.decode(pillow(grey, "PNG", transparency=3)).pixels, scene())
    palette = codecs.decode(pillow(grey.convert("P"), "PNG", transparency=3))
    assert palette.axes == "YXS"


# An orientation is not applied: masks must fit the pixels that were sent.
def test_exif_orientation_is_not_applied() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    turned = codecs.decode(pillow(Image.fromarray(scene()), "JPEG", exif=exif, quality=95))
    straight = codecs.decode(pillow(Image.fromarray(scene()), "JPEG", quality=95))
    assert np.array_equal(turned.pixels, straight.pixels)


# Thumbnails inside a JPEG file are not taken for the image, nor its end for the image's end.
def test_jpeg_with_a_thumbnail() -> None:
    whole = pillow(Image.fromarray(scene()), "JPEG")
    thumbnail = pillow(Image.fromarray(scene()[:8, :8].copy()), "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    both = whole[:2] + segment + whole[2:]
    assert codecs.decode(both).pixels.shape == SHAPE
    with pytest.raises(ImageUnreadableError):
        codecs.decode(both[:-200])


# CMYK has no meaning as intensities.
def test_cmyk_is_refused() -> None:
    with pytest.raises(UnsupportedPixelTypeError):
        codecs.decode(pillow(Image.fromarray(rgb()).convert("CMYK"), "JPEG"))


# 12 bits a sample, packed without gaps, are unpacked and known to be 12.
def test_packed_12_bit_tiff() -> None:
    samples = scene("uint16", top=4095)
    bits = np.unpackbits(samples.astype(">u2").view(np.uint8).reshape(-1, 2), axis=1)[:, 4:]
    packed = np.packbits(bits.ravel()).tobytes()
    whole = tiff(samples)
    (page,) = struct.unpack_from("<I", whole, 4)
    data = patched(patched(whole, BITS, 12), 279, len(packed))
    start = len(whole) - samples.nbytes
    data = data[:start] + packed
    assert page < start
    image = codecs.decode(data)
    assert image.bit_depth == 12
    assert np.array_equal(image.pixels, samples)


# One bit a sample becomes 0 and 1.
def test_bilevel_tiff() -> None:
    mask = scene() > 128
    image = codecs.decode(tiff(mask))
    assert (image.pixels.dtype, image.bit_depth) == (np.uint8, 1)
    assert np.array_equal(image.pixels, mask)


# White-is-zero samples keep their stored values.
def test_min_is_white_is_not_inverted() -> None:
    assert np.array_equal(codecs.decode(tiff(scene(), photometric="miniswhite")).pixels, scene())


# A grey palette is a display table: indices are intensities. A coloured one is a picture: it becomes RGB.
@pytest.mark.parametrize("full", [65_535, 255])
def test_palette_tiff(full: int) -> None:
    ramp = np.linspace(0, full, 256).astype(np.uint16)
    grey = tiff(scene(), photometric="palette", colormap=np.stack([ramp, ramp, ramp]))
    assert np.array_equal(codecs.decode(grey).pixels, scene())
    coloured = tiff(scene(), photometric="palette", colormap=np.stack([ramp, ramp[::-1], ramp]))
    image = codecs.decode(coloured)
    assert (image.axes, codecs.read_header(coloured).shape) == ("YXS", (*SHAPE, 3))
    assert np.array_equal(image.pixels[..., 0], scene())
    assert np.array_equal(image.pixels[..., 1], 255 - scene())


# The indices of an ImageJ lookup table are intensities, whatever its colours.
def test_imagej_palette_keeps_intensities() -> None:
    ramp = np.linspace(0, 65_535, 256).astype(np.uint16)
    green = np.stack([ramp * 0, ramp, ramp[::-1]])
    described = tiff(
        scene(), photometric="palette", colormap=green, description=b"ImageJ=1.53t\nimages=1\nunit=pixel\n"
    )
    assert np.array_equal(codecs.decode(described).pixels, scene())


# Alpha is dropped, a fourth sample that means something else is a channel.
@pytest.mark.parametrize(
    ("extra", "axes"), [("unassalpha", "YXS"), ("assocalpha", "YXS"), ("unspecified", "YXC")]
)
@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
def test_extra_samples_of_rgb_tiff(extra: str, axes: str, planarconfig: str) -> None:
    stack = scene("uint8", (4,))
    samples = stack if planarconfig == "separate" else np.moveaxis(stack, 0, -1).copy()
    data = tiff(samples, photometric="rgb", planarconfig=planarconfig, extrasamples=[extra])
    image = codecs.decode(data)
    assert image.axes == axes
    assert np.array_equal(image.pixels, np.moveaxis(stack, 0, -1)[..., : len(image.pixels[0, 0])])


# Grey with alpha is grey; grey with more samples has channels.
def test_extra_samples_of_grey_tiff() -> None:
    pair = np.moveaxis(scene("uint16", (2,)), 0, -1).copy()
    options: dict[str, Any] = {"photometric": "minisblack", "planarconfig": "contig"}
    alpha = codecs.decode(tiff(pair, extrasamples=["unassalpha"], **options))
    assert np.array_equal(alpha.pixels, pair[..., 0])
    channels = codecs.decode(tiff(pair, extrasamples=["unspecified"], **options))
    assert channels.axes == "YXC"
    assert np.array_equal(channels.pixels, pair)


# Types that a Micrograph does not have become the promised one.
@pytest.mark.parametrize(
    ("given", "kept"),
    [("int16", "uint16"), ("int32", "uint32"), ("float16", "float32"), ("float64", "float32")],
)
def test_converted_types(given: str, kept: str) -> None:
    samples = scene("uint8").astype(given)
    data = tiff(samples)
    image = codecs.decode(data)
    assert image.pixels.dtype.name == codecs.read_header(data).dtype == kept
    assert np.array_equal(image.pixels, samples)


# Strips and tiles of every compression agree, also where the last ones are not full.
@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "zstd", "packbits", "jpeg"])
@pytest.mark.parametrize("layout", [{"rowsperstrip": 16}, {"tile": (32, 16)}, {"rowsperstrip": 1}])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_strips_and_tiles(compression: str | None, layout: dict[str, Any], byteorder: Any) -> None:
    samples = scene("uint8" if compression == "jpeg" else "uint16")
    data = tiff(samples, compression=compression, byteorder=byteorder, **layout)
    pixels = codecs.decode(data).pixels
    if compression == "jpeg":
        assert np.abs(pixels.astype(int) - samples).mean() < 3
    else:
        assert np.array_equal(pixels, samples)


# JPEG strips that libtiff writes through Pillow are read, grey and in colour with subsampled chroma.
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_tiff_of_libtiff(mode: str) -> None:
    picture = Image.fromarray(rgb()).convert(mode)
    pixels = codecs.decode(pillow(picture, "TIFF", compression="jpeg", quality=95)).pixels
    assert np.abs(pixels.astype(int) - np.asarray(picture)).mean() < 12


# Float predictor and horizontal predictor are undone.
@pytest.mark.parametrize(("dtype", "predictor"), [("float32", 3), ("uint16", 2), ("uint8", 2)])
def test_predictors(dtype: str, predictor: int) -> None:
    samples = scene(dtype)
    assert np.array_equal(
        codecs.decode(tiff(samples, compression="zlib", predictor=predictor)).pixels, samples
    )


# A plain stack is read once its axis is named; its header says that it is not known.
def test_stacks_need_axes() -> None:
    stack = scene("uint16", (4,))
    data = tiff(stack, photometric="minisblack")
    header = codecs.read_header(data)
    assert (header.axes, header.shape) == ("?YX", stack.shape)
    with pytest.raises(InvalidRequestError, match="ZYX") as caught:
        codecs.decode(data)
    assert caught.value.violations[0].field == "image.axes"
    image = codecs.decode(data, axes="ZYX")
    assert image.axes == "ZYX"
    assert np.array_equal(image.pixels, stack)
    for axes in ("YX", "CZYX", "XYZZ", "ABC"):
        with pytest.raises(InvalidRequestError):
            codecs.decode(data, axes=axes)


# The axes that tifffile notes in its own description are read, in any order.
@pytest.mark.parametrize(("axes", "read"), [("ZCYX", "CZYX"), ("TCYX", "TCYX"), ("ZTYX", "TZYX")])
def test_tifffile_description(axes: str, read: str) -> None:
    stack = scene("uint16", (2, 3))
    image = codecs.decode(tiff(stack, metadata={"axes": axes}, photometric="minisblack"))
    assert image.axes == read
    assert np.array_equal(image.pixels, np.transpose(stack, [axes.index(axis) for axis in read]))


# Every dimension order of OME puts the planes where they belong.
@pytest.mark.parametrize("order", ["XYZCT", "XYZTC", "XYCTZ", "XYCZT", "XYTCZ", "XYTZC"])
def test_dimension_orders_of_ome(order: str) -> None:
    axes = order[:1:-1] + "YX"
    sizes = {"T": 2, "C": 3, "Z": 4}
    stack = scene("uint16", tuple(sizes[axis] for axis in axes[:3]))
    image = codecs.decode(tiff(stack, ome=True, metadata={"axes": axes}))
    assert image.axes == "TCZYX"
    assert np.array_equal(image.pixels, np.transpose(stack, [axes.index(axis) for axis in "TCZYX"]))


# RGB planes in an OME-TIFF are samples, not channels; several of them are both.
@pytest.mark.parametrize(("shape", "axes"), [((), "YXS"), ((2,), "CYXS"), ((3,), "ZYXS")])
def test_rgb_in_ome(shape: tuple[int, ...], axes: str) -> None:
    planes = np.moveaxis(scene("uint8", (*shape, 3)), -3, -1).copy()
    image = codecs.decode(tiff(planes, ome=True, photometric="rgb", metadata={"axes": axes}))
    assert image.axes == axes
    assert np.array_equal(image.pixels, planes)


# Planes are found where the XML says, not where they stand.
def test_planes_of_ome_may_stand_in_any_order() -> None:
    stack = scene("uint16", (3,))
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:here">'
        '<Image ID="Image:0">'
        f'<Pixels DimensionOrder="XYZCT" Type="uint16" SizeX="{SHAPE[1]}" SizeY="{SHAPE[0]}" SizeZ="3" '
        'SizeC="1" SizeT="1"><TiffData FirstZ="0" IFD="2"><UUID FileName="a">urn:uuid:here</UUID></TiffData>'
        '<TiffData FirstZ="1" IFD="0"/><TiffData FirstZ="2" IFD="1"/></Pixels></Image></OME>'
    )
    data = tiff(stack, description=xml.encode(), photometric="minisblack")
    assert np.array_equal(codecs.decode(data).pixels, stack[[2, 0, 1]])
    elsewhere = xml.replace(">urn:uuid:here</UUID>", ">urn:uuid:there</UUID>")
    with pytest.raises(ImageUnreadableError, match="1 of them"):
        codecs.decode(tiff(stack, description=elsewhere.encode(), photometric="minisblack"))


# Significant bits that the samples exceed are not believed.
def test_understated_significant_bits() -> None:
    data = tiff(scene("uint16"), ome=True, metadata={"axes": "YX", "SignificantBits": 10})
    assert codecs.decode(data).bit_depth == 16


# Levels of a pyramid, previews and other smaller pages are passed over.
def test_reduced_pages_are_passed_over() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(scene()[::4, ::4].copy(), subfiletype=1, metadata=None)
        writer.write(scene("uint16"), metadata=None)
        writer.write(scene("uint16")[::2, ::2].copy(), metadata=None)
    assert np.array_equal(codecs.decode(file.getvalue()).pixels, scene("uint16"))


# ImageJ's hyperstacks come in its own order of axes; plain stacks of RGB and movies too.
@pytest.mark.parametrize("axes", ["TZCYX", "ZCYX", "CYX", "ZYX", "TYX", "TYXS", "YXS"])
def test_imagej_stacks(axes: str) -> None:
    sizes = {"T": 2, "Z": 4, "C": 3, "Y": 5, "X": 6, "S": 3}
    shape = [sizes[axis] for axis in axes]
    stack = (np.arange(np.prod(shape)) % 251).astype(np.uint8).reshape(shape)
    image = codecs.decode(tiff(stack, imagej=True, metadata={"axes": axes}))
    read = "".join(axis for axis in "TCZYXS" if axis in axes)
    assert image.axes == read
    assert np.array_equal(image.pixels, np.transpose(stack, [axes.index(axis) for axis in read]))


# Stacks whose planes stand behind one page are refused, not cut to their first plane.
def test_metamorph_stacks_are_refused() -> None:
    planes = [(33629, 5, 3, (1, 1) * 3, True)]
    with pytest.raises(ImageUnreadableError, match="MetaMorph"):
        codecs.decode(tiff(scene("uint16"), extratags=planes))


# What is written for the wire comes back as it was, and the same image gives the same bytes.
def test_encode_is_deterministic() -> None:
    image = codecs.from_array(scene("uint16", (2,)), "CYX", channel_names=("a", "b"))
    assert codecs.encode(image) == codecs.encode(image)
