"""The pixel size of a TIFF file, from its vendor's tags, its ImageJ description or its resolution.

Order of trust: the instrument, then what an analyst wrote, then the resolution tags. The OME description
is read in `hooke.codecs.ome`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import tifffile

from hooke.codecs.units import pixel_size
from hooke.images import PixelSize, PixelSizeSource

_TESCAN = 50431
_RESOLUTION_UNITS = {2: "inch", 3: "cm"}
_GRAPHICS_DPI = (
    *(72, 75, 90, 96, 100, 120, 144, 150, 180, 192, 200, 240, 300, 350, 360, 400),
    *(600, 720, 1200, 2400),
)
"""Dots per inch that graphics software, screens, printers and scanners put into files."""
_DPI_TOLERANCE = 0.015
"""28 dots per centimetre stand for 72 per inch."""
_UM_PER_INCH = 25_400.0


def vendor_pixel_size(page: tifffile.TiffPage) -> PixelSize | None:
    """The pixel size in the private tags of FEI and Thermo Fisher, Zeiss SEM, TESCAN and Olympus SIS."""
    if page.is_fei:
        fields = _mapping(page.tags.valueof(34682) or page.tags.valueof(34680))
        for section in ("Scan", "EScan", "IScan"):
            scan = _mapping(fields.get(section))
            size = _in_metres(scan.get("PixelWidth"), scan.get("PixelHeight"))
            if size is not None:
                return size
    if page.is_sem:
        fields = _mapping(page.tags.valueof(34118))
        numbers = fields.get("", ())
        if len(numbers) > 3:
            return _in_metres(numbers[3], numbers[3])
    if _TESCAN in page.tags:
        text = page.tags.valueof(_TESCAN)
        return _in_metres(*(_tescan_number(text, name) for name in (b"PixelSizeX", b"PixelSizeY")))
    if page.is_sis:
        fields = _mapping(page.tags.valueof(33560))
        return _in_metres(fields.get("pixelsizex"), fields.get("pixelsizey"))
    return None


def imagej_pixel_size(fields: Mapping[str, str], page: tifffile.TiffPage) -> PixelSize | None:
    """The pixel size of an ImageJ file: pixels per unit in the resolution tags, the unit in its text."""
    if "unit" not in fields:
        return resolution_pixel_size(page)
    unit = fields["unit"]
    x_step, y_step = (1 / value if value else None for value in _resolution(page))
    size = pixel_size([(x_step, unit), (y_step, unit), (fields.get("spacing"), unit)], PixelSizeSource.IMAGEJ)
    if size is None or (unit in ("inch", "in") and _from_graphics(size)):
        return None
    return size


def resolution_pixel_size(page: tifffile.TiffPage) -> PixelSize | None:
    """The pixel size after the resolution tags, unless they look like those of graphics software."""
    unit = _RESOLUTION_UNITS.get(page.tags.valueof(296, 2), "")
    x_step, y_step = (1 / value if value else None for value in _resolution(page))
    size = pixel_size([(x_step, unit), (y_step, unit)], PixelSizeSource.TIFF_RESOLUTION)
    return None if size is None or _from_graphics(size) else size


def _from_graphics(size: PixelSize) -> bool:
    """True for the dots per inch of screens and printers, and for anything coarser."""
    dpi = _UM_PER_INCH / size.x_um
    return dpi < min(_GRAPHICS_DPI) or any(
        math.isclose(dpi, usual, rel_tol=_DPI_TOLERANCE) for usual in _GRAPHICS_DPI
    )


def _resolution(page: tifffile.TiffPage) -> tuple[float, float]:
    """Pixels per unit along X and Y; 0 where the tags are missing or make no sense."""
    values = []
    for code in (282, 283):
        value = page.tags.valueof(code)
        rational = isinstance(value, tuple) and len(value) == 2 and value[1]
        values.append(value[0] / value[1] if rational else 0.0)
    return values[0], values[1]


def _in_metres(x: Any, y: Any) -> PixelSize | None:
    if not isinstance(x, int | float) or not isinstance(y, int | float):
        return None
    return pixel_size([(x, "m"), (y, "m")], PixelSizeSource.VENDOR_TAG)


def _tescan_number(text: Any, name: bytes) -> float | None:
    """A number among the lines that TESCAN puts behind a thumbnail."""
    if not isinstance(text, bytes):
        return None
    found = re.search(rb"^%s=(\d+(\.\d+)?(e[+-]?\d+)?)\s*$" % name, text, re.MULTILINE)
    return float(found[1]) if found else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
