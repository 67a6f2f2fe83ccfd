"""Loaders on tiny copies of the layouts that they read."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from evaluator.datasets import Dataset, DatasetSpec, open_dataset
from evaluator.datasets.cleaning import decode
from evaluator.records import Sample, TaskKind
from evaluator.simulate import SeriesSpec
from evaluator.simulate.layout import IMAGES, TRUTH, write_bbbc005_layout
from hooke.errors import ImageUnreadableError, InvalidRequestError
from tests.unit.evaluator.datasets import builders

SEGMENTATION, COUNTING, CLASSIFICATION = TaskKind.SEGMENTATION, TaskKind.COUNTING, TaskKind.CLASSIFICATION
PAIRS = {"loader": "image_label_pairs", "image": "cells/{id:d}cell.png"}
TABLE = {
    "loader": "table",
    "table": "Class Labels.csv",
    "image": "Dataset 1/{image ID:03}.bmp",
    "truth": "class label",
    "labels": {"1": "neutrophil", "2": "lymphocyte"},
}
MALARIA = {
    "loader": "class_folders",
    "patterns": [
        "cell_images/{split}/{label}/{label}C{patient:d}{rest}.png",
        "cell_images/{split}/{label}/C{patient:d}{rest}.png",
    ],
    "labels": ["Parasitized", "Uninfected"],
    "cluster": "patient",
    "slices": ["split"],
}


def spec_of(**fields) -> DatasetSpec:
    return TypeAdapter(DatasetSpec).validate_json(json.dumps(fields))


def opened(data_dir: Path | None, kind: TaskKind, limit: int | None = None, /, **fields) -> Dataset:
    return open_dataset(spec_of(**fields), data_dir, kind, limit)


def sizes(sample: Sample) -> list[int]:
    assert sample.truth.labels is not None
    return sorted(np.unique(sample.truth.labels[sample.truth.labels > 0], return_counts=True)[1].tolist())


# DSB2018: one object for each mask; pixels of two masks go to the smaller object, so that none is lost.
def test_dsb2018_segmentation(tmp_path):
    builders.dsb2018(tmp_path)
    samples = list(opened(tmp_path, SEGMENTATION, loader="dsb2018"))
    assert [sizes(sample) for sample in samples] == [[9, 36 - 4], [16]]
    assert [sample.slices for sample in samples] == [{"modality": "dark"}, {"modality": "stained"}]
    assert [sample.source for sample in samples] == [
        "stage1_train/aa/images/aa.png",
        "stage1_train/bb/images/bb.png",
    ]


# DSB2018: the count is the number of mask files.
def test_dsb2018_counting(tmp_path):
    builders.dsb2018(tmp_path)
    dataset = opened(tmp_path, COUNTING, loader="dsb2018", folder="stage1_train")
    assert [sample.truth.count for sample in dataset] == [2, 1]
    assert dataset.name == "stage1_train"


# A mask of another size than its image is refused, and the file is named.
def test_dsb2018_refuses_masks_of_another_size(tmp_path):
    builders.dsb2018(tmp_path)
    mask = tmp_path / "stage1_train/aa/masks/m1.png"
    mask.write_bytes(builders.png(np.zeros((3, 3), np.uint8)))
    with pytest.raises(ImageUnreadableError, match=r"m1\.png is 3 x 3 px"):
        list(opened(tmp_path, SEGMENTATION, loader="dsb2018"))


# VOC: boxes are counted, of all classes or some, also where they have no area; a split picks its images.
@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({}, [3, 1]),
        ({"classes": ["RBC"]}, [2, 1]),
        ({"classes": ["Platelets"]}, [0, 0]),
        ({"split": "test"}, [3]),
    ],
)
def test_voc(tmp_path, fields, counts):
    builders.voc(tmp_path)
    assert [sample.truth.count for sample in opened(tmp_path, COUNTING, loader="voc", **fields)] == counts


# A broken annotation is refused, and the file is named.
def test_voc_refuses_broken_annotations(tmp_path):
    builders.voc(tmp_path)
    (tmp_path / "BCCD/Annotations/B_00007.xml").write_text("<annotation><object>")
    with pytest.raises(InvalidRequestError, match=r"B_00007\.xml"):
        list(opened(tmp_path, COUNTING, loader="voc"))


# BBBC005: count, focus and well are read off the names; each stain is its own dataset.
@pytest.mark.parametrize("stain", ["w1", "w2"])
def test_bbbc005(tmp_path, stain):
    series = SeriesSpec(
        images=4, width_px=96, height_px=96, diameter_px=10, count_min=2, count_max=9, blurs_px=(0.0, 3.0)
    )
    write_bbbc005_layout(tmp_path, series)
    counts = [series.field(i).count for i in range(4)]
    counted = list(opened(tmp_path, COUNTING, loader="bbbc005", stain=stain))
    assert [sample.truth.count for sample in counted] == counts
    assert [sample.slices["blur"] for sample in counted] == ["1", "4", "1", "4"]
    assert [sample.cluster for sample in counted] == ["A01", "A02", "A03", "A04"]
    segmented = opened(tmp_path, SEGMENTATION, loader="bbbc005", stain=stain)
    assert [len(sizes(sample)) for sample in segmented] == counts


# BBBC005: native masks are binary, so their connected regions are the objects; only images with masks are
# segmented; copies in a doubled folder are listed once.
def test_bbbc005_native_masks(tmp_path):
    name = "SIMCEPImages_A13_C2_F{}_s09_w2.TIF"
    mask = (builders.labels_of((0, 0, 3, 3), (5, 5, 3, 3)) > 0).astype(np.uint8) * 255
    for focus in (1, 48):
        for doubled in ("", f"{IMAGES}/"):
            builders.put(
                tmp_path, f"{IMAGES}/{doubled}{name.format(focus)}", builders.png(builders.noise(focus))
            )
    builders.put(tmp_path, f"{TRUTH}/{TRUTH}/{name.format(1)}", builders.png(mask))
    assert len(opened(tmp_path, COUNTING, loader="bbbc005", stain="w2")) == 2
    (sample,) = opened(tmp_path, SEGMENTATION, loader="bbbc005", stain="w2")
    assert sizes(sample) == [9, 9]


# Class folders: the folder is the class, names in the pattern are cluster and slices, and a class that
# stands in the file name is not part of the patient.
def test_class_folders(tmp_path):
    builders.malaria(tmp_path)
    samples = list(opened(tmp_path, CLASSIFICATION, **MALARIA))
    assert len(samples) == 2 * 2 * 6 * 4
    assert {sample.cluster for sample in samples} == {"0", "1", "2", "3", "4", "5"}
    assert {sample.slices["split"] for sample in samples} == {"train", "valid"}
    assert all(f"/{sample.truth.label}/" in sample.source for sample in samples)


# Classes outside the label schema are left out, and folders can be named otherwise than classes.
def test_label_schema_selects_and_renames(tmp_path):
    builders.malaria(tmp_path)
    fields = {**MALARIA, "labels": {"Parasitized": "malaria", "Other": "healthy"}}
    assert {sample.truth.label for sample in opened(tmp_path, CLASSIFICATION, **fields)} == {"malaria"}


# Examples come from other patients than the test samples, whatever the split says, and are always the same.
def test_examples_share_no_patient_with_the_test(tmp_path):
    builders.malaria(tmp_path)
    dataset = opened(tmp_path, CLASSIFICATION, **MALARIA, examples={"per_class": 3})
    examples = dataset.examples()
    assert [sample.truth.label for sample in examples] == ["Parasitized"] * 3 + ["Uninfected"] * 3
    shown = {sample.cluster for sample in examples}
    assert len(shown) == 3
    tested = list(dataset)
    assert shown.isdisjoint({sample.cluster for sample in tested})
    assert len(tested) == 3 * 2 * 2 * 4
    again = opened(tmp_path, CLASSIFICATION, 5, **MALARIA, examples={"per_class": 3}).examples()
    assert [sample.source for sample in again] == [sample.source for sample in examples]


# Which examples are shown is part of the question, so other examples make other samples.
def test_examples_are_part_of_the_question(tmp_path):
    builders.malaria(tmp_path)
    ids = [
        {
            s.source: s.sample_id
            for s in opened(tmp_path, CLASSIFICATION, **MALARIA, examples={"per_class": n})
        }
        for n in (1, 2)
    ]
    common = set(ids[0]) & set(ids[1])
    assert common
    assert all(ids[0][source] != ids[1][source] for source in common)


# Too few images for examples are refused, and the class is named.
def test_too_few_images_for_examples(tmp_path):
    builders.malaria(tmp_path, patients=1, each=1)
    with pytest.raises(InvalidRequestError, match="'Parasitized' has 2 images"):
        opened(tmp_path, CLASSIFICATION, **MALARIA, examples={"per_class": 2})
    with pytest.raises(InvalidRequestError, match="no image is left"):
        opened(tmp_path, CLASSIFICATION, **MALARIA, examples={"per_class": 1})


# Pairs: the truth is a label image with gaps, a binary mask, dots, or blurred dots.
@pytest.mark.parametrize(
    ("truth", "truth_format"),
    [
        ("labels/{id}.png", "labels"),
        ("masks/{id}.png", "binary"),
        ("cells/{id}dots.png", "dots"),
        ("spots/{id}.png", "blobs"),
    ],
)
def test_pairs_are_counted(tmp_path, truth, truth_format):
    builders.pairs(tmp_path)
    dataset = opened(tmp_path, COUNTING, **PAIRS, truth=truth, truth_format=truth_format)
    assert [sample.truth.count for sample in dataset] == [3, 1]


# Pairs: outlines come from label images and masks.
@pytest.mark.parametrize(
    ("truth", "truth_format"), [("labels/{id}.png", "labels"), ("masks/{id}.png", "binary")]
)
def test_pairs_are_segmented(tmp_path, truth, truth_format):
    builders.pairs(tmp_path)
    dataset = opened(tmp_path, SEGMENTATION, **PAIRS, truth=truth, truth_format=truth_format)
    assert [sizes(sample) for sample in dataset] == [[4, 9, 9], [9]]


# An image without its truth is refused, and both are named.
def test_pairs_need_their_truth(tmp_path):
    builders.pairs(tmp_path)
    (tmp_path / "labels/02.png").unlink()
    with pytest.raises(InvalidRequestError, match=r"labels/02\.png as the truth of cells/02cell\.png"):
        opened(tmp_path, COUNTING, **PAIRS, truth="labels/{id}.png")


# Label images with a palette keep their indices, and label images of whole floats are read.
def test_labels_of_odd_types(tmp_path):
    builders.pairs(tmp_path)
    for name, sample in (("01", np.float32(2.0)), ("02", np.float32(2.5))):
        labels = np.zeros((12, 16), np.float32)
        labels[:3] = sample
        builders.put(tmp_path, f"floats/{name}.png", builders.tiff(labels))
        builders.put(tmp_path, f"palette/{name}.png", builders.palette_png(labels.astype(np.uint8)))
    floats = opened(tmp_path, COUNTING, **PAIRS, truth="floats/{id}.png")
    assert floats[0].truth.count == 1
    with pytest.raises(ImageUnreadableError, match="whole numbers"):
        floats[1]
    palette = opened(tmp_path, SEGMENTATION, **PAIRS, truth="palette/{id}.png")
    assert palette[0].truth.labels is not None
    assert palette[0].truth.labels.max() == 2


# Tables: classes by column, images by padded numbers, rows of other classes left out; order of the table.
def test_table_of_classes(tmp_path):
    builders.table(tmp_path)
    samples = list(opened(tmp_path, CLASSIFICATION, **TABLE))
    assert [sample.truth.label for sample in samples] == [
        "lymphocyte",
        "neutrophil",
        "lymphocyte",
        "neutrophil",
    ]
    assert [sample.source for sample in samples] == [f"Dataset 1/00{n}.bmp" for n in range(1, 5)]
    assert np.array_equal(decode(samples[0].image), builders.noise(1, (12, 16, 3)))


# Tables: counts by column, clusters and slices by others.
def test_table_of_counts(tmp_path):
    builders.table(tmp_path)
    fields = {**TABLE, "truth": "cells", "labels": None, "slices": ["class label"], "cluster": "class label"}
    samples = list(opened(tmp_path, COUNTING, **fields))
    assert [sample.truth.count for sample in samples] == [7, 0, 12, 3, 4]
    assert [sample.cluster for sample in samples] == ["2", "1", "2", "1", "5"]
    assert samples[0].slices == {"class label": "2"}


# JSON Lines say the same as CSV.
def test_table_of_json_lines(tmp_path):
    builders.table(tmp_path)
    lines = [{"file": "Dataset 1/001.bmp", "count": 4}, {"file": "Dataset 1/002.bmp", "count": "5"}]
    builders.put(tmp_path, "truth.jsonl", "\n".join(json.dumps(line) for line in lines))
    fields = {"loader": "table", "table": "truth.jsonl", "image": "{file}", "truth": "count"}
    assert [sample.truth.count for sample in opened(tmp_path, COUNTING, **fields)] == [4, 5]


# What is wrong with a table is said with its row: a column, a number, an image that is not there.
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"truth": "colour"}, "no column 'colour'; there are cells, class label, image ID"),
        ({"image": "{image ID}.bmp"}, r"row 1: there is no image 1\.bmp"),
        ({"table": "other.csv"}, r"expected the table other\.csv"),
        ({"image": "Dataset 1/{image ID:04}.bmp", "skip_missing": True}, "no data of this layout"),
    ],
)
def test_wrong_tables(tmp_path, changes, message):
    builders.table(tmp_path)
    with pytest.raises(InvalidRequestError, match=message):
        opened(tmp_path, CLASSIFICATION, **{**TABLE, **changes})


# Counts must be whole numbers from 0, and JSON Lines must be objects.
def test_tables_that_are_none(tmp_path):
    builders.table(tmp_path)
    builders.put(tmp_path, "a.csv", "file,count\nDataset 1/001.bmp,many\n")
    builders.put(tmp_path, "b.jsonl", "[1, 2]\n")
    fields = {"loader": "table", "image": "{file}", "truth": "count"}
    with pytest.raises(InvalidRequestError, match="'many' is not a number"):
        opened(tmp_path, COUNTING, **fields, table="a.csv")
    builders.put(tmp_path, "c.csv", "file,count\nDataset 1/001.bmp,-3\n")
    with pytest.raises(InvalidRequestError, match="'-3' is not a number"):
        opened(tmp_path, COUNTING, **fields, table="c.csv")
    with pytest.raises(InvalidRequestError, match=r"b\.jsonl is not a table"):
        opened(tmp_path, COUNTING, **fields, table="b.jsonl")


# Rows without an image can be skipped.
def test_table_skips_missing(tmp_path):
    builders.table(tmp_path)
    (tmp_path / "Dataset 1/003.bmp").unlink()
    assert len(opened(tmp_path, CLASSIFICATION, **TABLE, skip_missing=True)) == 3


FOLDER_LOADERS = [
    {"loader": "bbbc005", "stain": "w1"},
    {"loader": "dsb2018"},
    {"loader": "voc"},
    MALARIA,
    {**PAIRS, "truth": "labels/{id}.png"},
    TABLE,
]


def kind_of(fields: dict) -> TaskKind:
    return CLASSIFICATION if "labels" in fields else COUNTING


# A folder with something else is refused; the error names the folder and what was expected in it.
@pytest.mark.parametrize("fields", FOLDER_LOADERS, ids=lambda fields: fields["loader"])
def test_wrong_folder(tmp_path, fields):
    builders.put(tmp_path, "holiday/beach.txt", "sun")
    with pytest.raises(InvalidRequestError, match="expected") as caught:
        opened(tmp_path, kind_of(fields), **fields)
    assert str(tmp_path) in caught.value.message
    assert [violation.field for violation in caught.value.violations] == ["data_dir"]


# A folder that is not there, or not given, is refused.
@pytest.mark.parametrize("fields", FOLDER_LOADERS, ids=lambda fields: fields["loader"])
def test_missing_folder(tmp_path, fields):
    with pytest.raises(InvalidRequestError, match="does not exist"):
        opened(tmp_path / "nowhere", kind_of(fields), **fields)
    with pytest.raises(InvalidRequestError, match="say which"):
        opened(None, kind_of(fields), **fields)


# What a suite says cannot reach files outside the data folder.
@pytest.mark.parametrize("folder", ["..", "../other", "/etc", "a/../../b"])
def test_folders_stay_inside(tmp_path, folder):
    (tmp_path / "data").mkdir()
    with pytest.raises(InvalidRequestError, match="outside the data folder"):
        opened(tmp_path / "data", COUNTING, loader="dsb2018", folder=folder)


# A limit takes samples evenly over the dataset, and more than there are takes all.
def test_limit_is_even(tmp_path):
    builders.malaria(tmp_path)
    everything = [sample.source for sample in opened(tmp_path, CLASSIFICATION, **MALARIA)]
    limited = opened(tmp_path, CLASSIFICATION, 12, **MALARIA)
    assert len(limited) == 12
    places = [everything.index(sample.source) for sample in limited]
    ends = [-1, *places, 96]
    assert max(later - earlier for earlier, later in itertools.pairwise(ends)) <= 2 * 96 / 12
    assert len(opened(tmp_path, CLASSIFICATION, 1000, **MALARIA)) == 96


# A greater limit takes what a smaller one takes, and more, so that an evaluation can grow.
def test_limits_are_nested(tmp_path):
    builders.malaria(tmp_path)
    taken = [
        {sample.source for sample in opened(tmp_path, CLASSIFICATION, limit, **MALARIA)}
        for limit in (1, 2, 3, 12, 50, 95, 96)
    ]
    assert [len(sources) for sources in taken] == [1, 2, 3, 12, 50, 95, 96]
    assert all(smaller < greater for smaller, greater in itertools.pairwise(taken))


# A limited simulated dataset still goes through overlaps and blurs, although these alternate in the listing.
def test_limit_does_not_meet_a_period():
    fields = {"loader": "simulated", "images": 128, "overlaps": [0, 0.1, 0.2, 0.3], "blurs_px": [0, 1, 2, 4]}
    fields |= {"width_px": 64, "height_px": 64, "diameter_px": 8, "count_max": 3}
    samples = list(opened(None, COUNTING, 32, **fields))
    for axis in ("overlap", "blur"):
        often = Counter(sample.slices[axis] for sample in samples)
        assert len(often) == 4
        assert min(often.values()) >= 4


# Opening reads no image: a dataset of unreadable images opens, and fails where one is read.
def test_opening_reads_no_image(tmp_path):
    builders.malaria(tmp_path)
    for path in tmp_path.rglob("*.png"):
        path.write_bytes(b"broken")
    dataset = opened(tmp_path, CLASSIFICATION, **MALARIA)
    assert len(dataset) == 96
    with pytest.raises(ImageUnreadableError):
        dataset[0]


# The pixel size of the suite reaches every sample.
def test_pixel_size(tmp_path):
    builders.dsb2018(tmp_path)
    (sample, _) = opened(tmp_path, COUNTING, loader="dsb2018", pixel_size_um=0.4)
    assert sample.pixel_size is not None
    assert (sample.pixel_size.x_um, sample.pixel_size.y_um) == (0.4, 0.4)
    assert next(iter(opened(tmp_path, COUNTING, loader="dsb2018"))).pixel_size is None


# Simulated data need no folder, carry their slices, and have the truth that the task needs.
def test_simulated():
    fields = {"loader": "simulated", "images": 6, "width_px": 96, "height_px": 96, "diameter_px": 10}
    fields |= {"count_max": 8, "overlaps": [0, 0.25], "blurs_px": [0, 1.5], "pixel_size_um": 0.5}
    counted, segmented = opened(None, COUNTING, **fields), opened(None, SEGMENTATION, **fields)
    assert len(counted) == 6
    for count, outlines in zip(counted, segmented, strict=True):
        assert count.truth.labels is None
        assert outlines.truth.count is None
        assert len(sizes(outlines)) == count.truth.count
        assert count.image == outlines.image
        assert count.sample_id != outlines.sample_id
        assert count.pixel_size is not None
    assert [sample.slices for sample in counted][:4] == [
        {"overlap": "0", "blur": "0"},
        {"overlap": "0.25", "blur": "0"},
        {"overlap": "0", "blur": "1.5"},
        {"overlap": "0.25", "blur": "1.5"},
    ]
