"""The OME-XML description of an OME-TIFF file."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from hooke.codecs.tiff_layout import Layout, arrange
from hooke.codecs.units import pixel_size
from hooke.errors import ImageUnreadableError
from hooke.images import PixelSizeSource

_MAX_XML = 4 * 1024**2
"""Characters, which is enough for some 16,000 planes; XML takes up to 40 times its size in memory."""


def read_ome(description: str, *, height: int, width: int, samples: int, page_count: int) -> Layout:
    """The layout of the first image of an OME-XML description.

    Args:
        description: the XML.
        height: of the first page, in pixels.
        width: of the first page, in pixels.
        samples: samples of a pixel on a page.
        page_count: pages in the file.

    Raises:
        ImageUnreadableError: the description is damaged, or contradicts the file, or planes of the image
            are missing or in other files.
    """
    root = _parse(description)
    pixels = next(_children(root, "Image", "Pixels"), None)
    if pixels is None:
        raise ImageUnreadableError("the OME-XML describes no image in this file")
    order = pixels.get("DimensionOrder", "")[::-1][:3]
    sizes = {letter: _count(pixels, f"Size{letter}") for letter in order}
    if set(order) != set("TCZ"):
        raise ImageUnreadableError(f"the OME-XML has no dimension order that makes sense: {order[:10]!r}")
    if (_count(pixels, "SizeY"), _count(pixels, "SizeX")) != (height, width):
        raise ImageUnreadableError("the OME-XML describes an image of another size than that of the file")
    if sizes["C"] % samples == 0:
        sizes["C"] //= samples
    planes = math.prod(sizes.values())
    if planes > page_count:
        raise ImageUnreadableError(
            f"the OME-XML describes {planes} planes, but the file has {page_count}: it is cut off, or the "
            "others are in other files; put them into one file"
        )
    layout = arrange(_planes(root, pixels, sizes, page_count), sizes)
    names = tuple(channel.get("Name", "") for channel in _children(pixels, "Channel"))
    bits = pixels.get("SignificantBits", "")
    size = pixel_size(
        [(pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm")) for axis in "XYZ"],
        PixelSizeSource.OME_XML,
    )
    return dataclasses.replace(
        layout,
        bit_depth=int(bits) if bits.isdecimal() and len(bits) < 4 else None,
        pixel_size=size,
        channel_names=names if any(names) else (),
    )


def _parse(description: str) -> ET.Element:
    if len(description) > _MAX_XML:
        raise ImageUnreadableError(f"the OME-XML has {len(description)} characters, more than are read")
    if "<!DOCTYPE" in description or "<!ENTITY" in description:
        # OME-XML has no use for entities; what has them is an attack on the parser.
        raise ImageUnreadableError("the OME-XML declares a document type")
    try:
        # A declaration of the encoding would contradict text that is decoded already.
        return ET.fromstring(description.encode())  # noqa: S314 - no entities, bounded size
    except ET.ParseError as error:
        raise ImageUnreadableError(f"the OME-XML is damaged: {error}") from error


def _children(element: ET.Element, *path: str) -> Iterator[ET.Element]:
    """Descendants along a path of names, whatever the version of their namespace."""
    for child in element:
        if child.tag.rpartition("}")[2] == path[0]:
            if len(path) == 1:
                yield child
            else:
                yield from _children(child, *path[1:])


def _count(element: ET.Element, name: str, default: str = "") -> int:
    text = element.get(name, default)
    if not text.isdecimal() or len(text) > 9:
        raise ImageUnreadableError(f"the OME-XML is damaged: {name} is {text[:20]!r}")
    return int(text)


def _planes(root: ET.Element, pixels: ET.Element, sizes: dict[str, int], page_count: int) -> list[int]:
    """The page of each plane, in the order of `sizes`, after the TiffData elements."""
    total = math.prod(sizes.values())
    blocks = list(_children(pixels, "TiffData"))
    if total == 0:
        raise ImageUnreadableError("the OME-XML describes an image without planes")
    if not blocks:
        return list(range(total))
    here = root.get("UUID") or next((uuid.text for uuid in _children(pixels, "TiffData", "UUID")), None)
    pages: list[int | None] = [None] * total
    budget = 2 * total + len(blocks)
    for block in blocks:
        if any(uuid.text != here for uuid in _children(block, "UUID")):
            continue
        first = 0
        for letter, size in sizes.items():
            first = first * size + _count(block, f"First{letter}", "0")
        page = _count(block, "IFD", "0")
        count = _count(block, "PlaneCount", "1" if block.get("IFD") else str(total))
        budget -= count
        if budget < 0 or first + count > total or page + count > page_count:
            raise ImageUnreadableError("the OME-XML places planes where the file has none")
        pages[first : first + count] = range(page, page + count)
    present = [page for page in pages if page is not None]
    if len(present) < total:
        raise ImageUnreadableError(
            f"the OME-XML describes {total} planes, {total - len(present)} of them are not in this file; "
            "put them into one file"
        )
    return present
