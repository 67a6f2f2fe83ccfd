"""The built-in suites on real micrographs: what is read is what the sets' own truth says."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from evaluator.datasets import Dataset, open_dataset
from evaluator.datasets.cleaning import decode
from evaluator.suites import TaskSpec, builtin_suite
from hooke.codecs import decode as decode_image
from hooke.errors import InvalidRequestError

pytestmark = pytest.mark.data

FOLDERS = {
    "dsb2018": "dsb2018_stage1",
    "bccd": "bccd",
    "malaria": "malaria_nih50",
    "plankton": "plankton_ndsb",
    "wbc": "wbc_zheng",
    "emps": "emps_particles",
    "biology": "",
    "stardist": "stardist_examples",
    "usiigaci": "usiigaci_t98g",
    "vgg": "vgg_cells",
    "mbm": "mbm_bone_marrow",
    "adipocyte": "adipocyte_gtex",
    "colicoords": "colicoords_ecoli",
    "trpl": "trpl_bacteria_timelapse",
    "uhcs": "uhcs_spheroidite",
    "ampis": "ampis_powder_sem",
    "meltpool": "nasa_meltpool_coco",
    "ctc": "ctc_fluo_n2dh_simplus",
    "ctc-counting": "ctc_fluo_n2dh_gowt1",
    "bbbc006-focus": "bbbc006_focus",
    "nanofiber": "nanofiber_sem",
    "microvqa-demo": "microvqa_demo",
    "questions": "derived_vqa",
}
TASKS = [(suite, task.name) for suite in FOLDERS for task in builtin_suite(suite).tasks]


def task_of(suite: str, name: str) -> TaskSpec:
    return next(task for task in builtin_suite(suite).tasks if task.name == name)


def opened(real_data: Path, suite: str, name: str, limit: int | None = None) -> Dataset:
    task = task_of(suite, name)
    return open_dataset(task.dataset, real_data / FOLDERS[suite], task.kind, limit)


def truth(real_data: Path, folder: str) -> dict:
    return json.loads((real_data / folder / "TRUTH.json").read_text())["images"]


def objects(sample) -> int:
    if sample.truth.count is not None:
        return sample.truth.count
    return int(np.unique(sample.truth.labels[sample.truth.labels > 0]).size)


# The number of objects of every image is that of TRUTH.json, counted or outlined.
@pytest.mark.parametrize(
    ("suite", "name", "folder", "key", "count"),
    [
        ("dsb2018", "nuclei-segmentation", "dsb2018_stage1", "{}", "n_nuclei"),
        ("dsb2018", "nuclei-counting", "dsb2018_stage1", "{}", "n_nuclei"),
        ("bccd", "blood-cell-counting", "bccd", "{}", "total"),
        ("emps", "particle-segmentation", "emps_particles", "{}", "n_particles"),
        ("emps", "particle-counting", "emps_particles", "{}", "n_particles"),
        ("biology", "stardist-segmentation", "stardist_examples", "{}", "n_objects"),
        ("biology", "vgg-counting", "vgg_cells", "{}", "count"),
        ("biology", "bone-marrow-counting", "mbm_bone_marrow", "{}", "count"),
        ("biology", "adipocyte-counting", "adipocyte_gtex", "{}", "count_blobs"),
        ("biology", "phase-contrast-segmentation", "usiigaci_t98g", "{}/raw.tif", "n_cells"),
        ("stardist", "nuclei-segmentation", "stardist_examples", "{}", "n_objects"),
        ("usiigaci", "cell-segmentation", "usiigaci_t98g", "{}/raw.tif", "n_cells"),
        ("vgg", "cell-counting", "vgg_cells", "{}", "count"),
        ("mbm", "nuclei-counting", "mbm_bone_marrow", "{}", "count"),
        ("adipocyte", "cell-counting", "adipocyte_gtex", "{}", "count_blobs"),
        ("colicoords", "brightfield-segmentation", "colicoords_ecoli", "{}", "n_cells"),
        ("ampis", "particle-segmentation", "ampis_powder_sem", "{}", "n_particles"),
        ("ampis", "satellite-segmentation", "ampis_powder_sem", "{}", "n_satellites"),
        ("meltpool", "melt-pool-segmentation", "nasa_meltpool_coco", "{}", "n_instances"),
        ("meltpool", "melt-pool-counting", "nasa_meltpool_coco", "{}", "n_instances"),
        ("ctc", "cell-segmentation", "ctc_fluo_n2dh_simplus", "{}", "seg_objects"),
        ("ctc", "cell-counting", "ctc_fluo_n2dh_simplus", "{}", "tracked_objects"),
        ("ctc-counting", "cell-counting", "ctc_fluo_n2dh_gowt1", "{}", "tracked_objects"),
        ("ctc-counting", "cell-counting", "ctc_fluo_c2dl_msc", "{}", "tracked_objects"),
    ],
)
def test_counts_are_those_of_the_set(real_data, suite, name, folder, key, count):
    expected = {key.format(path): image[count] for path, image in truth(real_data, folder).items()}
    task = task_of(suite, name)
    place = real_data if suite == "biology" else real_data / folder
    found = {sample.source: objects(sample) for sample in open_dataset(task.dataset, place, task.kind)}
    assert found == expected


# The planes of a stack have the cells that the set's truth counts in its frames.
@pytest.mark.parametrize("name", ["bacteria-segmentation", "bacteria-counting"])
def test_stack(real_data, name):
    frames = truth(real_data, "trpl_bacteria_timelapse")["trpL_150310-11_img.tif"]["frames"]
    found = [objects(sample) for sample in opened(real_data, "trpl", name)]
    assert found == [frame["n_cells"] for frame in frames]


# Outlines of the Cell Tracking Challenge are read where every cell has one: in no frame of GOWT1.
def test_sparse_outlines(real_data):
    task = task_of("ctc", "cell-segmentation")
    frames = truth(real_data, "ctc_fluo_c2dl_msc").items()
    whole = {path for path, frame in frames if frame.get("seg_objects") == frame["tracked_objects"]}
    dataset = open_dataset(task.dataset, real_data / "ctc_fluo_c2dl_msc", task.kind)
    assert {sample.source for sample in dataset} == whole
    assert len(whole) == 2
    with pytest.raises(InvalidRequestError, match="that outlines every cell"):
        open_dataset(task.dataset, real_data / "ctc_fluo_n2dh_gowt1", task.kind)


# There are about as many carbides as the set's truth says, which counts regions that touch at a corner apart,
# and they cover about as much: one mask has edges in grey, of which the truth counts the darkest, too.
def test_carbides(real_data):
    known = truth(real_data, "uhcs_spheroidite")
    for sample in opened(real_data, "uhcs", "carbide-segmentation"):
        expected = known[sample.source]
        assert sample.truth.labels is not None
        assert float((sample.truth.labels > 0).mean()) == pytest.approx(expected["area_fraction"], rel=0.1)
        assert objects(sample) == pytest.approx(expected["components"], rel=0.03)


# Fields in focus and out of it are told apart; the field that is there twice is shown or tested, not both.
def test_focus(real_data):
    names = {"in_focus": "in focus", "out_of_focus": "out of focus"}
    expected = {path: names[image["focus"]] for path, image in truth(real_data, "bbbc006_focus").items()}
    dataset = opened(real_data, "bbbc006-focus", "focus-classification")
    shown, tested = dataset.examples(), list(dataset)
    found = {sample.source: sample.truth.label for sample in (*shown, *tested)}
    assert found.items() <= expected.items()
    assert len(shown) == 4
    wells = [{sample.cluster for sample in samples} for samples in (shown, tested)]
    assert wells[0].isdisjoint(wells[1])
    assert "a01" in wells[0] | wells[1]


# The copies of a field of nanofibres are a cluster, in train and in test.
def test_fields_of_fibres(real_data):
    known = truth(real_data, "nanofiber_sem")
    samples = list(opened(real_data, "nanofiber", "defect-classification"))
    assert {(sample.source, f"translated_{sample.cluster}") for sample in samples} == {
        (path, image["base"]) for path, image in known.items()
    }
    assert Counter(sample.truth.label for sample in samples)["defective"] == 2


# The right option of MicroVQA's example is the one that its index names, counted from 0.
def test_microvqa_example(real_data):
    (sample,) = opened(real_data, "microvqa-demo", "choices")
    assert str(sample.truth.answer) == "Stress granules"


# BCCD by class: the red cells of every image.
def test_bccd_red_cells(real_data):
    expected = {path: image["counts"].get("RBC", 0) for path, image in truth(real_data, "bccd").items()}
    found = {sample.source: objects(sample) for sample in opened(real_data, "bccd", "red-cell-counting")}
    assert found == expected


# DSB2018: what is called stained and dark are the two modalities of the sample.
def test_dsb2018_modalities(real_data):
    names = {"gray_dark": "dark", "color_bright": "stained"}
    expected = {path: names[i["modality_guess"]] for path, i in truth(real_data, "dsb2018_stage1").items()}
    samples = opened(real_data, "dsb2018", "nuclei-counting")
    assert {sample.source: sample.slices["modality"] for sample in samples} == expected


# The class of every tested image is that of TRUTH.json; what is not tested is shown or tied to what is.
@pytest.mark.parametrize(
    ("suite", "name", "folder"),
    [
        ("malaria", "parasite-classification", "malaria_nih50"),
        ("plankton", "plankton-classification", "plankton_ndsb"),
        ("wbc", "white-cell-classification", "wbc_zheng"),
    ],
)
def test_classes_are_those_of_the_set(real_data, suite, name, folder):
    expected = {path: image["class"] for path, image in truth(real_data, folder).items()}
    dataset = opened(real_data, suite, name)
    for sample in (*dataset, *dataset.examples()):
        assert expected[sample.source] == sample.truth.label
    per_class = Counter(sample.truth.label for sample in dataset.examples())
    assert set(per_class) == set(task_of(suite, name).labels)
    assert len(set(per_class.values())) == 1


# Malaria: no patient of an example is tested, although train and valid share patients and some file names
# hide the patient behind the class.
def test_malaria_patients_are_apart(real_data):
    groups = {
        path: image["group"].removeprefix("Parasitized")
        for path, image in truth(real_data, "malaria_nih50").items()
    }
    dataset = opened(real_data, "malaria", "parasite-classification")
    shown = {groups[sample.source] for sample in dataset.examples()}
    tested = {groups[sample.source] for sample in dataset}
    assert shown.isdisjoint(tested)
    assert len(shown) >= 10
    pairs = {(sample.cluster, groups[sample.source]) for sample in dataset}
    assert len(pairs) == len({cluster for cluster, _ in pairs}) == len({group for _, group in pairs})
    assert len(dataset) > 400


# No class, patient or file name is left in the bytes that are sent, and the images can be read by Hooke.
@pytest.mark.parametrize(("suite", "name"), TASKS)
def test_nothing_leaks_and_everything_is_readable(real_data, suite, name):
    task = task_of(suite, name)
    dataset = opened(real_data, suite, name, 12)
    for sample in (*dataset, *dataset.examples()[:6]):
        words = [*Path(sample.source).stem.split("_IMG_"), *task.labels, sample.cluster or ""]
        assert not [word for word in words if len(word) > 4 and word.encode() in sample.image]
        path = real_data / FOLDERS[suite] / getattr(task.dataset, "folder", "") / sample.source
        if path.is_file():  # and no plane of a stack
            assert np.array_equal(decode(sample.image), decode(path.read_bytes()))
        micrograph = decode_image(sample.image)
        if sample.truth.labels is not None:
            assert sample.truth.labels.shape == (micrograph.height_px, micrograph.width_px)


# The paper's expert counts reach its cropped images, those whose names were given a prefix, too.
@pytest.mark.parametrize(("name", "kind"), [("fibre-counting", "Fibres"), ("particle-counting", "Particles")])
def test_counts_of_the_paper(real_data: Path, name: str, kind: str) -> None:
    task = task_of("paper", name)
    dataset = open_dataset(task.dataset, real_data, task.kind)
    counts = json.loads((real_data / "paper_vlms_micrographs" / "TRUTH.json").read_text())["count"]
    known = {path: count for path, count in counts.items() if f"_cropped/{kind}/" in path}
    read = {dataset[index].source: dataset[index].truth.count for index in range(len(dataset))}
    assert read == known
    assert len(read) == 13
