"""Draws images/faults.png: `python -m docs.faults`.

Every fault at severities 1, 3 and 5 beside the clean image: a simulated field of nuclei; for the shift of
stains, of which a grey image has none, the same field as if it were stained tissue.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from evaluator.corruptions import FAULTS, SEVERITIES, Fault, corrupt
from evaluator.simulate import Channel, SimulationSpec, Stain, simulate
from hooke.codecs import from_array
from hooke.images import Micrograph

TARGET = Path(__file__).resolve().parent / "images" / "faults.png"
FIELD = SimulationSpec(seed=11, width_px=104, height_px=104, count=8, diameter_px=15)
SHOWN = (0, *SEVERITIES[::2])
COLUMNS = 2
"""Faults beside each other."""
GAP, TITLE = 3, 16
PAPER, INK = 255, 40
GAIN = 1.5
"""What is grey is shown so much brighter: the simulated camera leaves room above the cells."""


def main() -> None:
    """Draw every fault."""
    channels = simulate(FIELD).channels
    grey, stained = from_array(channels[Stain.NUCLEI].image), _stained(channels)
    strips = [_strip(fault, stained if fault.name == "stain_shift" else grey) for fault in FAULTS.values()]
    height, width, _ = strips[0].shape
    rows = -(-len(strips) // COLUMNS)
    sheet = np.full((rows * height, COLUMNS * (width + 4 * GAP) - 4 * GAP, 3), PAPER, np.uint8)
    for place, strip in enumerate(strips):
        top, left = place % rows * height, place // rows * (width + 4 * GAP)
        sheet[top : top + height, left : left + width] = strip
    Image.fromarray(sheet).quantize(192, dither=Image.Dither.NONE).save(TARGET, optimize=True)


def _strip(fault: Fault, image: Micrograph) -> NDArray[np.uint8]:
    """The clean image and the struck ones, under the fault's title."""
    side = image.height_px
    canvas = Image.new("RGB", (len(SHOWN) * (side + GAP) - GAP, TITLE + side + 2 * GAP), (PAPER,) * 3)
    ImageDraw.Draw(canvas).text((0, 1), f"{fault.title}: {fault.scale}", fill=(INK,) * 3)
    for place, severity in enumerate(SHOWN):
        pixels = corrupt(image, fault.name, severity, "docs").pixels
        if pixels.ndim == 2:
            pixels = np.clip(pixels * GAIN, 0, 255).astype(np.uint8)
        canvas.paste(Image.fromarray(pixels).convert("RGB"), (place * (side + GAP), TITLE))
    return np.asarray(canvas)


def _stained(channels: Mapping[Stain, Channel]) -> Micrograph:
    """Nuclei in hematoxylin and bodies in eosin, on a bright ground."""
    light = np.ones((*channels[Stain.NUCLEI].image.shape, 3))
    for stain, colour in ((Stain.NUCLEI, (0.65, 0.70, 0.29)), (Stain.BODIES, (0.07, 0.99, 0.11))):
        amount = channels[stain].image[..., np.newaxis] / 255
        light *= np.exp(-2.2 * amount * np.array(colour))
    return from_array((250 * light).astype(np.uint8), "YXS")


if __name__ == "__main__":
    main()
