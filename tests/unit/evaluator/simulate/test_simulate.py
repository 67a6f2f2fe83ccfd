"""Simulated fields: the same from the same seed, with exact truth."""

from __future__ import annotations

import hashlib
import itertools

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import ndimage

from evaluator.simulate import ScaleBar, SeriesSpec, SimulationSpec, Stain, simulate, simulate_stain
from evaluator.simulate.geometry import Cell, place_cells
from evaluator.simulate.rendering import BACKGROUND, CAMERA_GAIN, CAMERA_OFFSET, draw_labels
from hooke.errors import InvalidRequestError

SMALL = {"width_px": 200, "height_px": 160, "diameter_px": 14}


def spec(**changes) -> SimulationSpec:
    return SimulationSpec(**{**SMALL, "seed": 5, "count": 12, **changes})


def masks(labels: np.ndarray) -> list[np.ndarray]:
    return [labels == label for label in range(1, int(labels.max()) + 1)]


# The same description gives the same pixels, another seed gives others.
def test_a_seed_determines_the_field():
    first, second, other = (simulate(spec(seed=seed)) for seed in (5, 5, 6))
    for stain in Stain:
        assert np.array_equal(first.channels[stain].image, second.channels[stain].image)
        assert np.array_equal(first.channels[stain].labels, second.channels[stain].labels)
        assert not np.array_equal(first.channels[stain].image, other.channels[stain].image)


# With the pinned libraries a field is the same to the byte, on every machine.
def test_the_bytes_are_pinned():
    channel = simulate_stain(spec(overlap=0.3))
    found = {
        name: hashlib.sha256(getattr(channel, name).tobytes()).hexdigest()[:16]
        for name in ("image", "labels")
    }
    assert found == {"image": "8c7dca6711638799", "labels": "e7a375f013f3886f"}


# Drawing one stain gives what drawing both gives.
@pytest.mark.parametrize("stain", list(Stain))
def test_one_stain_is_that_of_the_field(stain):
    wanted = spec(stain=stain, overlap=0.2)
    alone, field = simulate_stain(wanted), simulate(wanted)
    assert np.array_equal(alone.image, field.channels[stain].image)
    assert np.array_equal(alone.labels, field.channels[stain].labels)


# Every cell is there, in both stains, in one piece or hidden by its partner only; and it is inside.
@pytest.mark.parametrize("count", [0, 1, 7, 25])
@pytest.mark.parametrize("overlap", [0.0, 0.4])
def test_the_truth_has_every_cell(count, overlap):
    field = simulate(spec(count=count, overlap=overlap))
    for channel in field.channels.values():
        assert np.unique(channel.labels).tolist() == list(range(count + 1))
        assert not channel.labels[[0, -1]].any()
        assert not channel.labels[:, [0, -1]].any()


# A nucleus lies in the body of the same number, except where another body lies above.
def test_nuclei_lie_in_their_bodies():
    field = simulate(spec(count=20))
    bodies, nuclei = field.channels[Stain.BODIES].labels, field.channels[Stain.NUCLEI].labels
    assert np.array_equal(bodies[nuclei > 0], nuclei[nuclei > 0])


# Without overlap cells do not touch.
@pytest.mark.parametrize("stain", list(Stain))
def test_without_overlap_cells_are_apart(stain):
    labels = simulate_stain(spec(count=25, stain=stain)).labels
    for mask in masks(labels):
        around = ndimage.binary_dilation(mask, np.ones((3, 3)))
        assert set(np.unique(labels[around & ~mask])) == {0}


# The overlap asked for is the one drawn: common pixels / pixels of the smaller object, pair by pair; and
# the truth is the upper object whole and the lower one without what is hidden.
@pytest.mark.parametrize("stain", list(Stain))
@pytest.mark.parametrize("overlap", [0.1, 0.3, 0.5])
def test_overlap_is_controlled(stain, overlap):
    wanted = spec(stain=stain, overlap=overlap, clustered=1.0, width_px=300, height_px=300, diameter_px=24)
    cells = place_cells(wanted, np.random.default_rng(0), np.zeros((300, 300), bool))
    labels = draw_labels(wanted, cells, stain)
    shares = []
    for place in range(0, 12, 2):
        lower, upper = whole(cells[place], stain), whole(cells[place + 1], stain)
        shares.append(np.count_nonzero(lower & upper) / min(lower.sum(), upper.sum()))
        assert np.array_equal(labels == place + 1, lower & ~upper)
        assert np.array_equal(labels == place + 2, upper)
    assert shares == pytest.approx([overlap] * 6, abs=0.05)


def whole(cell: Cell, stain: Stain) -> np.ndarray:
    mask = np.zeros((300, 300), bool)
    mask[cell.window] = cell.mask(stain)
    return mask


# Only the asked share of the cells overlaps.
def test_clustered_is_the_share_of_overlapping_cells():
    wanted = spec(count=20, overlap=0.3, clustered=0.4, width_px=400, height_px=400)
    labels = simulate_stain(wanted).labels
    touching = [m for m in masks(labels) if (labels[ndimage.binary_dilation(m) & ~m] > 0).any()]
    assert len(touching) == 8


# Defocus takes fine detail away: the image gets smoother with every step, the truth stays.
def test_blur_smooths():
    images = [simulate_stain(spec(blur_px=blur, read_noise=0, photons=1e5)) for blur in (0, 1, 3)]
    detail = [np.abs(ndimage.laplace(channel.image.astype(float))).mean() for channel in images]
    assert detail[0] > 1.3 * detail[1] > 1.3 * 1.3 * detail[2]
    assert np.array_equal(images[0].labels, images[2].labels)


