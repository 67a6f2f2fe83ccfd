"""Small valid files of every format and variety that Hooke reads, made anew for each test run."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

SHAPE = (40, 56)


def scene(dtype: str = "uint8", channels: tuple[int, ...] = (), top: int | None = None) -> NDArray[Any]:
    """Blobs on a noisy ground: channels x 40 x 56, from 0 to at most `top`."""
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    blobs = np.exp(-((rows % 20 - 10) ** 2 + (columns % 14 - 7) ** 2) / 20)
    noise = rng.random((*channels, *SHAPE))
    highest = top if top is not None else 1 if dtype.startswith("float") else np.iinfo(dtype).max
    return np.asarray((0.7 * blobs + 0.3 * noise) * highest).astype(dtype)


def rgb(dtype: str = "uint8") -> NDArray[Any]:
    """40 x 56 x 3."""
    return np.moveaxis(scene(dtype, (3,)), 0, -1).copy()


def tiff(samples: NDArray[Any], **options: Any) -> bytes:
    """A TIFF file without tifffile's own description, unless `metadata` asks for one."""
    file = io.BytesIO()
    tifffile.imwrite(file, samples, **{"metadata": None, **options})
    return file.getvalue()


def pillow(image: Image.Image, format_name: str, **options: Any) -> bytes:
    """A file written by Pillow."""
    file = io.BytesIO()
    image.save(file, format_name, **options)
    return file.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk of a PNG file with its right checksum."""
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def valid_files() -> Iterator[tuple[str, bytes]]:
    """Names and bytes of files that all decode."""
    grey = Image.fromarray(scene())
    yield "png-uint8", pillow(grey, "PNG")
    yield "png-uint16", bytes(imagecodecs.png_encode(scene("uint16")))
    yield "png-rgb16", bytes(imagecodecs.png_encode(rgb("uint16")))
    yield "png-palette", pillow(grey.convert("P"), "PNG")
    yield "png-bilevel", pillow(grey.convert("1"), "PNG")
    yield "png-rgba", pillow(Image.fromarray(rgb()).convert("RGBA"), "PNG")
    yield "jpeg-grey", pillow(grey, "JPEG")
    yield "jpeg-rgb", pillow(Image.fromarray(rgb()), "JPEG")
    yield "jpeg-progressive", pillow(Image.fromarray(rgb()), "JPEG", progressive=True)
    yield "tiff-uint8", tiff(scene())
    yield "tiff-big-endian", tiff(scene("uint16"), byteorder=">")
    yield "tiff-float32", tiff(scene("float32"))
    yield "tiff-uint32", tiff(scene("uint32"))
    for compression in ("lzw", "zlib", "zstd", "packbits"):
        yield f"tiff-{compression}", tiff(scene("uint16"), compression=compression, rowsperstrip=8)
    yield "tiff-predictor", tiff(scene("uint16"), compression="zlib", predictor=True)
    yield "tiff-tiles", tiff(scene("uint16"), compression="lzw", tile=(16, 16))
    yield "tiff-jpeg", tiff(rgb(), compression="jpeg", tile=(32, 32))
    yield "tiff-planar", tiff(scene("uint8", (3,)), photometric="rgb", planarconfig="separate")
    yield "tiff-bigtiff", tiff(scene("uint16"), bigtiff=True)
    yield (
        "ome-tiff",
        tiff(
            scene("uint16", (3,), top=4095),
            ome=True,
            metadata={
                "axes": "CYX",
                "PhysicalSizeX": 0.2,
                "PhysicalSizeY": 0.3,
                "SignificantBits": 12,
                "Channel": {"Name": ["DAPI", "GFP", "Cy5"]},
            },
        ),
    )
    yield (
        "imagej-tiff",
        tiff(
            scene("uint16", (2, 3)),
            imagej=True,
            resolution=(5, 4),
            metadata={"axes": "ZCYX", "unit": "um", "spacing": 0.5},
        ),
    )
