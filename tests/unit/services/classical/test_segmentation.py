from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from hooke.images import Micrograph
from runtime.tasks import Segmentation, SegmentTask
from services.classical.model import ClassicalModel
from services.classical.parameters import ClassicalParameters

from .drawing import CENTRES, SIDE, accuracy, discs, fluorescence, micrograph


@pytest.fixture(scope="module")
def model() -> ClassicalModel:
    loaded = ClassicalModel()
    loaded.load()
    return loaded


def segment(
    model: ClassicalModel, image: Micrograph, expected_diameter_px: float | None = None, **parameters: Any
) -> Segmentation:
    task = SegmentTask(image, expected_diameter_px, ClassicalParameters(**parameters))
    return model.segment([task])[0]


def value(found: Segmentation, name: str) -> Any:
    return next(p.value for p in found.parameters if p.name == name)


# Separate bright objects are all found, each with its own outline, numbered without gaps.
def test_finds_separate_objects(model: ClassicalModel) -> None:
    found = segment(model, micrograph(fluorescence(discs())))
    assert accuracy(discs(), found.labels) == 1
    assert found.labels.max() == len(CENTRES)
    assert found.scores is not None
    assert len(found.scores) == len(CENTRES)
    assert ((found.scores > 0.9) & (found.scores <= 1)).all()


# The negative of an image has the same objects, and the model says that they are dark.
def test_polarity_is_found_both_ways(model: ClassicalModel) -> None:
    image = fluorescence(discs())
    bright, dark = (segment(model, micrograph(pixels)) for pixels in (image, 255 - image))
    assert (value(bright, "polarity"), value(dark, "polarity")) == ("bright_on_dark", "dark_on_bright")
    assert accuracy(bright.labels, dark.labels) == 1
    assert ((bright.labels > 0) != (dark.labels > 0)).mean() < 0.01


# The view of a large image is chosen rightly, even if all objects lie in one corner and a speck in another.
@pytest.mark.slow
@pytest.mark.parametrize("corner", [(0, 0), (0, 940), (940, 940)])
def test_polarity_of_large_images(model: ClassicalModel, corner: tuple[int, int]) -> None:
    row, column = corner
    truth = np.zeros((1100, 1100), np.int32)
    truth[row : row + SIDE, column : column + SIDE] = discs()
    pixels = fluorescence(truth)
    pixels[1000:1008, 20:28] = 255
    for image, polarity in ((pixels, "bright_on_dark"), (255 - pixels, "dark_on_bright")):
        found = segment(model, micrograph(image), min_area_px=100)
        assert value(found, "polarity") == polarity
        assert accuracy(truth, found.labels) == 1


# A polarity that the request states is used, even where the image speaks against it.
def test_stated_polarity_is_used(model: ClassicalModel) -> None:
    found = segment(model, micrograph(fluorescence(discs())), polarity="dark_on_bright")
    assert value(found, "polarity") == "dark_on_bright"
    assert accuracy(discs(), found.labels) < 0.5


# Dim and bright objects under uneven light are found with one set of defaults.
def test_uneven_light_and_dim_objects(model: ClassicalModel) -> None:
    truth = discs()
    level = np.where(truth % 2 == 0, 60.0, 110.0) * (truth > 0)
    light = np.linspace(0, 60, SIDE)[np.newaxis] + 20
    pixels = ndimage.gaussian_filter(level, 1) + light + np.random.default_rng(1).normal(0, 2, truth.shape)
    found = segment(model, micrograph(pixels.astype(np.uint8)))
    assert accuracy(truth, found.labels) == 1


