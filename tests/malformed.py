"""Malformed image files, generated from a seed: for every reader and server that takes bytes.

Three families take turns: files cut off, files with bits turned over, and files that lie, each lie told
on purpose. Nearly all of them must be refused; a turned bit may leave a valid file.
"""

from __future__ import annotations

import io
import itertools
import random
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from tests.sample_files import pillow, png_chunk, rgb, scene, tiff, valid_files

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, DESCRIPTION = 256, 257, 258, 259, 262, 270
STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES = 273, 277, 278, 279
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES, SAMPLE_FORMAT = 322, 323, 324, 325, 339

_PNG_HEADER = b"\x89PNG\r\n\x1a\n"


def malformed_images(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """`count` malformed files with names that say what is wrong; the same for the same seed."""
    chooser = random.Random(seed)
    valid = list(valid_files())
    families = [_truncated(chooser, valid), _flipped(chooser, valid), itertools.cycle(lies())]
    turns = itertools.chain.from_iterable(zip(*families, strict=True))
    return itertools.islice(turns, count)


def _truncated(chooser: random.Random, valid: list[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Files of which at least a fifth is missing."""
    for name, data in itertools.cycle(valid):
        length = chooser.randrange(1, len(data) * 4 // 5)
        yield f"{name} cut to {length} of {len(data)} bytes", data[:length]


def _flipped(chooser: random.Random, valid: list[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Files with some bits turned over, most of them near the beginning or the end: in the headers."""
    for name, data in itertools.cycle(valid):
        damaged = bytearray(data)
        for _ in range(chooser.choice([1, 4, 16, 64])):
            span = chooser.choice([64, 512, len(data)])
            place = chooser.randrange(min(span, len(data))) * chooser.choice([1, -1])
            damaged[place] ^= 1 << chooser.randrange(8)
        yield f"{name} with bits turned over", bytes(damaged)


def lies() -> list[tuple[str, bytes]]:
    """Files that claim what is not so; every one must be refused."""
    return [*_png_lies(), *_jpeg_lies(), *_tiff_lies(), *_stack_lies(), *_strangers()]


def _png(
    width: int, height: int, body: bytes, *, depth: int = 8, colour: int = 0, extra: bytes = b""
) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return _PNG_HEADER + header + extra + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")


def _png_lies() -> Iterator[tuple[str, bytes]]:
    rows = zlib.compress(b"\0" * 41 * 40)
    yield "png of 100000 x 100000 pixels in 70 bytes", _png(100_000, 100_000, rows)
    yield "png of 2^31 - 1 rows", _png(1, 2**31 - 1, rows)
    yield "png of 16000 x 16000 pixels in 70 bytes", _png(16_000, 16_000, rows)
    yield "png of no width", _png(0, 40, rows)
    yield "png with too few rows", _png(40, 80, rows)
    yield "png of an impossible depth", _png(40, 40, rows, depth=7)
    yield "png of an impossible colour type", _png(40, 40, rows, colour=9)
    yield "png without a palette", _png(40, 40, rows, colour=3)
    yield "png whose data is no zlib stream", _png(40, 40, b"not zlib at all")
    yield "png without image data", _png(40, 40, b"")
    yield "png of nothing but its signature", _PNG_HEADER
    yield "png that begins with another chunk", _PNG_HEADER + png_chunk(b"IDAT", rows)


def _jpeg_lies() -> Iterator[tuple[str, bytes]]:
    data = grey_jpeg()
    frame = data.index(b"\xff\xc0")
    huge = bytearray(data)
    struct.pack_into(">HH", huge, frame + 5, 65_500, 65_500)
    yield "jpeg of 65500 x 65500 pixels", bytes(huge)
    large = bytearray(data)
    struct.pack_into(">HH", large, frame + 5, 16_000, 16_000)
    yield "jpeg of 16000 x 16000 pixels", bytes(large)
    flat = bytearray(data)
    struct.pack_into(">HH", flat, frame + 5, 0, 56)
    yield "jpeg of no height", bytes(flat)
    many = bytearray(data)
    many[frame + 9] = 200
    yield "jpeg of 200 components", bytes(many)
    yield "jpeg without a frame", data[:frame] + b"\xff\xd9"
    scan = data.index(b"\xff\xda")
    yield "jpeg of a thousand scans", data[:scan] + data[scan : scan + 14] * 1000 + b"\xff\xd9"
    yield "jpeg whose frame says that it is endless", data[: frame + 2] + b"\xff\xff" + data[frame + 4 :]


def grey_jpeg() -> bytes:
    """A valid grey JPEG file."""
    return pillow(Image.fromarray(scene()), "JPEG")


def patched(data: bytes, tag: int, value: int, *, count: int | None = None) -> bytes:
    """A little-endian classic TIFF file with another value, and perhaps count, of a tag of its first page."""
    changed = bytearray(data)
    (page,) = struct.unpack_from("<I", data, 4)
    (tags,) = struct.unpack_from("<H", data, page)
    for position in range(page + 2, page + 2 + 12 * tags, 12):
        code, kind, present = struct.unpack_from("<HHI", data, position)
        if code == tag:
            struct.pack_into("<I", changed, position + 4, present if count is None else count)
            inline = present == 1 and count is None and kind == 3
            struct.pack_into("<H" if inline else "<I", changed, position + 8, value)
            return bytes(changed)
    raise ValueError(f"no tag {tag}")


def _tiff_lies() -> Iterator[tuple[str, bytes]]:
    plain = tiff(scene("uint16"))
    packed = tiff(scene("uint16"), compression="zlib")
    tiled = tiff(scene("uint16"), compression="zlib", tile=(16, 16))
    (page,) = struct.unpack_from("<I", plain, 4)
    (tags,) = struct.unpack_from("<H", plain, page)
    following = page + 2 + 12 * tags
    circle = bytearray(plain)
    struct.pack_into("<I", circle, following, page)
    yield "tiff whose pages form a circle", bytes(circle)
    beyond = bytearray(plain)
    struct.pack_into("<I", beyond, following, len(plain) + 1000)
    yield "tiff whose next page is beyond the file", bytes(beyond)
    yield "tiff of 20000 pages", _chain(20_000)
    yield "tiff of no width", patched(plain, WIDTH, 0)
    yield "tiff of 60000 x 60000 pixels", patched(patched(plain, WIDTH, 60_000), HEIGHT, 60_000)
    yield "tiff of 60000 columns in 40 rows", patched(plain, WIDTH, 60_000)
    yield "tiff of more rows than it has", patched(packed, HEIGHT, 4_000)
    yield "tiff of 60000 x 1000 deflated pixels", patched(patched(packed, WIDTH, 60_000), HEIGHT, 1_000)
    yield "tiff of 7 bits a sample", patched(packed, BITS, 7)
    yield "tiff of 64 bits a sample", patched(packed, BITS, 64)
    yield "tiff of 65535 samples a pixel", patched(packed, SAMPLES, 65_535)
    yield "tiff of an unknown compression", patched(packed, COMPRESSION, 61_234)
    yield "tiff that calls deflate LZW", patched(packed, COMPRESSION, 5)
    yield "tiff that calls deflate zstd", patched(packed, COMPRESSION, 50_000)
    yield "tiff that calls deflate JPEG", patched(packed, COMPRESSION, 7)
    yield "tiff that is YCbCr without JPEG", patched(tiff(rgb()), PHOTOMETRIC, 6)
    yield "tiff that is CMYK", patched(packed, PHOTOMETRIC, 5)
    yield "tiff of signed negative samples", tiff(scene("uint16").astype(np.int16) - 5)
    yield "tiff whose strip is beyond the file", patched(packed, STRIP_OFFSETS, 2**31)
    yield "tiff whose strip is longer than the file", patched(packed, STRIP_BYTES, 2**31)
    yield "tiff whose strip is empty", patched(packed, STRIP_BYTES, 0)
    yield "tiff of a billion strips", patched(packed, STRIP_OFFSETS, 8, count=2**30)
    yield "tiff of a billion tags' bytes", patched(packed, STRIP_BYTES, 8, count=2**32 - 1)
    yield (
        "tiff of tiles of 65520 x 65520 pixels",
        patched(patched(tiled, TILE_WIDTH, 65_520), TILE_HEIGHT, 65_520),
    )
    yield "tiff of 15625 tiles of 4096 x 4096 pixels for one row", _wide_tiles()
    yield "tiff of tiles of no width", patched(tiled, TILE_WIDTH, 0)
    floats = tiff(scene("float32"), compression="zlib")
    yield "tiff of an unknown kind of samples", patched(floats, SAMPLE_FORMAT, 6)
    yield "tiff without a page", plain[:4] + b"\0\0\0\0" + plain[8:]
    yield "tiff with a page of no tags", plain[:4] + struct.pack("<I", len(plain)) + plain[8:] + b"\0" * 6
    yield "tiff with NaN", tiff(np.where(scene("float32") > 0.5, np.nan, 0).astype(np.float32))
    yield "tiff with infinity", tiff(np.full((8, 8), np.inf, np.float32))
    yield "tiff of float64 beyond float32", tiff(np.full((8, 8), 1e300))
    yield "tiff of int64", tiff(scene("uint16").astype(np.int64))
    yield "tiff of complex numbers", tiff(scene("float32").astype(np.complex64))
    yield "tiff whose JPEG tiles are larger than they say", _jpeg_bomb()


def _chain(pages: int) -> bytes:
    """A TIFF file of a long chain of pages that share one pixel."""
    entries = struct.pack("<HHII", WIDTH, 3, 1, 1) + struct.pack("<HHII", HEIGHT, 3, 1, 1)
    entries += struct.pack("<HHII", STRIP_OFFSETS, 4, 1, 8) + struct.pack("<HHII", STRIP_BYTES, 4, 1, 1)
    size = 2 + len(entries) + 4
    body = b"".join(
        struct.pack("<H", 4)
        + entries
        + struct.pack("<I", 16 + (index + 1) * size if index + 1 < pages else 0)
        for index in range(pages)
    )
    return b"II*\0" + struct.pack("<I", 16) + b"\7" * 8 + body


def _wide_tiles() -> bytes:
    """A TIFF file of one row of 64 million pixels, in tiles that are all the same few bytes of zeros."""
    count, tile = 15_625, zlib.compress(bytes(4096 * 4096))
    numbers = {
        WIDTH: (4, 1, count * 4096),
        HEIGHT: (3, 1, 1),
        BITS: (3, 1, 8),
        COMPRESSION: (3, 1, 8),
        PHOTOMETRIC: (3, 1, 1),
        SAMPLES: (3, 1, 1),
        TILE_WIDTH: (3, 1, 4096),
        TILE_HEIGHT: (3, 1, 4096),
        TILE_OFFSETS: (4, count, 8 + len(tile)),
        TILE_BYTES: (4, count, 8 + len(tile) + 4 * count),
    }
    page = 8 + len(tile) + 8 * count
    data = b"II*\0" + struct.pack("<I", page) + tile
    data += struct.pack("<I", 8) * count + struct.pack("<I", len(tile)) * count
    tags = [struct.pack("<HHII", tag, *fields) for tag, fields in numbers.items()]
    return data + struct.pack("<H", len(tags)) + b"".join(tags) + b"\0" * 4


def _jpeg_bomb() -> bytes:
    """A TIFF file of 32 x 32 tiles that hold a JPEG frame of 65500 x 65500 pixels."""
    data = bytearray(tiff(rgb(), compression="jpeg", tile=(32, 32)))
    place = data.find(b"\xff\xc0")
    while place >= 0:
        struct.pack_into(">HH", data, place + 5, 65_500, 65_500)
        place = data.find(b"\xff\xc0", place + 1)
    return bytes(data)


def ome(changes: dict[str, str], samples: Any = None, **metadata: Any) -> bytes:
    """An OME-TIFF file of 3 planes in whose XML texts are replaced."""
    stack = scene("uint16", (3,)) if samples is None else samples
    xml = ome_xml(stack, metadata or {"axes": "ZYX"})
    for old, new in changes.items():
        if old not in xml:
            raise ValueError(f"no {old} in {xml}")
        xml = xml.replace(old, new)
    return tiff(stack, description=xml.encode(), photometric="minisblack")


def ome_xml(samples: Any, metadata: dict[str, Any]) -> str:
    """The OME-XML that tifffile writes for an image."""
    with tifffile.TiffFile(io.BytesIO(tiff(samples, ome=True, metadata=metadata))) as file:
        assert file.ome_metadata is not None
        return file.ome_metadata


def _stack_lies() -> Iterator[tuple[str, bytes]]:
    yield "ome-tiff of a billion planes", ome({'SizeZ="3"': 'SizeZ="999999999"'})
    yield "ome-tiff of more planes than pages", ome({'SizeZ="3"': 'SizeZ="4"'})
    yield "ome-tiff of no planes", ome({'SizeZ="3"': 'SizeZ="0"'})
    yield "ome-tiff of minus one plane", ome({'SizeZ="3"': 'SizeZ="-1"'})
    yield "ome-tiff of other rows", ome({'SizeY="40"': 'SizeY="41"'})
    yield "ome-tiff without a dimension order", ome({'DimensionOrder="': 'Order="'})
    yield "ome-tiff that places planes beyond the file", ome({'PlaneCount="3"': 'PlaneCount="999999999"'})
    yield "ome-tiff with a hole", ome({'PlaneCount="3"': 'PlaneCount="2"'})
    yield "ome-tiff of broken XML", ome({"<Pixels": "<Pixels<"})
    yield "ome-tiff without an image", ome({"<Image": "<Picture", "</Image": "</Picture"})
    laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    yield "ome-tiff of a billion laughs", ome({"<OME": f'<!DOCTYPE OME [<!ENTITY a0 "ha">{laughs}]><OME'})
    lying = b"ImageJ=1.53t\nimages=99999\nslices=99999\n"
    yield "imagej-tiff of more planes than pages", tiff(scene(), description=lying)
    words = b"ImageJ=1.53t\nimages=many\nslices=few\n"
    yield "imagej-tiff whose counts are words", tiff(scene(), description=words)
    yield "tiff stack that does not say what its pages are", tiff(scene("uint8", (5,)))


def _strangers() -> Iterator[tuple[str, bytes]]:
    """Files of other formats, and noise."""
    rng = random.Random(11)
    yield "nothing", b""
    yield "one byte", b"I"
    yield "text", b"label,area_px\n1,30\n"
    yield "gif", b"GIF89a" + rng.randbytes(200)
    yield "pdf", b"%PDF-1.7\n" + rng.randbytes(200)
    yield "zip", b"PK\x03\x04" + rng.randbytes(200)
    yield "html", b"<!DOCTYPE html><html></html>"
    yield "webp", bytes(imagecodecs.webp_encode(rgb()))
    for signature in (b"", b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", _PNG_HEADER, b"\xff\xd8\xff"):
        yield f"noise after {signature!r}", signature + rng.randbytes(3000)
