"""Examples that are tested under another name."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from evaluator.datasets.copies import refuse_copies
from evaluator.datasets.dataset import Content, Dataset, Item
from evaluator.preparing import open_task
from evaluator.provenance import of_dataset
from evaluator.records import TaskKind, Truth
from evaluator.suites import load_suite
from hooke.errors import ImageUnreadableError, InvalidRequestError
from tests.unit.evaluator.datasets.builders import noise, png, put, tiff

SUITE = """
name: shown
tasks:
  - name: shown
    kind: classification
    dataset:
      {loader: class_folders, patterns: ["{label}/{name}.png"], labels: [rod, ring], examples: {per_class: 1}}
"""


def picture(seed: int, shape: tuple[int, ...] = (60, 80)) -> np.ndarray:
    """Something with shapes in it."""
    smooth = ndimage.gaussian_filter(noise(seed, shape).astype(float), 4 if len(shape) == 2 else (4, 4, 0))
    return (255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)


def jpeg(pixels: np.ndarray, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def dataset(shown: bytes, *tested: bytes) -> Dataset:
    def item(source: str, image: bytes) -> Item:
        return Item(source, lambda: Content(image, Truth(label="rod")), label="rod")

    items = [item(f"test {number}", image) for number, image in enumerate(tested)]
    return Dataset(
        "set", TaskKind.CLASSIFICATION, items, example_items=[item("shown", shown)], labels=["rod"]
    )


# The same picture is found as the same bytes, in another format, saved again with loss, in another size,
# brighter, or with colours that are none; both files are named.
@pytest.mark.parametrize(
    "copy",
    [
        png(picture(1)),
        tiff(picture(1)),
        jpeg(picture(1), 60),
        png(np.asarray(Image.fromarray(picture(1)).resize((40, 30)))),
        png(picture(1) // 2 + 40),
        png(np.dstack([picture(1)] * 3)),
        tiff(picture(1).astype(np.uint16) * 257),
    ],
    ids=["bytes", "format", "loss", "size", "brightness", "colours", "depth"],
)
def test_copies_are_refused(copy: bytes) -> None:
    with pytest.raises(InvalidRequestError, match=r"shown is shown as an example .* as test 1, which"):
        refuse_copies(dataset(png(picture(1)), png(picture(2)), copy))


# Other pictures are none: another field, the same in a mirror; of one brightness only, one is like itself.
def test_others_are_not() -> None:
    flat = np.full((60, 80), 9, np.uint8)
    refuse_copies(dataset(png(picture(1)), png(picture(2)), png(picture(1)[:, ::-1]), png(flat)))
    refuse_copies(dataset(png(flat), png(flat + 1)))
    with pytest.raises(InvalidRequestError, match="test 0"):
        refuse_copies(dataset(png(flat), png(flat)))


# An image that cannot be read is left to the run, where it fails.
def test_broken_images_are_left() -> None:
    broken = dataset(png(picture(1)), b"none", png(picture(3)))
    refuse_copies(broken)
    with pytest.raises(ImageUnreadableError):
        refuse_copies(dataset(b"none", png(picture(1))))


# Without examples nothing is read.
def test_nothing_is_read_without_examples() -> None:
    def read() -> Content:
        raise AssertionError

    refuse_copies(Dataset("set", TaskKind.COUNTING, [Item("unread", read)]))


# A run is refused before anything is sent.
def test_runs_are_refused(tmp_path: Path) -> None:
    for seed, name in enumerate(("rod/1", "rod/2", "ring/1", "ring/2")):
        put(tmp_path, f"{name}.png", png(picture(seed)))
    (task,) = load_suite(SUITE).tasks
    assert len(open_task(task, tmp_path, None).dataset) == 2
    put(tmp_path, "rod/1.png", png(picture(9)))
    put(tmp_path, "rod/2.png", png(picture(9)))
    with pytest.raises(InvalidRequestError, match=r"rod/[12]\.png"):
        open_task(task, tmp_path, None)


# The provenance says how many examples were shown, and what keeps them apart from the test.
@pytest.mark.parametrize(("cluster", "apart"), [("", "picture"), ("cluster: name,", "name")])
def test_provenance_of_examples(tmp_path: Path, cluster: str, apart: str) -> None:
    for seed, name in enumerate(("rod/1", "rod/2", "ring/1", "ring/2", "ring/3")):
        put(tmp_path, f"{name}.png", png(picture(seed)))
    (task,) = load_suite(SUITE.replace("loader:", f"{cluster} loader:")).tasks
    assert of_dataset(open_task(task, tmp_path, None))["examples"] == {"count": 2, "not_shared": apart}
