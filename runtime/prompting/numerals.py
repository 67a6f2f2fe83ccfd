"""Whole numbers as models write them, in digits and in English words."""

from __future__ import annotations

import re

MAX_COUNT = 2**63 - 1
"""The largest number that travels over the wire."""

_UNITS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen"),
    *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_VALUES = {
    **{word: value for value, word in enumerate(("zero", *_UNITS, *_TEENS))},
    **{word: 10 * value for value, word in enumerate(_TENS, start=2)},
    "a": 1,
}

_UNIT = f"(?:{'|'.join(_UNITS)})"
_BELOW_100 = f"(?:(?:{'|'.join(_TENS)})(?:[ -]{_UNIT})?|{'|'.join(_TEENS)}|{_UNIT})"
_WORDS = rf"(?:(?:a|{_UNIT}) hundred(?: (?:and )?{_BELOW_100})?|{_BELOW_100}|zero)"
# Groups of three may be set apart by commas, spaces or apostrophes; a point would be one of two things.
_DIGITS = r"(?:[1-9]\d{0,2}(?:(?:,\d{3})+|(?: \d{3})+|(?:'\d{3})+)|\d{1,19})"

NUMERAL = rf"(?:{_DIGITS}|{_WORDS})"
"""Matches one whole number in lower-case text. What stands around it is for the caller to check."""

_NUMBER_WORD = re.compile(
    rf"\b(?:{'|'.join((*_UNITS, *_TEENS, *_TENS))}|zero|hundreds?|thousands?|millions?|dozens?)\b"
)


def number_of(numeral: str) -> int:
    """The value of what `NUMERAL` matched."""
    if numeral[0].isdigit():
        return int(re.sub(r"\D", "", numeral))
    total = 0
    for word in re.split(r"[ -]", numeral):
        if word == "hundred":
            total *= 100
        elif word != "and":
            total += _VALUES[word]
    return total


def mentions_number(text: str) -> bool:
    """Whether there is anything in a text that may be a number, of whatever kind."""
    return any(map(str.isnumeric, text)) or _NUMBER_WORD.search(text.lower()) is not None
