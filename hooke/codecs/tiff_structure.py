"""The bones of a TIFF file: its chain of pages, checked before anything else looks at it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from hooke.errors import ImageTooLargeError, ImageUnreadableError

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""Classic TIFF and BigTIFF, little-endian and big-endian."""

_MAX_PAGES = 16_384
_MAX_TAGS = 1_024
"""In one page; real pages have some dozens."""
_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4} | {
    16: 8,
    17: 8,
    18: 8,
}


@dataclass(frozen=True, slots=True)
class _Flavour:
    """Where the numbers of a classic or a big TIFF stand."""

    order: str
    big: bool

    def number(self, data: bytes, position: int, classic: str, big: str) -> int:
        code = self.order + (big if self.big else classic)
        if position + struct.calcsize(code) > len(data):
            raise ImageUnreadableError(f"the TIFF file is cut off: it points to byte {position}")
        return int(struct.unpack_from(code, data, position)[0])


def page_offsets(data: bytes) -> tuple[int, ...]:
    """Where each page of the file begins, in bytes.

    Raises:
        ImageUnreadableError: the chain leaves the file, runs in a circle or is empty, or the tags claim
            more data than the file has.
        ImageTooLargeError: there are more pages than any request needs.
    """
    flavour = _Flavour(order="<" if data[:1] == b"I" else ">", big=data[2:4] in (b"+\0", b"\0+"))
    position = flavour.number(data, 8 if flavour.big else 4, "I", "Q")
    offsets: dict[int, None] = {}
    claimed = 0
    while position:
        if position in offsets:
            raise ImageUnreadableError("the TIFF file is damaged: its pages form a circle")
        if len(offsets) == _MAX_PAGES:
            raise ImageTooLargeError(f"the TIFF file has more than {_MAX_PAGES} pages")
        offsets[position] = None
        position, bytes_claimed = _walk_page(data, position, flavour)
        claimed += bytes_claimed
        if claimed > 2 * len(data):
            raise ImageUnreadableError("the TIFF file is damaged: its tags claim more data than it has")
    if not offsets:
        raise ImageUnreadableError("the TIFF file has no pages")
    return tuple(offsets)


def _walk_page(data: bytes, offset: int, flavour: _Flavour) -> tuple[int, int]:
    """Where the next page begins (0: nowhere), and how many bytes the tags' values claim outside."""
    tag_count = flavour.number(data, offset, "H", "Q")
    if not 1 <= tag_count <= _MAX_TAGS:
        raise ImageUnreadableError(f"the TIFF file is damaged: a page has {tag_count} tags")
    tag = struct.Struct(flavour.order + ("HHQ8x" if flavour.big else "HHI4x"))
    start = offset + (8 if flavour.big else 2)
    end = start + tag_count * tag.size
    following = flavour.number(data, end, "I", "Q")
    inline = 8 if flavour.big else 4
    sizes = (_TYPE_SIZES.get(kind, 1) * count for _, kind, count in tag.iter_unpack(data[start:end]))
    return following, sum(size for size in sizes if size > inline)
