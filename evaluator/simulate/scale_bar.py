"""A scale bar, burnt into the image as instruments do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

LENGTHS_UM = tuple(digit * 10.0**power for power in range(-3, 5) for digit in (1, 2, 5))
MARGIN_PX = 8
LINE_PX = 3


@dataclass(frozen=True, slots=True)
class ScaleBar:
    """A horizontal line with its length written above it.

    Attributes:
        length_um: what the label says.
        length_px: what is drawn, rounded to whole pixels.
        label: as printed.
    """

    length_um: float
    length_px: int
    label: str

    @classmethod
    def fitting(cls, width_px: int, pixel_size_um: float) -> ScaleBar:
        """The longest bar of 1, 2 or 5 times a power of ten that takes at most a quarter of the width."""
        fitting = [length for length in LENGTHS_UM if length / pixel_size_um <= width_px / 4]
        length = max(fitting, default=LENGTHS_UM[0])
        label = f"{length:g} \u00b5m" if length >= 1 else f"{length * 1000:g} nm"
        return cls(length, round(length / pixel_size_um), label)

    def draw(self, image: NDArray[Any]) -> None:
        """Draw into the lower right corner of a grey image, in its brightest grey; changes it."""
        brightest = np.iinfo(image.dtype).max if image.dtype == np.uint8 else image.max()
        canvas = Image.new("L", image.shape[::-1])
        pen = ImageDraw.Draw(canvas)
        right, bottom = image.shape[1] - MARGIN_PX, image.shape[0] - MARGIN_PX
        pen.rectangle((right - self.length_px, bottom - LINE_PX, right - 1, bottom - 1), fill=1)
        middle = right - self.length_px / 2
        font = ImageFont.load_default_imagefont()
        left, top, label_right, label_bottom = font.getbbox(self.label)
        place = (middle - (label_right - left) / 2, bottom - LINE_PX - 4 - (label_bottom - top))
        pen.text(place, self.label, fill=1, font=font)
        image[np.asarray(canvas) > 0] = brightest

    def area(self, height_px: int, width_px: int) -> tuple[slice, slice]:
        """Where cells must not lie."""
        width = max(self.length_px, 8 * len(self.label)) + 2 * MARGIN_PX
        return slice(height_px - 2 * MARGIN_PX - LINE_PX - 16, None), slice(max(0, width_px - width), None)
