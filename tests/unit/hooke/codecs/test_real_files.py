"""Real micrographs, read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hooke import codecs
from hooke.errors import ImageUnreadableError
from hooke.images import PixelSizeSource

pytestmark = pytest.mark.data


# The sizes that the reference reader of these instruments gives, and none where it gives none.
def test_vendor_files(real_data: Path) -> None:
    folder = real_data / "em_vendor_files"
    truth = json.loads((folder / "TRUTH.json").read_text())["images"]
    found = {}
    for name, known in truth.items():
        if name.endswith(".tif"):
            image = codecs.read(folder / name)
            assert image.axes == "YX"
            found[name] = image.pixel_size
            nanometres = known.get("nm_per_px")
            if image.pixel_size is not None:
                assert image.pixel_size.x_um * 1000 == pytest.approx(nanometres, rel=1e-5)
                assert image.pixel_size.y_um * 1000 == pytest.approx(nanometres, rel=1e-5)
        else:
            with pytest.raises(ImageUnreadableError):
                codecs.read(folder / name)
    sources = {Path(name).name: size.source for name, size in found.items() if size is not None}
    assert sources == {
        "test_tiff_Zeiss_SEM_1k.tif": PixelSizeSource.VENDOR_TAG,
        "FEI-Helios-Ebeam-8bits.tif": PixelSizeSource.VENDOR_TAG,
        "olympus_SIS.tif": PixelSizeSource.VENDOR_TAG,
        "test_loading_image_saved_with_imageJ.tif": PixelSizeSource.IMAGEJ,
    }


# The image of an Olympus file is the 16-bit one behind the preview.
def test_olympus_preview_is_passed_over(real_data: Path) -> None:
    image = codecs.read(real_data / "em_vendor_files/tiff/olympus_SIS.tif")
    assert (image.pixels.dtype.name, image.pixels.shape) == ("uint16", (101, 112))


# Zeiss and TESCAN microscopes with a printed bar: the tags agree with the bar to some per cent.
def test_vendor_tags_agree_with_scale_bars(real_data: Path) -> None:
    folder = real_data / "sem_scalebar_igic"
    truth = json.loads((folder / "TRUTH.json").read_text())["images"]
    assert truth
    for name, known in truth.items():
        image = codecs.read(folder / name)
        assert image.pixel_size is not None
        assert image.pixel_size.source is PixelSizeSource.VENDOR_TAG
        assert image.pixel_size.x_um * 1000 == pytest.approx(known["nm_per_px_metadata"], rel=1e-3)
        assert image.pixel_size.x_um * 1000 == pytest.approx(known["nm_per_px_from_bar"], rel=0.03)


# The files of the CellProfiler examples: grey of 8 and 16 bits, RGB, PackBits; 72 dpi is no pixel size.
def test_cellprofiler_examples(real_data: Path) -> None:
    paths = sorted((real_data / "cellprofiler_examples").rglob("*.tif"))
    assert len(paths) == 11
    for path in paths:
        image = codecs.read(path)
        assert image.pixel_size is None
        assert image.axes == ("YXS" if "Drosophila" in path.name else "YX")
        assert image.pixels.dtype.name == ("uint16" if "Amp5-1" in path.name else "uint8")
        assert image.pixels.max() > image.pixels.min()


# The PNG files of scikit-image: RGB and grey.
def test_skimage_files(real_data: Path) -> None:
    axes = {path.name: codecs.read(path).axes for path in (real_data / "skimage_mahotas").glob("*.png")}
    assert axes == {"ihc.png": "YXS", "cell.png": "YX", "microaneurysms.png": "YX"}
