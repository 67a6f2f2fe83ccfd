"""Images as they are sent: the same pixels and nothing else."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from evaluator.datasets.cleaning import clean, decode
from hooke.errors import ImageUnreadableError
from tests.unit.evaluator.datasets.builders import noise, palette_png, png, tiff

SECRET = "Parasitized C33P1thinF"


def save(form: str, pixels: np.ndarray, **fields: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **fields)
    return buffer.getvalue()


def exif() -> Image.Exif:
    data = Image.Exif()
    data[0x010E] = SECRET
    return data


def png_text() -> PngInfo:
    info = PngInfo()
    info.add_text("Title", SECRET)
    info.add_text("Comment", SECRET, zip=True)
    info.add_itxt("Author", SECRET)
    return info


def jpeg_with_comments() -> bytes:
    data = save(
        "JPEG", noise(1, (40, 40, 3)), exif=exif(), comment=SECRET.encode(), progressive=True, quality=95
    )
    return data + SECRET.encode()


def gps_and_thumbnail() -> bytes:
    """EXIF as cameras write it: a place, and a small picture with a comment of its own."""
    data = exif()
    data.get_ifd(Image.ExifTags.IFD.GPSInfo)[Image.ExifTags.GPS.GPSAreaInformation] = SECRET
    return data.tobytes() + save("JPEG", noise(8), comment=SECRET.encode())


def segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


def jpeg_with_every_segment() -> bytes:
    """XMP, a profile, Photoshop's resources and a comment, before the rest of the file."""
    data = save("JPEG", noise(1, (40, 40, 3)), exif=gps_and_thumbnail())
    segments = (
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + SECRET.encode()),
        segment(0xE2, b"ICC_PROFILE\0\1\1" + SECRET.encode()),
        segment(0xED, b"Photoshop 3.0\0" + SECRET.encode()),
        segment(0xFE, SECRET.encode()),
    )
    return data[:2] + b"".join(segments) + data[2:]


def ome_tiff() -> bytes:
    """A TIFF file that names its image, its plate and its channels in OME-XML."""
    buffer = io.BytesIO()
    metadata = {"axes": "YX", "Name": SECRET, "Description": SECRET, "Channel": {"Name": [SECRET]}}
    tifffile.imwrite(buffer, noise(1), ome=True, metadata=metadata)
    return buffer.getvalue()


def tiff_with_tags() -> bytes:
    """A TIFF file with an artist, a date, a vendor's own tag and a reduced picture as a second page."""
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        text = SECRET + "\0"
        tags = [(code, "s", len(text), text, True) for code in (269, 315, 33432, 34682)]
        file.write(noise(1, (40, 40)), metadata=None, datetime="2026:01:01 00:00:00", extratags=tags)
        file.write(noise(2, (10, 10)), metadata=None, subfiletype=1, description=SECRET)
    return buffer.getvalue()


FILES = {
    "jpeg every segment": jpeg_with_every_segment(),
    "jpeg gps": save("JPEG", noise(1, (40, 40, 3)), exif=gps_and_thumbnail()),
    "tiff ome": ome_tiff(),
    "tiff tags": tiff_with_tags(),
    "tiff palette": save("TIFF", noise(1), description=SECRET),
    "png text": save("PNG", noise(1), pnginfo=png_text(), exif=exif()),
    "png rgba": save("PNG", noise(1, (9, 9, 4)), pnginfo=png_text()),
    "png 16 bit": save("PNG", noise(1).astype(np.uint16) * 257, pnginfo=png_text()),
    "png after the end": png(noise(2)) + SECRET.encode(),
    "jpeg": jpeg_with_comments(),
    "jpeg grey": save("JPEG", noise(1), exif=exif(), restart_marker_blocks=1),
    "tiff": tiff(noise(1), description=SECRET, software=SECRET),
    "tiff rgb": tiff(noise(1, (9, 9, 3)), photometric="rgb", description=SECRET),
    "tiff planar": tiff(noise(1, (3, 9, 9)), photometric="rgb", planarconfig="separate", description=SECRET),
    "tiff compressed": tiff(noise(1).astype(np.uint16), compression="zlib", description=SECRET),
    "bmp": save("BMP", noise(1, (9, 9, 3))) + SECRET.encode(),
}


def pixels_of(data: bytes) -> np.ndarray:
    pixels = decode(data)
    return pixels[..., :3] if pixels.ndim == 3 else pixels


# Cleaning keeps every pixel and drops whatever text was in the file.
@pytest.mark.parametrize("name", FILES)
def test_cleaning_keeps_pixels_only(name):
    data = FILES[name]
    cleaned = clean(data)
    assert np.array_equal(pixels_of(cleaned), pixels_of(data))
    assert b"Parasitized" not in cleaned
    assert b"Exif" not in cleaned
    assert b"OME" not in cleaned
    with Image.open(io.BytesIO(cleaned)) as image:
        assert not {"Title", "Comment", "Author", "exif", "comment"} & set(image.info)
        assert not any(SECRET in str(value) for value in image.getexif().values())


# Cleaning twice is cleaning once, and always gives the same bytes.
@pytest.mark.parametrize("name", FILES)
def test_cleaning_is_stable(name):
    cleaned = clean(FILES[name])
    assert clean(FILES[name]) == clean(cleaned) == cleaned


# A palette is part of the colours and stays.
def test_palette_stays():
    data = palette_png(np.arange(16, dtype=np.uint8).reshape(4, 4))
    assert np.array_equal(decode(clean(data)), decode(data))
    assert decode(data).shape == (4, 4, 3)
    assert decode(data, indexed=True).shape == (4, 4)


# TIFF that holds more than one plane, or samples that the wire has not, is refused.
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (tiff(np.zeros((4, 9, 9), np.uint8), photometric="minisblack"), "one plane"),
        (tiff(np.zeros((9, 9), np.float64)), "float64"),
        (tiff(np.zeros((9, 9), np.int16)), "int16"),
    ],
)
def test_refuses_what_is_not_sent(data, message):
    with pytest.raises(ImageUnreadableError, match=message):
        clean(data)


def damaged_deflate() -> bytes:
    """A TIFF file whose structure is whole and whose compressed samples are not."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, noise(4, (64, 64)), compression="zlib")
    data = bytearray(buffer.getvalue())
    middle = len(data) // 2
    data[middle : middle + 16] = b"\xff" * 16
    return bytes(data)


# Broken files raise, whatever is broken.
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not an image",
        FILES["png text"][:60],
        FILES["jpeg"][:300],
        FILES["tiff"][:20],
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 2**31) + b"IHDR",
        b"\xff\xd8\xff\xe0",
        b"II*\0" + b"\xff" * 40,
        damaged_deflate(),
    ],
)
def test_broken_files_raise(data):
    with pytest.raises(ImageUnreadableError):
        clean(data)


# A text chunk that claims to be longer than the file is no way out of the file.
def test_lying_chunk_length():
    good = png(noise(3))
    text = b"tEXt" + SECRET.encode()
    lie = struct.pack(">I", 10**6) + text + struct.pack(">I", zlib.crc32(text))
    with pytest.raises(ImageUnreadableError, match="IEND"):
        clean(good[:33] + lie + good[33:])