# Images without objects give none: flat, dark, saturated, or noise of several kinds.
@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((64, 64), np.uint8),
        np.full((64, 64), 255, np.uint8),
        np.full((64, 64, 3), 200, np.uint8),
        np.full((64, 64), 2**32 - 1, np.uint32),
        np.random.default_rng(0).normal(100, 10, (256, 256)).astype(np.uint8),
        np.random.default_rng(1).normal(0, 1, (256, 256)).astype(np.float32),
        np.random.default_rng(2).poisson(3, (256, 256)).astype(np.uint16),
        np.random.default_rng(3).integers(0, 256, (128, 128, 3), dtype=np.uint8),
    ],
)
def test_nothing_is_found_where_nothing_is(model: ClassicalModel, pixels: Any) -> None:
    found = segment(model, micrograph(pixels))
    assert found.labels.shape == pixels.shape[:2]
    assert found.labels.max() == 0
    assert found.scores is not None
    assert len(found.scores) == 0


# No size and no sample type makes the model fail.
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (3, 5), (1, 300), (300, 1), (17, 64)])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "uint32", "float32"])
def test_every_size_and_type_is_answered(model: ClassicalModel, shape: tuple[int, int], kind: str) -> None:
    random = np.random.default_rng(0).random(shape) * (1e38 if kind == "float32" else np.iinfo(kind).max)
    found = segment(model, micrograph(random.astype(kind)))
    assert found.labels.shape == shape
    assert found.scores is not None
    assert len(found.scores) == found.labels.max()


# Two discs that touch are two objects, unless the request forbids the split.
def test_touching_objects_are_split(model: ClassicalModel) -> None:
    truth = discs([(60, 50), (60, 68), (110, 100), (30, 120), (125, 30)])
    image = micrograph(fluorescence(truth))
    assert accuracy(truth, segment(model, image).labels) == 1
    assert segment(model, image, touching_objects_split=False).labels.max() == 4


# A long ellipse is one object.
def test_elongated_objects_stay_whole(model: ClassicalModel) -> None:
    rows, columns = np.indices((SIDE, SIDE))
    truth = np.zeros((SIDE, SIDE), np.int32)
    for label, (y, x) in enumerate([(40, 60), (80, 100), (120, 50)], start=1):
        truth[((rows - y) / 9) ** 2 + ((columns - x) / 28) ** 2 <= 1] = label
    assert accuracy(truth, segment(model, micrograph(fluorescence(truth))).labels) == 1


# Objects cut by the border of the field are left out where the request says so, and only those.
def test_border_objects_can_be_excluded(model: ClassicalModel) -> None:
    truth = discs([*CENTRES, (80, 2), (157, 80)])
    image = micrograph(fluorescence(truth))
    assert segment(model, image).labels.max() == len(CENTRES) + 2
    inside = segment(model, image, border_objects_excluded=True).labels
    assert accuracy(discs(), inside) == 1


# Objects outside of the stated areas are left out; both limits are reported.
def test_area_limits(model: ClassicalModel) -> None:
    small, large = discs([(30, 30), (30, 120), (120, 30)], 7), discs([(110, 110)], 18)
    image = micrograph(fluorescence(small + large))
    assert segment(model, image).labels.max() == 4
    only_large = segment(model, image, min_area_px=400)
    assert only_large.labels.max() == 1
    assert accuracy(large, only_large.labels) == 1
    assert value(only_large, "min_area_px") == 400
    only_small = segment(model, image, max_area_px=400)
    assert accuracy(small, only_small.labels) == 1
    assert value(only_small, "max_area_px") == 400


# The estimated diameter is near the true one; a stated one is used, and changes what is one object.
def test_expected_diameter(model: ClassicalModel) -> None:
    cluster = discs([(70, 70), (70, 86), (86, 78), (30, 130), (130, 30)], 8)
    image = micrograph(fluorescence(cluster))
    free = segment(model, image)
    assert 12 < value(free, "expected_diameter_px") < 24
    assert free.labels.max() == 5
    wide = segment(model, image, expected_diameter_px=60)
    assert value(wide, "expected_diameter_px") == 60
    assert wide.labels.max() < 5
    chosen = {p.name: p.chosen_by_server for p in wide.parameters}
    assert not chosen["expected_diameter_px"]
    assert chosen["polarity"]


