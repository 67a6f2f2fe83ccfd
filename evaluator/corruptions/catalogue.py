"""Every fault: its name, what its five severities are, and how an image gets it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.random import Generator

from evaluator.corruptions import camera, optics, specimen
from evaluator.corruptions.light import Exposure, Floats, Light
from hooke.images import Micrograph

SEVERITIES = (1, 2, 3, 4, 5)
"""From hardly seen to hardly usable; 0 is no fault at all."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong when an image is taken.

    Attributes:
        name: as suites and reports write it.
        title: for headings.
        levels: the five severities, in `unit`.
        unit: what the levels are, as it stands after them.
        strike: light, level and a source of chance -> light, H x W x N; its docstring has physics and source.
    """

    name: str
    title: str
    levels: tuple[float, float, float, float, float]
    unit: str
    strike: Callable[[Light, float, Generator], Floats]

    @property
    def scale(self) -> str:
        """The severities for a person, for example "1, 2, 3, 5, 8 px radius"."""
        return f"{', '.join(f'{level:g}' for level in self.levels)} {self.unit}"


_ALL = (
    Fault("defocus", "Defocus", (1, 2, 3, 5, 8), "px radius of the blur", optics.defocus),
    Fault(
        "gaussian_psf",
        "Gaussian blur",
        (4, 8, 16, 32, 48),
        "F of BBBC005 (sigma F/4 px)",
        optics.gaussian_psf,
    ),
    Fault("shot_noise", "Shot noise", (100, 50, 20, 10, 5), "photons where it is bright", camera.shot_noise),
    Fault("read_noise", "Read noise", (3, 6, 12, 20, 35), "% of the range, deviation", camera.read_noise),
    Fault(
        "uneven_illumination",
        "Uneven illumination",
        (20, 40, 60, 75, 90),
        "% of the light lost in a corner",
        optics.uneven_illumination,
    ),
    Fault("saturation", "Saturation", (1.5, 2, 3, 5, 8), "times the exposure", camera.saturation),
    Fault("bit_depth", "Loss of bit depth", (64, 32, 16, 8, 4), "grey levels left", camera.bit_depth),
    Fault("jpeg", "JPEG", (80, 50, 25, 12, 5), "quality", camera.jpeg),
    Fault("binning", "Binning", (2, 3, 4, 6, 8), "px side", camera.binning),
    Fault("drift", "Drift", (3, 5, 9, 15, 24), "px during the exposure", optics.drift),
    Fault("charging", "Charging", (2, 5, 10, 20, 40), "% of the rows", specimen.charging),
    Fault("debris", "Debris", (0.5, 1, 2, 5, 10), "% of the area", specimen.debris),
    Fault("stain_shift", "Stain shift", (10, 20, 35, 50, 70), "% of each stain", specimen.stain_shift),
)

FAULTS: Mapping[str, Fault] = MappingProxyType({fault.name: fault for fault in _ALL})
"""Name -> fault, in the order of reports."""


def corrupt(image: Micrograph, fault: str, severity: int, seed: str) -> Micrograph:
    """Take an image as if something had gone wrong.

    Nothing moves: truth about the image is still true. The same arguments give the same samples on every
    machine. Where chance plays a part (noise, specks, directions), every severity of a fault begins with
    the same chance, so that a higher one harms the same places more.

    Args:
        image: any; channels and planes are treated alike, and are struck in the same places.
        fault: a name of `FAULTS`.
        severity: 1 to 5; 0 gives the image itself.
        seed: any text; another one, another chance.

    Returns:
        An image of the same type, shape and range of samples, with the same pixel size, channel names and
        bit depth.
    """
    if severity == 0:
        return image
    found = FAULTS[fault]
    exposure = Exposure.of(image)
    digest = hashlib.sha256(f"{fault}\n{seed}".encode()).digest()
    rng = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))
    levels = found.strike(exposure.light, found.levels[SEVERITIES.index(severity)], rng)
    return image if levels is exposure.light.levels else exposure.record(levels)
