"""The base of enums whose values come from servers."""

from __future__ import annotations

import enum
import re
from typing import Self


class ReceivedEnum(enum.StrEnum):
    """An enum that clients receive, open to values of servers newer than this code.

    `unknown_7` stands for the number 7 of the wire that has no name here. It compares, prints, pickles
    and travels back to the wire like any member, but iterating over the enum does not show it.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str) or not re.fullmatch(r"unknown_-?\d+", value):
            return None
        member = str.__new__(cls, value)
        member._name_ = value.upper()
        member._value_ = value
        return member