# Fainter objects score lower: the order of contrasts is the order of scores.
def test_scores_follow_contrast(model: ClassicalModel) -> None:
    rng = np.random.default_rng(4)
    truth = discs([(30, 30), (30, 80), (30, 130), (80, 30)])
    level = np.choose(truth, [40, 60, 70, 80, 90]).astype(float)
    pixels = ndimage.gaussian_filter(level, 1) + rng.normal(0, 12, truth.shape)
    found = segment(model, micrograph(pixels.astype(np.uint8)))
    assert found.scores is not None
    order = [found.scores[found.labels[y, x] - 1] for y, x in ((30, 30), (30, 80), (30, 130), (80, 30))]
    assert order == sorted(order)
    assert 0.5 < order[0] < order[-1] <= 1


# Bit depth and offset do not matter: the same scene in 8 and 16 bits and in floats has the same objects.
@pytest.mark.parametrize(
    "convert",
    [
        lambda image: image.astype(np.uint16) * 257,
        lambda image: image.astype(np.uint16) + 3000,
        lambda image: image.astype(np.uint32) * 65537,
        lambda image: image.astype(np.float32) * 1e-3 - 7,
        lambda image: np.stack([image] * 3, axis=-1),
        lambda image: np.stack([image] * 3 + [np.full_like(image, 255)], axis=-1),
    ],
)
def test_sample_type_does_not_matter(model: ClassicalModel, convert: Any) -> None:
    image = fluorescence(discs())
    plain, converted = (segment(model, micrograph(pixels)) for pixels in (image, convert(image)))
    assert (plain.labels == converted.labels).mean() > 0.999


# Violet nuclei in pink tissue are found by what they absorb; the pink tissue is not an object.
def test_stained_nuclei(model: ClassicalModel) -> None:
    truth = discs()
    pixels = np.full((*truth.shape, 3), (235, 225, 235), float)
    pixels[:, :70] = (225, 120, 160)
    pixels[truth > 0] = (80, 50, 140)
    pixels = ndimage.gaussian_filter(pixels, (1, 1, 0)) + np.random.default_rng(5).normal(0, 3, pixels.shape)
    found = segment(model, micrograph(np.clip(pixels, 0, 255).astype(np.uint8)))
    assert value(found, "polarity") == "dark_on_bright"
    assert accuracy(truth, found.labels) == 1


# Objects of either of two fluorescence channels are found; a channel of noise takes none away.
def test_several_channels(model: ClassicalModel) -> None:
    odd, even = discs(CENTRES[::2]), discs(CENTRES[1::2])
    noise = np.random.default_rng(6).normal(30, 3, odd.shape).astype(np.uint8)
    pixels = np.stack([fluorescence(odd), fluorescence(even, seed=1), noise], axis=-1)
    found = segment(model, micrograph(pixels, "YXC"))
    assert accuracy(discs(), found.labels) == len(CENTRES) / len(CENTRES)
    assert len(found.intensity_ranges) == 3


# The same image gives the same answer, alone or beside others.
def test_answers_do_not_depend_on_batch_or_run(model: ClassicalModel) -> None:
    images = [micrograph(fluorescence(discs(), seed=seed)) for seed in (1, 2)]
    together = model.segment([SegmentTask(image) for image in images])
    for image, answer in zip(images, together, strict=True):
        alone = model.segment([SegmentTask(image)])[0]
        np.testing.assert_array_equal(alone.labels, answer.labels)
        np.testing.assert_array_equal(alone.scores, answer.scores)
        assert alone.parameters == answer.parameters


# Every parameter of the request is reported, and what the model chose is marked as such.
def test_parameters_are_reported(model: ClassicalModel) -> None:
    names = {p.name: p.chosen_by_server for p in segment(model, micrograph(fluorescence(discs()))).parameters}
    assert names == {
        "polarity": True,
        "plane": True,
        "expected_diameter_px": True,
        "threshold_method": True,
        "threshold_value": True,
        "min_area_px": True,
        "border_objects_excluded": False,
        "touching_objects_split": False,
    }