# Few photons make a noisy image; the noise of an empty field has the size that was asked for.
def test_noise_has_its_size():
    empty = {"count": 0, "debris": 0, "unevenness": 0.0, "bit_depth": 16}
    quiet = simulate_stain(spec(**empty, photons=1e4, read_noise=50)).image.astype(float)
    electrons = (quiet / 65535 - CAMERA_OFFSET) / CAMERA_GAIN * 1e4
    expected = BACKGROUND * 1e4
    assert electrons.mean() == pytest.approx(expected, rel=0.01)
    assert electrons.std() == pytest.approx(np.sqrt(expected + 50**2), rel=0.05)


# Light falls off towards the border by the share that was asked for.
def test_uneven_light():
    flat, uneven = (
        simulate_stain(spec(count=0, debris=0, photons=1e6, read_noise=0, bit_depth=16, unevenness=u)).image
        for u in (0.0, 0.5)
    )
    dark = CAMERA_OFFSET * 65535
    share = (ndimage.uniform_filter(uneven.astype(float), 9) - dark) / (flat.mean() - dark)
    assert share.max() == pytest.approx(1.0, abs=0.03)
    assert share.min() == pytest.approx(0.5, abs=0.05)


# Debris is bright, and no object of the truth.
def test_debris_is_no_cell():
    clean, dirty = (simulate_stain(spec(count=0, debris=n, photons=1e5, read_noise=0)) for n in (0, 40))
    assert dirty.image.max() > 2 * clean.image.max()
    assert dirty.labels.max() == 0


# A camera of 8 bits gives uint8, of 12 and 16 bits uint16 that uses its range and no more.
@pytest.mark.parametrize(("bit_depth", "sample_type"), [(8, np.uint8), (12, np.uint16), (16, np.uint16)])
def test_bit_depth(bit_depth, sample_type):
    image = simulate_stain(spec(bit_depth=bit_depth)).image
    assert image.dtype == sample_type
    assert 2 ** (bit_depth - 1) < image.max() <= 2**bit_depth - 1


# The scale bar is as long as its label says at the given pixel size, and no cell lies under it.
def test_scale_bar():
    wanted = spec(scale_bar=True, pixel_size_um=0.25)
    field = simulate(wanted)
    bar = field.scale_bar
    assert bar is not None
    assert (bar.label, bar.length_um, bar.length_px) == ("10 \u00b5m", 10.0, 40)
    channel = field.channels[Stain.NUCLEI]
    lowest = channel.image[SMALL["height_px"] - 10]
    runs = [len(list(run)) for bright, run in itertools.groupby(lowest == 255) if bright]
    assert max(runs) == 40
    assert not channel.labels[bar.area(*channel.labels.shape)].any()
    assert simulate(spec(pixel_size_um=0.25)).scale_bar is None


# Below a micrometre the label is in nanometres.
def test_scale_bar_in_nanometres():
    bar = ScaleBar.fitting(200, 0.002)
    assert (bar.label, bar.length_px) == ("100 nm", 50)


# A full field still gets all its cells, the last ones smaller.
def test_crowded_fields_get_every_cell():
    wanted = SimulationSpec(seed=1, width_px=256, height_px=256, diameter_px=14, count=80)
    assert np.unique(simulate_stain(wanted).labels).size == 81


# Where a scale bar leaves no room, the field is refused instead of tried for ever.
def test_no_room_is_refused():
    with pytest.raises(InvalidRequestError, match="find no room"):
        simulate(
            SimulationSpec(
                width_px=64, height_px=64, diameter_px=16, count=4, pixel_size_um=1.0, scale_bar=True
            )
        )


# What cannot be drawn is refused with the reason.
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": 900}, "do not fit"),
        ({"scale_bar": True}, "needs pixel_size_um"),
        ({"overlap": 0.9}, "overlap"),
        ({"bit_depth": 10}, "bit_depth"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_impossible_fields_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        spec(**changes)


# A series goes through every combination of overlap and blur with the same spread of counts.
def test_a_series_covers_its_combinations():
    series = SeriesSpec(
        **SMALL, images=32, overlaps=(0.0, 0.2), blurs_px=(0.0, 1.0), count_min=2, count_max=20
    )
    fields = [series.field(i) for i in range(32)]
    assert len({field.seed for field in fields}) == 32
    counts = {}
    for field in fields:
        counts.setdefault((field.overlap, field.blur_px), []).append(field.count)
    assert set(counts) == {(0.0, 0.0), (0.2, 0.0), (0.0, 1.0), (0.2, 1.0)}
    spread = {tuple(values) for values in counts.values()}
    assert len(spread) == 1
    (values,) = spread
    assert min(values) >= 2
    assert max(values) <= 20
    assert max(values) - min(values) >= 12


# A longer series begins with the shorter one.
def test_a_longer_series_begins_with_the_shorter():
    short, long = (SeriesSpec(**SMALL, images=n, count_max=20) for n in (4, 400))
    assert [short.field(i) for i in range(4)] == [long.field(i) for i in range(4)]


# A series is refused where its largest field would not fit.
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count_max": 500}, "do not fit"),
        ({"count_min": 9, "count_max": 8}, "less than"),
        ({"overlaps": ()}, "overlaps"),
    ],
)
def test_impossible_series_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        SeriesSpec(**{**SMALL, "count_max": 20, **changes})
