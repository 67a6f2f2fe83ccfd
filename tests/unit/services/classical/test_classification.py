from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from hooke.errors import ExamplesRequiredError, InvalidRequestError
from hooke.images import Micrograph
from runtime.tasks import ClassifyTask
from services.classical.features import describe
from services.classical.model import ClassicalModel

from .drawing import discs, fluorescence, micrograph

SIDE = 128


def _grains(rng: np.random.Generator, sigma: float) -> NDArray[np.float64]:
    noise = ndimage.gaussian_filter(rng.standard_normal((SIDE, SIDE)), sigma)
    return 128 + 30 * noise / noise.std()


def _stripes(rng: np.random.Generator) -> NDArray[np.float64]:
    angle, phase = rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi)
    rows, columns = np.indices((SIDE, SIDE))
    wave = np.sin((rows * np.sin(angle) + columns * np.cos(angle)) / 2 + phase)
    return 128 + 30 * wave + rng.normal(0, 5, (SIDE, SIDE))


def _cells(rng: np.random.Generator) -> NDArray[np.float64]:
    centres = rng.uniform(10, SIDE - 10, (12, 2))
    return fluorescence(discs(centres, 8, SIDE), seed=int(rng.integers(1000))).astype(float)


TEXTURES: dict[str, Callable[[np.random.Generator], NDArray[np.float64]]] = {
    "fine": lambda rng: _grains(rng, 1),
    "coarse": lambda rng: _grains(rng, 5),
    "stripes": _stripes,
    "cells": _cells,
}


def draw(kind: str, seed: int) -> Micrograph:
    pixels = TEXTURES[kind](np.random.default_rng([seed, list(TEXTURES).index(kind)]))
    return micrograph(np.clip(pixels, 0, 255).astype(np.uint8))


def examples(count: int) -> tuple[tuple[Micrograph, str], ...]:
    return tuple((draw(kind, seed), kind) for kind in TEXTURES for seed in range(count))


@pytest.fixture
def model() -> ClassicalModel:
    loaded = ClassicalModel()
    loaded.load()
    return loaded


# Textures that differ are told apart by a few examples, with probabilities that sum to 1.
@pytest.mark.parametrize("count", [1, 4])
def test_textures_are_told_apart(model: ClassicalModel, count: int) -> None:
    labels = tuple(TEXTURES)
    shown = examples(count)
    truth = [kind for kind in TEXTURES for _ in range(4)]
    tasks = [ClassifyTask(draw(kind, 100 + i), labels, shown) for i, kind in enumerate(truth)]
    answers = model.classify(tasks)
    for answer in answers:
        assert sum(answer.probabilities) == pytest.approx(1)
        assert min(answer.probabilities) >= 0
    found = [labels[int(np.argmax(answer.probabilities))] for answer in answers]
    assert np.mean([a == b for a, b in zip(found, truth, strict=True)]) >= 0.9


# Probabilities stand in the order of the task's labels, and that order changes nothing else.
def test_probabilities_follow_the_labels(model: ClassicalModel) -> None:
    shown, image = examples(3), draw("coarse", 50)
    forward, backward = (
        model.classify([ClassifyTask(image, labels, shown)])[0].probabilities
        for labels in (tuple(TEXTURES), tuple(reversed(TEXTURES)))
    )
    np.testing.assert_allclose(forward, backward[::-1], rtol=1e-6)


# Images that cannot be told apart get equal probabilities.
def test_equal_examples_give_equal_probabilities(model: ClassicalModel) -> None:
    image = draw("fine", 1)
    answer = model.classify([ClassifyTask(image, ("a", "b"), ((image, "a"), (image, "b")))])[0]
    assert answer.probabilities == pytest.approx((0.5, 0.5))


# Without examples there is nothing to learn from, and the error says so.
def test_examples_are_required(model: ClassicalModel) -> None:
    with pytest.raises(ExamplesRequiredError, match="example"):
        model.classify([ClassifyTask(draw("fine", 1), ("a", "b"))])


# A label without an example, and an example of an unknown label, are named in the violations.
def test_labels_and_examples_must_agree(model: ClassicalModel) -> None:
    task = ClassifyTask(
        draw("fine", 1), ("fine", "missing"), ((draw("fine", 2), "fine"), (draw("fine", 3), "odd"))
    )
    with pytest.raises(InvalidRequestError) as caught:
        model.classify([task])
    assert [v.field for v in caught.value.violations] == ["labels", "examples"]
    assert "'missing'" in caught.value.violations[0].description
    assert "'odd'" in caught.value.violations[1].description


# An answer does not depend on what else is in the batch.
def test_batches_do_not_mix(model: ClassicalModel) -> None:
    labels = tuple(TEXTURES)
    tasks = [
        ClassifyTask(draw("fine", 9), labels, examples(2)),
        ClassifyTask(draw("cells", 9), labels[::-1], examples(3)),
    ]
    together = [answer.probabilities for answer in model.classify(tasks)]
    fresh = ClassicalModel()
    fresh.load()
    assert together == [fresh.classify([task])[0].probabilities for task in reversed(tasks)][::-1]


# Every size, type and number of channels is described by a finite vector of one length.
@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((1, 1), np.uint8),
        np.full((3, 5), 65535, np.uint16),
        np.ones((40, 40, 3), np.uint8),
        np.random.default_rng(0).random((5, 700)).astype(np.float32) * np.float32(1e38),
        np.random.default_rng(0).integers(0, 2**32 - 1, (50, 50), dtype=np.uint32),
        np.random.default_rng(0).integers(0, 255, (900, 800, 4), dtype=np.uint8),
    ],
)
def test_every_image_is_described(pixels: NDArray[np.generic]) -> None:
    vector = describe(micrograph(pixels))
    assert np.isfinite(vector).all()
    assert vector.shape == describe(draw("fine", 0)).shape
