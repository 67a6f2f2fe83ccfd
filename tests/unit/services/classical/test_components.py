from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy import ndimage

from services.classical.background import light_field, local_mean, noise_sigma
from services.classical.measure import contrasts, ellipse_fits, raw_moments
from services.classical.split import split_touching
from services.classical.threshold import fill_small_holes, quality

from .drawing import discs


# Naming the model imports neither SciPy nor scikit-image; loading it does.
def test_module_is_light() -> None:
    code = (
        "import sys; from services.classical.model import ClassicalModel; "
        "assert not {'scipy', 'skimage'} & set(sys.modules); "
        "ClassicalModel().load(); assert {'scipy', 'skimage'} <= set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# The ellipse fit is 1 for ellipses, 0.89 for two touching discs, low for a ring.
def test_ellipse_fit() -> None:
    rows, columns = np.indices((160, 160))
    ellipse = ((rows - 80) / 20) ** 2 + ((columns - 80) / 50) ** 2 <= 1
    pair = discs([(80, 60), (80, 100)], 20) > 0
    ring = (discs([(80, 80)], 40) > 0) & (discs([(80, 80)], 30) == 0)
    fits = [float(ellipse_fits(raw_moments(m.astype(np.int32)))[1]) for m in (ellipse, pair, ring)]
    assert fits == pytest.approx([1.0, 0.894, 0.28], abs=0.02)


# A bright object stands out with probability 1, one of the level of its surroundings with 0.5.
def test_contrast() -> None:
    labels = discs([(40, 40), (40, 120)])
    values = np.random.default_rng(0).normal(0, 1, labels.shape) + 10.0 * (labels == 1)
    measured = contrasts(labels, values.astype(np.float32), 5)
    assert measured.differences == pytest.approx([10, 0], abs=0.3)
    assert measured.probabilities == pytest.approx([1, 0.5], abs=0.06)


# Discs are split along the neck, also where they share up to a third of their area; a single disc is not.
@pytest.mark.parametrize("distance", [11, 13, 17, 19])
def test_split(distance: int) -> None:
    mask = discs([(80, 60), (80, 60 + distance)], 10) > 0
    labels = split_touching(mask, 20, 0.75)
    assert labels.max() == 2
    assert (labels > 0).sum() == mask.sum()
    assert labels[80, 58] != labels[80, 62 + distance]
    assert split_touching(discs([(80, 80)], 15) > 0, 20, 0.75).max() == 1


# Ellipses and rods stay whole, whichever way they lie.
@pytest.mark.parametrize(("length", "width"), [(28, 12), (56, 18), (20, 16)])
@pytest.mark.parametrize("angle", [0.0, 0.4, 0.8, 1.2])
def test_long_objects_are_not_split(length: int, width: int, angle: float) -> None:
    rows, columns = np.indices((80, 80)) - 40.3
    across = rows * np.cos(angle) - columns * np.sin(angle)
    along = rows * np.sin(angle) + columns * np.cos(angle)
    ellipse = (across / width) ** 2 + (along / length) ** 2 <= 0.25
    rod = np.hypot(across, np.maximum(np.abs(along) - (length - width) / 2, 0)) <= width / 2
    for mask in (ellipse, rod):
        assert split_touching(mask, 1.2 * width, 0.75).max() == 1


# Two parts that together are but one typical object stay together; as two typical objects they part.
def test_size_decides_on_shallow_necks() -> None:
    mask = discs([(80, 60), (80, 73)], 10) > 0
    assert split_touching(mask, 20, 0.75).max() == 2
    assert split_touching(mask, 40, 0.75).max() == 1


# A slope of the background is followed, objects on it are not.
def test_light_field() -> None:
    slope = np.add.outer(np.zeros(200), np.linspace(0, 1, 200)).astype(np.float32)
    objects = np.zeros((200, 200), np.float32)
    objects[20:40, 20:40] = objects[120:140, 150:170] = 5
    inner = np.s_[30:-30, 30:-30]
    assert np.abs(light_field(slope + objects) - slope)[inner].max() < 0.15


# The estimate of the noise is right on a slope with objects, and zero without noise.
def test_noise() -> None:
    scene = 5.0 * (discs() > 0) + np.linspace(0, 3, 160)[np.newaxis]
    noisy = scene + np.random.default_rng(0).normal(0, 0.5, scene.shape)
    assert noise_sigma(noisy.astype(np.float32)) == pytest.approx(0.5, rel=0.15)
    assert noise_sigma(np.full((20, 20), 7, np.float32)) == 0


# The fast wide mean is close to the true Gaussian and is not shifted.
def test_wide_mean() -> None:
    point = np.zeros((201, 201), np.float32)
    point[100, 100] = 1
    fast, exact = local_mean(point, 15), ndimage.gaussian_filter(point, 15)
    assert np.abs(fast - exact).max() < 0.2 * exact.max()
    assert ndimage.center_of_mass(fast) == pytest.approx((100, 100), abs=1e-3)


# Small holes are filled; large ones and bays that reach the border are not.
def test_holes() -> None:
    mask = np.ones((50, 50), bool)
    mask[10:12, 10:12] = mask[20:40, 20:40] = mask[0:3, 45:47] = False
    filled = fill_small_holes(mask, 10)
    assert filled[10:12, 10:12].all()
    assert not filled[20:40, 20:40].any()
    assert not filled[0:3, 45:47].any()


# The criterion prefers the true outline to a wider, a narrower and the inverted one.
def test_quality_prefers_the_truth() -> None:
    truth = discs() > 0
    smooth = ndimage.gaussian_filter(truth.astype(np.float32), 1)
    gradient = np.hypot(*np.gradient(smooth)).astype(np.float32)
    right = quality(truth, gradient)
    for wrong in (
        ndimage.binary_dilation(truth, iterations=4),
        ndimage.binary_erosion(truth, iterations=4),
        ~truth,
    ):
        assert quality(wrong, gradient) < 0.8 * right
    assert quality(np.zeros_like(truth), gradient) == 0
