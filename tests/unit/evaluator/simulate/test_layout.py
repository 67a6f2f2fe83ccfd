"""Simulated fields as files in the layout of BBBC005."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from evaluator.simulate import SeriesSpec, Stain, simulate
from evaluator.simulate.layout import IMAGES, TRUTH, write_bbbc005_layout

SERIES = SeriesSpec(images=3, width_px=128, height_px=96, diameter_px=12, count_max=12, blurs_px=(0.0, 2.0))


# Both stains of every field are written under names of BBBC005, with the label image of the same name.
def test_writes_both_stains_with_truth(tmp_path):
    written = write_bbbc005_layout(tmp_path, SERIES)
    names = [path.name for path in written]
    assert names == sorted(path.name for path in (tmp_path / TRUTH).iterdir())
    assert len(names) == 6
    count = SERIES.field(1).count
    assert f"SIMCEPImages_A02_C{count}_F3_s01_w1.TIF" in names
    assert all(re.fullmatch(r"SIMCEPImages_[A-P]\d\d_C\d+_F\d+_s\d\d_w[12]\.TIF", name) for name in names)
    field = simulate(SERIES.field(0))
    for path, stain in zip(written, (Stain.BODIES, Stain.NUCLEI), strict=False):
        assert np.array_equal(tifffile.imread(path), field.channels[stain].image)
        assert np.array_equal(tifffile.imread(tmp_path / TRUTH / path.name), field.channels[stain].labels)


# The pixel size goes into the file where it is known.
def test_writes_the_pixel_size(tmp_path):
    series = SERIES.model_copy(update={"images": 1, "pixel_size_um": 0.5})
    with tifffile.TiffFile(write_bbbc005_layout(tmp_path, series)[0]) as file:
        page = file.pages.first
        assert page.tags["ResolutionUnit"].value.name == "CENTIMETER"
        assert page.get_resolution("MICROMETER") == pytest.approx((2.0, 2.0))


# The command line writes a folder, and says what is wrong with what it cannot draw.
@pytest.mark.slow
def test_command_line(tmp_path):
    command = [sys.executable, "-m", "evaluator.simulate", str(tmp_path), "--images", "1", "--width", "96"]
    done = subprocess.run([*command, "--count-max", "5"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / IMAGES).iterdir())) == 2
    refused = subprocess.run([*command, "--count-max", "5000"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "do not fit" in refused.stderr
