"""Every fault at every severity, on every kind of image: what it keeps, what it harms, how sure it is."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from evaluator.corruptions import FAULTS, SEVERITIES, corrupt
from evaluator.simulate import SimulationSpec, simulate_stain
from hooke.codecs import from_array
from hooke.images import Micrograph, PixelSize

FIELD = SimulationSpec(width_px=120, height_px=96, count=12, diameter_px=12, debris=0)
NUCLEI = simulate_stain(FIELD).image.astype(np.int64)
TISSUE = np.stack([240 - NUCLEI // 2, 225 - NUCLEI, 245 - NUCLEI // 3], axis=-1)
KEPT = ("axes", "bit_depth", "pixel_size", "channel_names")


def images() -> dict[str, Micrograph]:
    size = PixelSize(0.25, 0.5)
    return {
        "grey8": from_array(NUCLEI.astype(np.uint8), pixel_size=size),
        "grey12": from_array((NUCLEI * 16).astype(np.uint16), bit_depth=12),
        "grey16": from_array((NUCLEI * 250).astype(np.uint16), pixel_size=size),
        "float": from_array((NUCLEI / 200).astype(np.float32), pixel_size=size),
        "channels": from_array(
            np.stack([NUCLEI, 40 * NUCLEI[::-1]], axis=-1).astype(np.uint16),
            "YXC",
            channel_names=("DAPI", "GFP"),
        ),
        "stack": from_array(np.stack([NUCLEI, NUCLEI[:, ::-1]]).astype(np.uint8), "ZYX"),
        "tissue8": from_array(TISSUE.astype(np.uint8), "YXS", pixel_size=size),
        "tissue16": from_array((TISSUE * 200).astype(np.uint16), "YXS"),
        "colourless": from_array(np.stack([NUCLEI.astype(np.uint8)] * 3, axis=-1), "YXS"),
    }


IMAGES = images()


def harm(image: Micrograph, struck: Micrograph) -> float:
    """Root of the mean squared change, in parts of the image's range."""
    change = struck.pixels.astype(np.float64) - image.pixels.astype(np.float64)
    return float(np.sqrt((change**2).mean()) / np.ptp(image.pixels.astype(np.float64)))


# All stays but the samples: type, shape, range, pixel size, names of channels, bit depth.
@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("fault", FAULTS)
def test_what_stays(fault, kind, severity):
    image = IMAGES[kind]
    struck = corrupt(image, fault, severity, "seed")
    assert [getattr(struck, name) for name in KEPT] == [getattr(image, name) for name in KEPT]
    assert (struck.pixels.dtype, struck.pixels.shape) == (image.pixels.dtype, image.pixels.shape)
    assert np.isfinite(struck.pixels).all()
    if kind == "grey12":
        assert struck.pixels.max() < 2**12
    if kind == "float":
        assert 0 <= struck.pixels.min() <= struck.pixels.max() <= 1


# The same image, fault and seed give the same samples, and the image itself is not touched.
@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("fault", FAULTS)
def test_it_is_sure(fault, kind):
    image = IMAGES[kind]
    before = image.pixels.copy()
    first, second = (corrupt(image, fault, 3, "seed") for _ in range(2))
    assert first.sha256 == second.sha256
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(image.pixels, before)


# Each severity harms more than the one before it; severity 0 is the image itself.
@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("fault", [name for name in FAULTS if name != "stain_shift"])
def test_severities_grow(fault, kind):
    image = IMAGES[kind]
    assert corrupt(image, fault, 0, "seed") is image
    found = [harm(image, corrupt(image, fault, severity, "seed")) for severity in (0, *SEVERITIES)]
    assert found == sorted(set(found))
    assert found[-1] > 0.02


# A stain has to be there to shift: what has no colours stays as it is.
@pytest.mark.parametrize("kind", IMAGES)
def test_stain_shift(kind):
    image = IMAGES[kind]
    found = [harm(image, corrupt(image, "stain_shift", severity, "seed")) for severity in (0, *SEVERITIES)]
    if kind.startswith("tissue"):
        assert found == sorted(set(found))
    else:
        assert set(found) == {0.0}
        assert corrupt(image, "stain_shift", 5, "seed") is image


# Another seed is another chance where chance plays a part, and nothing else elsewhere.
@pytest.mark.parametrize("fault", FAULTS)
def test_seeds(fault):
    image = IMAGES["tissue8"]
    digests = {corrupt(image, fault, 3, f"seed {number}").sha256 for number in range(8)}
    sure = {"defocus", "gaussian_psf", "saturation", "bit_depth", "jpeg", "binning"}
    assert len(digests) == (1 if fault in sure else 2 if fault == "stain_shift" else 8)


def step() -> Micrograph:
    """Dark, half bright and bright, a third each."""
    pixels = np.full((300, 300), 20_000, np.uint16)
    pixels[:100], pixels[-100:] = 0, 40_000
    return from_array(pixels)


