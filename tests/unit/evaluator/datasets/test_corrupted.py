"""Datasets whose images come clean and with faults."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from evaluator.corruptions import FAULTS, corrupt
from evaluator.datasets.corrupted import CorruptedItems, corrupted
from evaluator.datasets.dataset import Content, Dataset, Item
from evaluator.preparing import open_task
from evaluator.records import TaskKind, Truth
from evaluator.suites import TaskSpec
from hooke.codecs import decode
from hooke.errors import ImageUnreadableError
from tests.unit.evaluator.datasets.builders import malaria, noise, png, tiff
from tests.unit.evaluator.scored import task_of

FAULTS_OF_SUITE = [{"kind": "defocus", "severities": [2, 5]}, {"kind": "read_noise", "severities": 4}]


def simulated(**fields: object) -> TaskSpec:
    dataset = {
        "loader": "simulated",
        "images": 6,
        "width_px": 64,
        "height_px": 64,
        "diameter_px": 8.0,
        "count_max": 6,
    }
    return task_of(TaskKind.SEGMENTATION, dataset={**dataset, **fields.pop("dataset", {})}, **fields)


def one(image: bytes, **fields: object) -> Dataset:
    return Dataset(
        "one", TaskKind.COUNTING, [Item("image", lambda: Content(image, Truth(count=1)), **fields)]
    )


# Each image comes clean, then with each fault and severity in the order of the suite; the truth is the same.
def test_order_slices_and_truth():
    clean = open_task(simulated(), None, None).dataset
    struck = open_task(simulated(corruption=FAULTS_OF_SUITE), None, None).dataset
    assert len(struck) == 4 * len(clean) == 24
    samples = list(struck)
    assert [(s.slices["fault"], s.slices["severity"]) for s in samples[4:8]] == [
        ("clean", "0"),
        ("defocus", "2"),
        ("defocus", "5"),
        ("read_noise", "4"),
    ]
    for index, sample in enumerate(samples):
        original = clean[index // 4]
        assert np.array_equal(sample.truth.labels, original.truth.labels)
        assert sample.cluster == original.source
        assert {axis: sample.slices[axis] for axis in original.slices} == original.slices
        if index % 4 == 0:
            assert (sample.image, sample.source, sample.sample_id) == (
                original.image,
                original.source,
                original.sample_id,
            )
    assert len({sample.sample_id for sample in samples}) == 24
    assert samples[6].source == "simulated field 1, defocus 5"


# What is sent is the struck image to the last bit, with its type, and nothing beside its pixels.
@pytest.mark.parametrize(
    "image",
    [
        png(noise(1)),
        png(noise(1, (12, 16, 3))),
        tiff(noise(2).astype(np.uint16) * 16),
        tiff(noise(3).astype(np.float32) / 255),
        tiff(noise(4, (12, 16, 3)), photometric="rgb"),
    ],
    ids=["grey", "rgb", "16 bits", "float", "rgb tiff"],
)
def test_files_are_without_loss(image):
    spec = simulated(
        corruption=[{"kind": fault, "severities": [5], "seed": 3} for fault in FAULTS]
    ).corruption
    for sample in list(corrupted(one(image), spec))[1:]:
        wanted = corrupt(decode(image), sample.slices["fault"], 5, "3\nimage")
        sent = decode(sample.image)
        assert np.array_equal(sent.pixels, wanted.pixels)
        assert (sent.pixels.dtype, sent.axes) == (wanted.pixels.dtype, wanted.axes)
        assert sample.slices["fault"].encode() not in sample.image


# Chance comes from the suite's seed and the image's name: the same every time, another for another image.
def test_chance():
    spec = simulated(corruption={"kind": "read_noise", "severities": [3]}).corruption
    other = simulated(corruption={"kind": "read_noise", "severities": [3], "seed": 1}).corruption
    image = png(noise(1))
    items = [Item(name, lambda: Content(image, Truth(count=1))) for name in ("a", "b")]
    dataset = Dataset("two", TaskKind.COUNTING, items)
    first, again, seeded = (list(corrupted(dataset, chosen)) for chosen in (spec, spec, other))
    assert [s.sample_id for s in first] == [s.sample_id for s in again]
    assert len({s.sample_id for s in (first[1], first[3], seeded[1])}) == 3


# A cluster of the dataset's own, such as a patient, stays, and examples stay clean.
def test_clusters_and_examples(tmp_path: Path):
    malaria(tmp_path)
    task = task_of(
        TaskKind.CLASSIFICATION,
        dataset={
            "loader": "class_folders",
            "folder": "cell_images",
            "patterns": ["{split}/{label}/C{patient:d}P{rest}.png"],
            "labels": ["Parasitized", "Uninfected"],
            "cluster": "patient",
            "examples": {"per_class": 1},
        },
        corruption={"kind": "jpeg"},
    )
    clean = open_task(task.model_copy(update={"corruption": ()}), tmp_path, None)
    struck = open_task(task, tmp_path, None)
    assert struck.examples == clean.examples
    assert struck.examples
    assert {s.cluster for s in struck.dataset} == {s.cluster for s in clean.dataset}
    assert struck.dataset[0].sample_id == clean.dataset[0].sample_id


# A limit is of images: each of them comes whole.
def test_limit():
    limited = open_task(simulated(corruption=FAULTS_OF_SUITE), None, 2).dataset
    clean = open_task(simulated(), None, 2).dataset
    assert len(limited) == 8
    assert [limited[0].sample_id, limited[4].sample_id] == [sample.sample_id for sample in clean]


# What a fault leaves as it is is sent as it is, so that it is the clean sample again.
def test_untouched():
    spec = simulated(corruption={"kind": "stain_shift"}).corruption
    buffer = io.BytesIO()
    Image.fromarray(noise(1)).save(buffer, "JPEG")
    samples = list(corrupted(one(buffer.getvalue()), spec))
    assert len(samples) == 6
    assert {sample.sample_id for sample in samples} == {samples[0].sample_id}


# An image that cannot be read is refused when it is asked for, not before.
def test_unreadable():
    dataset = corrupted(one(b"no image"), simulated(corruption=FAULTS_OF_SUITE).corruption)
    assert len(dataset) == 4
    with pytest.raises(ImageUnreadableError):
        dataset[1]


class Endless:
    """A million items, made when they are asked for."""

    def __len__(self) -> int:
        return 1_000_000

    def __getitem__(self, index: int) -> Item:
        return Item(f"{index}", lambda: Content(tiff(np.full((8, 8), index % 251, np.uint8)), Truth(count=1)))


# Nothing is kept of a large listing: a million images with every fault take no memory.
def test_memory_is_flat():
    spec = simulated(corruption=[{"kind": fault} for fault in FAULTS]).corruption
    tracemalloc.start()
    try:
        items = CorruptedItems(Endless(), spec)
        dataset = Dataset("endless", TaskKind.COUNTING, items)
        assert len(dataset) == 66_000_000
        for index in range(0, len(dataset), 1_000_003):
            assert dataset[index].truth.count == 1
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


# tifffile, which writes the files, adds no date and no name.
def test_files_are_the_same_every_time():
    spec = simulated(corruption={"kind": "binning", "severities": [2]}).corruption
    files = {corrupted(one(png(noise(5))), spec)[1].image for _ in range(2)}
    assert len(files) == 1
    with tifffile.TiffFile(io.BytesIO(files.pop())) as file:
        assert {"DateTime", "Software", "HostComputer", "Artist"} & set(file.pages[0].tags.keys()) <= {
            "Software"
        }
