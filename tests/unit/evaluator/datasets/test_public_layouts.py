"""Loaders of public sets, on tiny copies of their layouts; the built-in suites read them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as reference

from evaluator.datasets import Dataset, open_dataset
from evaluator.datasets.cleaning import decode
from evaluator.datasets.coco import polygon_pixels
from evaluator.records import Sample, TaskKind
from evaluator.suites import builtin_suite
from hooke.errors import ImageUnreadableError, InvalidRequestError
from tests.unit.evaluator.datasets import builders
from tests.unit.evaluator.datasets.test_loaders import opened, sizes

SEGMENTATION, COUNTING, CLASSIFICATION = TaskKind.SEGMENTATION, TaskKind.COUNTING, TaskKind.CLASSIFICATION
COCO = {"loader": "coco", "annotations": "annotations/train.json"}
STACKS = {"loader": "stack_pairs", "image": "{name}_img.tif", "truth": "{name}_mask.tif"}


def of_suite(folder: Path, suite: str, task: int = 0) -> Dataset:
    spec = builtin_suite(suite).tasks[task]
    return open_dataset(spec.dataset, folder, spec.kind)


def rewritten(folder: Path, change: Callable[[dict], object]) -> None:
    """The COCO file with a change."""
    content = json.loads((folder / "annotations/train.json").read_text())
    change(content)
    builders.put(folder, "annotations/train.json", json.dumps(content))


# COCO: polygons of several parts and run lengths are objects; a pixel of two belongs to the smaller one; an
# image with a crowd is left out; one without objects stays.
def test_coco_segmentation(tmp_path):
    builders.coco(tmp_path)
    first, empty = opened(tmp_path, SEGMENTATION, **COCO)
    assert sizes(first) == [5, 8, 64 - 8]
    assert sizes(empty) == []
    assert [first.source, empty.source] == [
        "images/train/B2_Phase_C7_1.png",
        "images/other/A9_Phase_C7_3.png",
    ]


# COCO: objects are counted, of all categories or of some, beginning at the category 0.
@pytest.mark.parametrize(
    ("categories", "counts"), [([], [3, 0]), (["cell"], [2, 0]), (["debris"], [1, 0, 0])]
)
def test_coco_counting(tmp_path, categories, counts):
    builders.coco(tmp_path)
    samples = list(opened(tmp_path, COUNTING, **COCO, categories=categories))
    assert [sample.truth.count for sample in samples] == counts


# COCO: clusters and slices are read off the file names.
def test_coco_names(tmp_path):
    builders.coco(tmp_path)
    fields = {**COCO, "names": "{line}_Phase_{well}_{field:d}.png", "cluster": "well", "slices": ["line"]}
    samples = list(opened(tmp_path, COUNTING, **fields))
    assert [(sample.cluster, sample.slices) for sample in samples] == [
        ("C7", {"line": "B2"}),
        ("C7", {"line": "A9"}),
    ]
    with pytest.raises(InvalidRequestError, match=r"C7_1\.png is not named as \{a\}\.tif"):
        opened(tmp_path, COUNTING, **COCO, names="{a}.tif")


# COCO: compressed run lengths and polygons are the pixels that the reference implementation finds.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_coco_pixels_are_those_of_the_reference(tmp_path):
    random = np.random.default_rng(4)
    for _ in range(100):
        height, width = (int(side) for side in random.integers(5, 60, 2))
        shapes = [random.uniform(-0.2, 1.2, (random.integers(3, 9), 2)) * (width, height) for _ in range(2)]
        polygons = [shape.round(2).ravel().tolist() for shape in shapes]
        expected = reference.decode(reference.merge(reference.frPyObjects(polygons, height, width)))
        found = np.zeros(height * width, np.uint8)
        found[polygon_pixels(polygons, (height, width))] = 1
        assert np.array_equal(found.reshape(height, width), expected)
    builders.coco(tmp_path)
    mask = np.asfortranarray(builders.labels_of((1, 1, 6, 7), (8, 10, 2, 3)) > 0)
    counts = reference.encode(mask.astype(np.uint8))["counts"].decode()
    rewritten(tmp_path, lambda content: content["annotations"][2]["segmentation"].update(counts=counts))
    labels = opened(tmp_path, SEGMENTATION, **COCO, categories=["cell"])[0].truth.labels
    assert labels is not None
    assert np.array_equal(labels == 2, mask)


# COCO: what is wrong with a file is said with its name.
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.pop("categories"), "is not a COCO file: 'categories'"),
        (lambda content: content["annotations"][0].pop("segmentation"), "an annotation has no outline"),
        (lambda content: content["images"][0].update(file_name="no.png"), r"there is no image no\.png"),
        (lambda content: content["images"][0].update(file_name="B2_Phase_C7_1.png"), "may be images/"),
    ],
)
def test_coco_refuses(tmp_path, change, message):
    builders.coco(tmp_path)
    builders.put(tmp_path, "images/val/B2_Phase_C7_1.png", builders.png(builders.noise(9)))
    rewritten(tmp_path, change)
    with pytest.raises(InvalidRequestError, match=message):
        opened(tmp_path, COUNTING, **COCO)


# COCO: a category that is not there is refused; images that are not there can be left out.
def test_coco_selects(tmp_path):
    builders.coco(tmp_path)
    with pytest.raises(InvalidRequestError, match="no category 'rod'; there are cell, debris"):
        opened(tmp_path, COUNTING, **COCO, categories=["rod"])
    (tmp_path / "images/train/B2_Phase_C7_1.png").unlink()
    assert len(opened(tmp_path, COUNTING, **COCO, skip_missing=True)) == 1


# COCO: an outline that cannot be, or an image of another size, is refused when it is read.
@pytest.mark.parametrize(
    ("form", "message"),
    [
        ([[1, 1, 2, 2]], "three corners"),
        ([[1, 1, float("inf"), 2, 3, 3]], "three corners"),
        ({"counts": [5, 5], "size": [12, 16]}, "do not fill the image"),
        ({"counts": [-5, 12 * 16 + 5], "size": [12, 16]}, "do not fill the image"),
        ({"counts": "\u00e9", "size": [12, 16]}, "strange character"),
    ],
)
def test_coco_refuses_outlines(tmp_path, form, message):
    builders.coco(tmp_path)
    rewritten(tmp_path, lambda content: content["annotations"][0].update(segmentation=form))
    dataset = opened(tmp_path, SEGMENTATION, **COCO)
    with pytest.raises(InvalidRequestError, match=message):
        dataset[0]
    builders.put(tmp_path, "images/other/A9_Phase_C7_3.png", builders.png(builders.noise(9, (5, 5))))
    with pytest.raises(ImageUnreadableError, match="is not 16 x 12 px"):
        dataset[1]


# LIVECell: more than a hundred objects an image, found in the folders of the set.
def test_livecell(tmp_path):
    builders.livecell(tmp_path)
    (outlined,) = of_suite(tmp_path, "livecell")
    (counted,) = of_suite(tmp_path, "livecell", 1)
    assert len(sizes(outlined)) == counted.truth.count == 150
    assert (outlined.cluster, outlined.slices) == ("A7", {"line": "A172"})


# VIA: every shape of region is read; images are found by their names, whatever the keys say.
def test_via(tmp_path):
    builders.via(tmp_path)
    fields = {"loader": "via", "projects": ["project.json"]}
    (counted,) = opened(tmp_path, COUNTING, **fields)
    (outlined,) = opened(tmp_path, SEGMENTATION, **fields)
    assert counted.truth.count == 5
    assert sizes(outlined) == pytest.approx([6, 24, np.pi * 25, np.pi * 30, 100], rel=0.1)


# VIA: a shape that has no area, or a file that is no project, is refused.
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"rect"', '"point"', "a region is a point"),
        ('"filename"', '"file"', "is not a VIA project: 'filename'"),
        ("tile.png", "other.png", r"there is no image other\.png"),
    ],
)
def test_via_refuses(tmp_path, old, new, message):
    builders.via(tmp_path)
    text = (tmp_path / "project.json").read_text()
    builders.put(tmp_path, "project.json", text.replace(old, new))
    with pytest.raises(InvalidRequestError, match=message):
        opened(tmp_path, COUNTING, loader="via", projects="project.json")


# Cell Tracking Challenge: every tracked frame is counted.
def test_ctc_counting(tmp_path):
    builders.ctc(tmp_path)
    samples = list(opened(tmp_path, COUNTING, loader="ctc"))
    assert [sample.truth.count for sample in samples] == [3, 3, 3, 3]
    assert {(sample.cluster, sample.slices["sequence"]) for sample in samples} == {("Fluo/01", "01")}


# Cell Tracking Challenge: outlines are read where they have every cell, or wherever there are any, or where
# programs drew them.
@pytest.mark.parametrize(
    ("fields", "objects"),
    [({}, {"t000": 3}), ({"partial": True}, {"t000": 3, "t001": 1}), ({"outlines": "silver"}, {"t003": 3})],
)
def test_ctc_segmentation(tmp_path, fields, objects):
    builders.ctc(tmp_path)
    samples = list(opened(tmp_path, SEGMENTATION, loader="ctc", **fields))
    assert {Path(sample.source).stem: len(sizes(sample)) for sample in samples} == objects


# Cell Tracking Challenge: a set whose outlines leave cells out is refused, and says what is needed.
def test_ctc_needs_whole_frames(tmp_path):
    builders.ctc(tmp_path)
    (tmp_path / "Fluo/01_GT/SEG/man_seg000.tif").unlink()
    with pytest.raises(InvalidRequestError, match="that outlines every cell"):
        opened(tmp_path, SEGMENTATION, loader="ctc")


# Cell Tracking Challenge: a broken file of outlines fails its own frame, and the others are read.
def test_ctc_broken_outlines(tmp_path):
    builders.ctc(tmp_path)
    builders.put(tmp_path, "Fluo/01_GT/SEG/man_seg002.tif", b"none")
    dataset = opened(tmp_path, SEGMENTATION, loader="ctc")
    samples = [dataset.sample(index) for index in range(len(dataset))]
    assert [bool(sample.unreadable) for sample in samples] == [False, True]
    assert "man_seg002.tif" in samples[1].unreadable


# Stacks: each plane is a sample with its own truth; the planes of a stack are a cluster.
def test_stacks(tmp_path):
    builders.stacks(tmp_path)
    samples = list(opened(tmp_path, COUNTING, **STACKS))
    assert [sample.truth.count for sample in samples] == [1, 2, 3]
    assert {sample.cluster for sample in samples} == {"a_img.tif"}
    assert np.array_equal(decode(samples[1].image), builders.noise(1))
    assert [len(sizes(sample)) for sample in opened(tmp_path, SEGMENTATION, **STACKS)] == [1, 2, 3]


# Stacks: another number of planes, or a file that is no TIFF, is refused.
def test_stacks_refuse(tmp_path):
    builders.stacks(tmp_path)
    builders.put(
        tmp_path, "a_mask.tif", builders.tiff(np.zeros((2, 12, 16), np.uint8), photometric="minisblack")
    )
    with pytest.raises(
        InvalidRequestError, match=r"as many planes in a_mask\.tif \(2\) as in a_img\.tif \(3\)"
    ):
        opened(tmp_path, COUNTING, **STACKS)
    builders.put(tmp_path, "a_mask.tif", b"none")
    with pytest.raises(ImageUnreadableError, match=r"a_mask\.tif cannot be decoded"):
        opened(tmp_path, COUNTING, **STACKS)


# MicroVQA: choices with their images, several to a question; the index of the right one begins at 0.
def test_microvqa(tmp_path):
    pytest.importorskip("pyarrow")
    builders.microvqa(tmp_path)
    dataset = of_suite(tmp_path, "microvqa")
    first, second = dataset[0], dataset[1]
    assert [str(sample.truth.answer) for sample in (first, second)] == ["ring", "nothing"]
    assert first.inquiry is not None
    assert sorted(first.inquiry.options) == ["coil", "ring", "rod"]
    assert [len(sample.further_images) for sample in (first, second)] == [0, 1]
    assert np.array_equal(decode(second.further_images[0]), builders.noise(3))
    assert (first.cluster, second.cluster) == ("7", "7")
    assert second.slices == {"task": "2"}
    assert second.source == "data/test-0.parquet, row 2"
    assert b"Ribosome" not in first.image


# MicroVQA: an image that is none fails when it is read; columns and indices are checked before.
def test_microvqa_refuses(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    builders.microvqa(tmp_path)
    with pytest.raises(ImageUnreadableError):
        of_suite(tmp_path, "microvqa")[2]
    builders.put(tmp_path, "data/broken.parquet", b"PAR1")
    with pytest.raises(InvalidRequestError, match=r"broken\.parquet is not a Parquet file"):
        of_suite(tmp_path, "microvqa")
    path = tmp_path / "data/broken.parquet"
    table = pyarrow.parquet.read_table(tmp_path / "data/test-0.parquet")
    pyarrow.parquet.write_table(table.drop_columns(["choices"]), path)
    with pytest.raises(InvalidRequestError, match="no column 'choices'"):
        of_suite(tmp_path, "microvqa")
    wrong = table.set_column(table.schema.get_field_index("correct_index"), "correct_index", [[1, 2, 3]])
    pyarrow.parquet.write_table(wrong, path)
    with pytest.raises(InvalidRequestError, match="row 2: there is no option 2; there are 2"):
        of_suite(tmp_path, "microvqa")


# Cellpose: 16-bit masks beside their images.
def test_cellpose(tmp_path):
    builders.cellpose(tmp_path)
    assert [sizes(sample) for sample in of_suite(tmp_path, "cellpose")] == [[9], [9, 9]]


# BBBC006: every plane of focus is a sample of its field, and the plane a slice.
def test_bbbc006(tmp_path):
    builders.bbbc006(tmp_path)
    samples = list(of_suite(tmp_path, "bbbc006"))
    assert [(sample.slices["focus"], len(sizes(sample))) for sample in samples] == [
        ("00", 1),
        ("00", 2),
        ("16", 1),
        ("16", 2),
    ]
    assert {sample.cluster for sample in samples} == {"a01"}


# NFFA: the class is the folder, the prefix of the name stays behind, and so does the instrument's bar.
def test_nffa(tmp_path):
    pixels = builders.noise(1, (768, 1024))
    builders.put(tmp_path, "Tips/L8_1a70.jpg", builders.png(pixels))
    (sample,) = of_suite(tmp_path, "nffa")
    assert sample.truth.label == "tips"
    assert np.array_equal(decode(sample.image), pixels[:600])


# DIBaS: dots belong to the names of species.
def test_dibas(tmp_path):
    for species in (task_labels := builtin_suite("dibas").tasks[0].label_schema):
        for number in (1, 2):
            seed = 2 * list(task_labels).index(species) + number
            name = f"{species}/{species}_{number:04}.tif"
            builders.put(tmp_path, name, builders.tiff(builders.noise(seed, (12, 16, 3)), photometric="rgb"))
    dataset = of_suite(tmp_path, "dibas")
    assert {sample.truth.label for sample in dataset} == set(task_labels.values())
    assert len(dataset) == len(dataset.examples()) == 33


# Plankton: classes of very different sizes, and folders of other classes, which are left out.
def test_plankton(tmp_path):
    labels = builtin_suite("plankton").tasks[0].labels
    seed = 0
    for place, label in enumerate((*labels, "copepod_of_another_kind")):
        for number in range(40 if place == 3 else 4):
            seed += 1
            builders.put(tmp_path, f"train/{label}/{number}.jpg", builders.png(builders.noise(seed)))
    counts: dict[str | None, int] = {}
    sample: Sample
    for sample in of_suite(tmp_path, "plankton"):
        counts[sample.truth.label] = counts.get(sample.truth.label, 0) + 1
    assert counts == {label: 37 if place == 3 else 1 for place, label in enumerate(labels)}
