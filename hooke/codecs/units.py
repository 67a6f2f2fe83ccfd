"""Units of length, as files name them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from hooke.images import PixelSize, PixelSizeSource

MICROMETRES: Mapping[str, float] = MappingProxyType(
    {
        "km": 1e9,
        "m": 1e6,
        "meter": 1e6,
        "metre": 1e6,
        "dm": 1e5,
        "cm": 1e4,
        "centimeter": 1e4,
        "mm": 1e3,
        "millimeter": 1e3,
        "\u00b5m": 1.0,  # micro sign
        "\u03bcm": 1.0,  # Greek mu
        "\\u00b5m": 1.0,  # ImageJ escapes what is not ASCII
        "\\u03bcm": 1.0,
        "um": 1.0,
        "micron": 1.0,
        "microns": 1.0,
        "micrometer": 1.0,
        "micrometre": 1.0,
        "nm": 1e-3,
        "nanometer": 1e-3,
        "nanometre": 1e-3,
        "\u00e5": 1e-4,  # a with ring: the angstrom in lower case
        "angstrom": 1e-4,
        "pm": 1e-6,
        "fm": 1e-9,
        "inch": 25_400.0,
        "in": 25_400.0,
        "thou": 25.4,
        "mil": 25.4,
    }
)
"""Micrometres in one unit, by its name in lower case. Whatever is not here, such as OME's "pixel" and
"reference frame", says nothing about size."""


def micrometres(value: float | str | None, unit: str) -> float | None:
    """A length in micrometres; None where it is no finite number above 0 or the unit is no length.

    A length of 0 is what remains of micrometres that were rounded in metres.
    """
    factor = MICROMETRES.get(unit.strip().lower())
    if factor is None or value is None:
        return None
    try:
        length = float(value) * factor
    except ValueError:
        return None
    return length if math.isfinite(length) and length > 0 else None


def pixel_size(
    lengths: Sequence[tuple[float | str | None, str]], source: PixelSizeSource
) -> PixelSize | None:
    """A pixel size of lengths with their units for X, Y and perhaps Z; None unless X and Y are known."""
    x_um, y_um, z_um = [micrometres(value, unit) for value, unit in lengths] + [None] * (3 - len(lengths))
    if x_um is None or y_um is None:
        return None
    return PixelSize(x_um, y_um, z_um, source)
