"""Reads one field of a serialised message without decoding the rest."""

from __future__ import annotations

_VARINT, _I64, _LEN, _I32 = 0, 1, 2, 5
_MAX_VARINT_BYTES = 10
_MAX_FIELDS = 1000
"""Fields that are looked at. Messages are written in the order of their fields, so a low number stands in
front; without a bound, a message of millions of tiny fields would hold up everybody."""


def text_field(message: bytes, number: int) -> str:
    """Return a field of type string; empty where it is absent.

    Fields are skipped by their lengths, so that the time does not grow with their sizes. As the wire format
    wants it, the last occurrence counts. A message that is broken on the way, or has more than 1000 fields,
    gives what was found before: whoever decodes it says what is wrong.

    Source: https://protobuf.dev/programming-guides/encoding/
    """
    found = b""
    position = 0
    try:
        for _ in range(_MAX_FIELDS):
            if position >= len(message):
                break
            tag, position = _varint(message, position)
            kind = tag & 7
            if kind == _VARINT:
                _, position = _varint(message, position)
            elif kind == _I64:
                position += 8
            elif kind == _I32:
                position += 4
            elif kind == _LEN:
                length, position = _varint(message, position)
                if position + length > len(message):
                    break
                if tag >> 3 == number:
                    found = message[position : position + length]
                position += length
            else:
                break
    except IndexError:
        pass
    return found.decode("utf-8", "replace")


def _varint(message: bytes, position: int) -> tuple[int, int]:
    """The number at a position, and the position after it. Raises IndexError where there is none."""
    value = 0
    for index in range(_MAX_VARINT_BYTES):
        byte = message[position + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position + index + 1
    raise IndexError(position)
