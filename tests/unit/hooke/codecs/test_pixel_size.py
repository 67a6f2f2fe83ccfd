"""Pixel sizes, where they come from, and what is not one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from hooke import codecs
from hooke.codecs.units import MICROMETRES, micrometres
from hooke.images import PixelSize, PixelSizeSource
from tests.sample_files import pillow, rgb, scene, tiff


def ome_size(**metadata: Any) -> PixelSize | None:
    return codecs.decode(tiff(scene(), ome=True, metadata={"axes": "YX", **metadata})).pixel_size


def imagej_size(
    resolution: tuple[float, float] | None, description: str, unit: str = "NONE"
) -> PixelSize | None:
    options: dict[str, Any] = {"description": f"ImageJ=1.53t\n{description}".encode()}
    if resolution is not None:
        options |= {"resolution": resolution, "resolutionunit": unit}
    return codecs.decode(tiff(scene(), **options)).pixel_size


def resolution_size(resolution: tuple[float, float], unit: str) -> PixelSize | None:
    return codecs.decode(tiff(scene(), resolution=resolution, resolutionunit=unit)).pixel_size


# Every unit of length that OME names is brought to micrometres, and X and Y may differ.
@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("µm", 1),
        ("\u03bcm", 1),
        ("nm", 1e-3),
        ("pm", 1e-6),
        ("Å", 1e-4),
        ("\u212b", 1e-4),
        ("mm", 1e3),
        ("cm", 1e4),
        ("m", 1e6),
        ("in", 25_400),
    ],
)
def test_units_of_ome(unit: str, factor: float) -> None:
    size = ome_size(PhysicalSizeX=2, PhysicalSizeXUnit=unit, PhysicalSizeY=3, PhysicalSizeYUnit=unit)
    assert size is not None
    assert size.x_um == pytest.approx(2 * factor)
    assert size.y_um == pytest.approx(3 * factor)
    assert (size.z_um, size.source) == (None, PixelSizeSource.OME_XML)


# Each axis has its own unit, and micrometres where none is given.
def test_mixed_units_of_ome() -> None:
    size = ome_size(PhysicalSizeX=250, PhysicalSizeXUnit="nm", PhysicalSizeY=0.25, PhysicalSizeZ=1)
    assert size == PixelSize(0.25, 0.25, 1.0, PixelSizeSource.OME_XML)


# What says nothing about size leaves it unknown: no 1.0, no 0.
@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"PhysicalSizeX": 1, "PhysicalSizeXUnit": "pixel", "PhysicalSizeY": 1, "PhysicalSizeYUnit": "pixel"},
        {
            "PhysicalSizeX": 1,
            "PhysicalSizeXUnit": "reference frame",
            "PhysicalSizeY": 1,
            "PhysicalSizeYUnit": "reference frame",
        },
        {"PhysicalSizeX": 0.0, "PhysicalSizeXUnit": "m", "PhysicalSizeY": 0.0, "PhysicalSizeYUnit": "m"},
        {"PhysicalSizeX": 1.0},
        {"PhysicalSizeY": 1.0},
        {"PhysicalSizeX": -1.0, "PhysicalSizeY": 1.0},
        {"PhysicalSizeX": "nan", "PhysicalSizeY": 1.0},
        {"PhysicalSizeX": "inf", "PhysicalSizeY": 1.0},
        {"PhysicalSizeX": "one", "PhysicalSizeY": 1.0},
    ],
)
def test_unknown_sizes_of_ome(metadata: dict[str, Any]) -> None:
    assert ome_size(**metadata) is None


# ImageJ writes pixels per unit into the tags and the unit into its text, in many spellings.
@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("micron", 1),
        ("um", 1),
        ("\\u00B5m", 1),
        ("µm", 1),
        ("nm", 1e-3),
        ("mm", 1e3),
        ("cm", 1e4),
        ("inch", 25_400),
    ],
)
def test_units_of_imagej(unit: str, factor: float) -> None:
    size = imagej_size((8000, 4000), f"unit={unit}\nspacing=2.0\n")
    assert size is not None
    assert size.x_um == pytest.approx(factor / 8000)
    assert size.y_um == pytest.approx(factor / 4000)
    assert size.z_um == pytest.approx(2 * factor)
    assert size.source is PixelSizeSource.IMAGEJ


# An ImageJ file without a scale, or with that of a screen, has an unknown pixel size.
@pytest.mark.parametrize(
    ("resolution", "description"),
    [
        (None, "images=1\n"),
        ((1, 1), "images=1\n"),
        ((1, 1), "unit=pixel\n"),
        ((72, 72), "unit=inch\n"),
    ],
)
def test_unknown_sizes_of_imagej(resolution: tuple[float, float] | None, description: str) -> None:
    assert imagej_size(resolution, description) is None


# Without a unit in its text, an ImageJ file's resolution tags count as those of any TIFF file.
def test_imagej_without_a_unit() -> None:
    size = imagej_size((20_000, 20_000), "images=1\n", "CENTIMETER")
    assert size is not None
    assert size.source is PixelSizeSource.TIFF_RESOLUTION


# The tags of a plain TIFF file are pixels per centimetre or inch.
@pytest.mark.parametrize(
    ("resolution", "unit", "x_um", "y_um"),
    [
        ((20_000, 10_000), "CENTIMETER", 0.5, 1.0),
        ((50_800, 25_400), "INCH", 0.5, 1.0),
        ((1550, 1550), "CENTIMETER", 6.4516, 6.4516),
    ],
)
def test_resolution_tags(resolution: tuple[float, float], unit: str, x_um: float, y_um: float) -> None:
    size = resolution_size(resolution, unit)
    assert size is not None
    assert (size.x_um, size.y_um) == (pytest.approx(x_um, rel=1e-4), pytest.approx(y_um, rel=1e-4))
    assert size.source is PixelSizeSource.TIFF_RESOLUTION


# Dots per inch of screens, printers and scanners are no pixel size, nor is a resolution without a unit.
@pytest.mark.parametrize(
    ("resolution", "unit"),
    [
        *[((dpi, dpi), "INCH") for dpi in (1, 50, 72, 96, 150, 300, 600, 1200)],
        *[((per_cm, per_cm), "CENTIMETER") for per_cm in (1, 28, 28.346, 37.795, 59.055, 118, 118.11)],
        ((20_000, 20_000), "NONE"),
        ((0, 0), "CENTIMETER"),
    ],
)
def test_resolutions_that_are_no_pixel_size(resolution: tuple[float, float], unit: str) -> None:
    assert resolution_size(resolution, unit) is None


# The resolution tags of an OME-TIFF do not speak where its XML is silent.
def test_ome_is_not_overruled_by_tags() -> None:
    data = tiff(
        scene(), ome=True, metadata={"axes": "YX"}, resolution=(20_000, 20_000), resolutionunit="CENTIMETER"
    )
    assert codecs.decode(data).pixel_size is None


# The resolution of PNG and JPEG files is never a pixel size.
@pytest.mark.parametrize("format_name", ["PNG", "JPEG"])
def test_density_of_pictures_is_not_trusted(format_name: str) -> None:
    data = pillow(Image.fromarray(rgb()), format_name, dpi=(50_800, 50_800))
    assert codecs.decode(data).pixel_size is None


# A TESCAN file tells metres behind its thumbnail.
def test_tescan() -> None:
    text = b"\xff\xd8 thumbnail \r\nMagnification=100\r\nPixelSizeX=4.5e-09\r\nPixelSizeY=4.5e-09\r\n"
    size = codecs.decode(tiff(scene(), extratags=[(50431, 7, len(text), text, True)])).pixel_size
    assert size == PixelSize(pytest.approx(0.0045), pytest.approx(0.0045), None, PixelSizeSource.VENDOR_TAG)
    junk = b"PixelSizeX=4.5.6e-\r\nPixelSizeY=\r\n"
    assert codecs.decode(tiff(scene(), extratags=[(50431, 7, len(junk), junk, True)])).pixel_size is None


# A size that is not finite, not positive or in no unit of length is no size.
@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (None, "um"),
        ("", "um"),
        ("x", "um"),
        (0, "m"),
        (-1, "um"),
        (float("nan"), "um"),
        (1e308, "km"),
        (1, ""),
    ],
)
def test_lengths_that_are_none(value: Any, unit: str) -> None:
    assert micrometres(value, unit) is None


# Every unit gives a positive factor under its lower-case name.
def test_units_are_lower_case() -> None:
    assert all(name == name.lower() and factor > 0 for name, factor in MICROMETRES.items())
    assert np.isclose(MICROMETRES["in"], 2.54 * MICROMETRES["cm"])
