"""Paths with names in them: `images/{id}.png`, `train/{label}/{patient}_{number:d}.png`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

_PLACEHOLDER = re.compile(r"\{([A-Za-z][A-Za-z0-9_ ().-]*)(?::([a-z0-9]+))?\}")
_DIGITS = "d"
_MOST_NAMES = 8
"""More, or two texts side by side, could match a path in so many ways that trying them takes for ever."""


@dataclass(frozen=True, slots=True)
class PathPattern:
    """Reads names out of paths.

    `{name}` is any text without "/", as short as possible; `{name:d}` is all digits that there are. The same
    name again must be the same text.
    """

    text: str
    regex: re.Pattern[str]
    names: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> PathPattern:
        """Read a pattern; ValueError says what is wrong with it."""
        names: list[str] = []
        parts: list[str] = []
        position, unclear = 0, False
        for placeholder in _PLACEHOLDER.finditer(text):
            name, form = placeholder.groups()
            if form not in {None, _DIGITS}:
                raise ValueError(f"{placeholder[0]} is neither {{{name}}} nor {{{name}:d}}")
            if unclear and position == placeholder.start():
                raise ValueError(f"it is not clear where {placeholder[0]} begins in {text!r}")
            parts.append(_literal(text, position, placeholder.start()))
            if name in names:
                parts.append(f"(?P=_{names.index(name)})")
            else:
                parts.append(_group(len(names), digits=form == _DIGITS))
                names.append(name)
            position, unclear = placeholder.end(), form != _DIGITS
        parts.append(_literal(text, position, len(text)))
        if len(parts) // 2 > _MOST_NAMES:
            raise ValueError(f"{text!r} has more than {_MOST_NAMES} names")
        return cls(text, re.compile("".join(parts)), tuple(names))

    def match(self, path: str) -> dict[str, str] | None:
        """The names in a path, or None if the whole path does not fit."""
        found = self.regex.fullmatch(path)
        return dict(zip(self.names, found.groups(), strict=True)) if found else None


def _group(number: int, *, digits: bool) -> str:
    return f"(?P<_{number}>[0-9]+)(?![0-9])" if digits else f"(?P<_{number}>[^/]+?)"


def _literal(text: str, start: int, end: int) -> str:
    if set(text[start:end]) & set("{}"):
        raise ValueError(f"{text!r} has a brace that belongs to no {{name}}")
    return re.escape(text[start:end])


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put values into `{name}`; `{name:03}` pads with zeros to three characters. KeyError: one is missing."""

    def value(placeholder: re.Match[str]) -> str:
        name, form = placeholder.groups()
        text = values[name]
        return text.zfill(int(form)) if form and form.isdigit() else text

    return _PLACEHOLDER.sub(value, template)


def names_in(template: str) -> tuple[str, ...]:
    """The names that a template needs."""
    return tuple(name for name, _ in _PLACEHOLDER.findall(template))


def _check(text: str) -> str:
    PathPattern.parse(text)
    return text


PatternText = Annotated[str, AfterValidator(_check)]
"""A pattern in a suite."""
