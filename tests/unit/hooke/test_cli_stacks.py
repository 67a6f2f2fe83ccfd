"""The command line where a file has pages that it does not name, and objects of any size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from hooke import codecs, errors
from hooke.v1 import mask_pb2
from tests.unit.hooke.command_line import Hooke, write_image
from tests.unit.hooke.lab import LABELS, Lab

STACK = np.arange(4 * LABELS.size, dtype=np.uint8).reshape(4, *LABELS.shape)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """A TIFF file of four pages that does not say what they are."""
    tifffile.imwrite(tmp_path / "stack.tif", STACK, photometric="minisblack", metadata=None)
    return tmp_path / "stack.tif"


# Pages that a file does not name are what --axes says, in either case, for every command that sends images.
@pytest.mark.parametrize(
    ("command", "method"),
    [
        (["count", "stack.tif"], "Count"),
        (["segment", "stack.tif"], "Segment"),
        (["classify", "stack.tif", "--labels", "a,b"], "Classify"),
        (["ask", "stack.tif", "What?"], "StreamAsk"),
    ],
)
def test_axes(command: list[str], method: str, hooke: Hooke, lab: Lab, stack: Path) -> None:
    assert hooke(*command, "--axes", "zyx", "--project", "max").code == 0
    (call,) = lab.calls(method)
    request: Any = call.request
    image = request.image if method != "StreamAsk" else request.conversation.turns[-1].images[0].image
    sent = codecs.from_image_proto(image, lambda sha256: lab.images[sha256])
    assert sent.axes == "ZYX"
    np.testing.assert_array_equal(sent.pixels, STACK)


# The overlay of what was found shows the plane that was asked for.
def test_axes_of_overlay(hooke: Hooke, stack: Path, tmp_path: Path) -> None:
    assert hooke("segment", "stack.tif", "--axes", "ZYX", "--z", "1", "--out", "there").code == 0
    assert codecs.read(tmp_path / "there" / "stack_overlay.png").pixels.shape == (*LABELS.shape, 3)


# Where pages have no names, the option that gives them one is named; axes that do not fit are refused.
def test_unnamed_pages(hooke: Hooke, lab: Lab, stack: Path) -> None:
    with pytest.raises(errors.InvalidRequestError) as caught:
        codecs.read(stack)
    lab.failures["Count"].append(caught.value)
    assert "with --axes, such as ZYX" in hooke("count", "stack.tif").err
    lab.seen.clear()
    done = hooke("count", "stack.tif", "--axes", "TZYX")
    assert done.code == 1
    assert "'TZYX' names 4 dimensions, the image has 3" in done.err
    assert lab.seen == []


# A folder whose images lie below it says how those are named.
def test_images_below(hooke: Hooke, tmp_path: Path) -> None:
    write_image(tmp_path / "scans" / "day1" / "a.png")
    done = hooke("count", "scans")
    assert done.code == 2
    assert "'scans/**/*.png', in quotes" in " ".join(done.err.replace("│", " ").split())
    assert hooke("count", "scans/**/*.png").code == 0


# A median diameter is told in the unit in which it is short: of electron micrographs as of whole organisms.
@pytest.mark.parametrize(
    ("um", "told"),
    [
        (1140.0, "1.14 mm"),
        (999.7, "1 mm"),
        (12.34, "12.3 µm"),
        (0.9999, "1 µm"),
        (0.0456, "45.6 nm"),
        (0.0004, "0.4 nm"),
    ],
)
def test_length(um: float, told: str, hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    lab.instances = (mask_pb2.Instance(label=1, equivalent_diameter_px=3, equivalent_diameter_um=um),)
    assert told in hooke("segment", "a.png").out
