from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.tasks import SegmentTask
from services.classical.infobar import InfoBar, find_info_bar
from services.classical.model import ClassicalModel

from .drawing import accuracy, discs, fluorescence, micrograph

SIDE = 320
CENTRES = ((40, 40), (50, 160), (45, 280), (130, 90), (140, 230))


def scene() -> NDArray[np.uint8]:
    return fluorescence(discs(CENTRES, 16, SIDE))


def with_banner(pixels: NDArray[np.uint8], top: int, bottom: int, ground: int) -> NDArray[np.uint8]:
    printed = pixels.copy()
    printed[top:bottom] = ground
    printed[top + 10 : bottom - 10, 20:120:7] = 255 - ground
    printed[(top + bottom) // 2, 180:260] = 255 - ground
    return printed


# A banner is found to the row, white or black, at the lower edge, at the upper one or within the image.
@pytest.mark.parametrize("ground", [0, 255])
@pytest.mark.parametrize(("top", "bottom"), [(280, 320), (0, 40), (240, 280)])
def test_banner_is_found(ground: int, top: int, bottom: int) -> None:
    assert find_info_bar(with_banner(scene(), top, bottom, ground)) == InfoBar(top, bottom)


# Images without a banner have none: objects on black, on white, a saturated stripe without print.
@pytest.mark.parametrize("kind", ["scene", "negative", "black", "stripe"])
def test_no_banner_is_invented(kind: str) -> None:
    pixels = scene()
    if kind == "negative":
        pixels = 255 - pixels
    elif kind == "black":
        pixels = np.where(pixels > 70, pixels, 0).astype(np.uint8)
    elif kind == "stripe":
        pixels[200:230] = 255
    assert find_info_bar(pixels) is None


# Nothing is found in the banner, objects beside it are, and the answer says where the banner is.
@pytest.mark.parametrize("ground", [0, 255])
def test_banner_is_left_out(ground: int) -> None:
    model = ClassicalModel()
    model.load()
    found = model.segment([SegmentTask(micrograph(with_banner(scene(), 260, 300, ground)))])[0]
    assert found.info_bar is not None
    assert (found.info_bar.y_px, found.info_bar.height_px, found.info_bar.width_px) == (260, 40, SIDE)
    assert found.labels.shape == (SIDE, SIDE)
    assert accuracy(discs(CENTRES, 16, SIDE), found.labels) == 1


# An object that the banner cuts in two is not joined across it.
def test_nothing_is_joined_across_a_banner() -> None:
    model = ClassicalModel()
    model.load()
    whole = fluorescence(discs([*CENTRES, (215, 60), (215, 200)], 30, SIDE))
    found = model.segment([SegmentTask(micrograph(with_banner(whole, 205, 225, 255)))])[0]
    above, below = found.labels[:205], found.labels[225:]
    assert set(np.unique(above[above > 0])).isdisjoint(np.unique(below[below > 0]))
    assert below.any()