def level_of(fault: str, severity: int) -> float:
    return FAULTS[fault].levels[severity - 1]


# Noise is as strong as it says: photons vary by their root, read noise by its deviation.
@pytest.mark.parametrize("severity", SEVERITIES)
def test_units_of_noise(severity):
    shot, read = (
        corrupt(step(), fault, severity, "seed").pixels[110:190] / 40_000
        for fault in ("shot_noise", "read_noise")
    )
    assert shot.std() == pytest.approx(np.sqrt(0.5 / level_of("shot_noise", severity)), rel=0.03)
    assert np.median(read) == pytest.approx(0.5, abs=0.01)
    # A fifth of the values in the middle, which no limit cuts, lies within 0.507 deviations.
    middle = np.quantile(read, 0.6) - np.quantile(read, 0.4)
    assert middle == pytest.approx(0.507 * level_of("read_noise", severity) / 100, rel=0.05)


# As much light is lost in the darkest corner, and as many grey levels are left, as it says.
@pytest.mark.parametrize("severity", SEVERITIES)
def test_units_of_light(severity):
    before, after = step().pixels[100:], corrupt(step(), "uneven_illumination", severity, "seed").pixels[100:]
    lost = 1 - after / before
    assert lost.max() == pytest.approx(level_of("uneven_illumination", severity) / 100, rel=0.02)
    ramp = from_array(np.linspace(0, 65_535, 90_000).reshape(300, 300).astype(np.uint16))
    few = corrupt(ramp, "bit_depth", severity, "seed").pixels
    assert len(np.unique(few)) == level_of("bit_depth", severity)


# A point becomes a disc or a line of the size that it says, around where it was, and keeps its light.
@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize(("fault", "reach"), [("defocus", 1.0), ("drift", 0.5)])
def test_units_of_blur(fault, reach, severity):
    point = np.zeros((101, 101), np.float32)
    point[50, 50] = 1
    spread = corrupt(from_array(point), fault, severity, "seed").pixels
    assert spread.sum() == pytest.approx(1, rel=1e-3)
    rows, columns = np.nonzero(spread)
    assert (rows.mean(), columns.mean()) == pytest.approx((50, 50), abs=0.6)
    furthest = np.hypot(rows - 50, columns - 50).max()
    assert furthest == pytest.approx(reach * level_of(fault, severity), abs=1.5)


# A debris speck or a streak that is there at a low severity is there at a higher one.
@pytest.mark.parametrize("fault", ["debris", "charging"])
def test_chance_is_shared_by_severities(fault):
    image = from_array(np.full((200, 200), 100, np.uint8))
    struck = [corrupt(image, fault, severity, "seed").pixels != 100 for severity in SEVERITIES]
    for weaker, stronger in itertools.pairwise(struck):
        assert not (weaker & ~stronger).any()


# An image of one value, and one of a single pixel, are no special cases.
@pytest.mark.parametrize("pixels", [np.full((20, 20), 7, np.uint8), np.ones((1, 1), np.float32)])
@pytest.mark.parametrize("fault", FAULTS)
def test_hardly_an_image(fault, pixels):
    struck = corrupt(from_array(pixels), fault, 5, "seed")
    assert struck.pixels.shape == pixels.shape


# Each fault says what it is: title, five levels with their unit, and a docstring with its source.
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_documented(fault):
    assert fault.title
    assert fault.unit
    assert list(fault.levels) in (sorted(set(fault.levels)), sorted(set(fault.levels), reverse=True))
    assert "Source: " in (fault.strike.__doc__ or "")


DIGESTS = """
import json, sys
from evaluator.corruptions import FAULTS, corrupt
from tests.unit.evaluator.corruptions.test_faults import IMAGES
print(json.dumps({f"{fault} {kind}": corrupt(image, fault, 3, "seed").sha256
                  for fault in FAULTS for kind, image in IMAGES.items()}))
"""


# A processor without vector instructions, and another hash seed, give the same samples to the last bit.
def test_the_same_on_every_machine():
    vectors = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    found = subprocess.run(
        [sys.executable, "-c", DIGESTS],
        env={
            **os.environ,
            "PYTHONHASHSEED": "7",
            "NPY_DISABLE_CPU_FEATURES": " ".join(vectors),
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    here = {
        f"{fault} {kind}": corrupt(image, fault, 3, "seed").sha256
        for fault in FAULTS
        for kind, image in IMAGES.items()
    }
    assert json.loads(found.stdout) == here


# The page about them has every fault, in this order, with its severities.
def test_the_page_has_them_all():
    page = (Path(__file__).parents[4] / "docs" / "robustness.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| .+ \| (.+) \|$", page, re.MULTILINE)
    assert rows == [(fault.name, fault.scale) for fault in FAULTS.values()]
