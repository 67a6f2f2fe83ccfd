"""Simulated fields as files, in the layout of BBBC005."""

from __future__ import annotations

from pathlib import Path

import tifffile

from evaluator.simulate import simulate
from evaluator.simulate.rendering import Channel
from evaluator.simulate.spec import SeriesSpec, Stain

IMAGES, TRUTH = "BBBC005_v1_images", "BBBC005_v1_ground_truth"
CHANNELS = {Stain.BODIES: "w1", Stain.NUCLEI: "w2"}
WELL_ROWS, WELL_COLUMNS = "ABCDEFGHIJKLMNOP", 24
CENTIMETRE_UM = 10_000


def write_bbbc005_layout(folder: Path, series: SeriesSpec) -> tuple[Path, ...]:
    """Write both stains of every field, and their label images under the same names.

    Field i lies in well i of a plate with 384 wells. As in BBBC005 the name tells the well, the count (C),
    the focus (F: 1 + the blur in px, rounded), the site and the stain. Unlike there, the truth tells
    touching objects apart and exists for every focus.

    Args:
        folder: made where missing; files of the same names are replaced.
        series: what to draw.

    Returns:
        The image files.
    """
    for name in (IMAGES, TRUTH):
        (folder / name).mkdir(parents=True, exist_ok=True)
    written = []
    for index in range(series.images):
        field = simulate(series.field(index))
        site, well = divmod(index, len(WELL_ROWS) * WELL_COLUMNS)
        row, column = divmod(well, WELL_COLUMNS)
        for stain, channel in field.channels.items():
            name = (
                f"SIMCEPImages_{WELL_ROWS[row]}{column + 1:02}_C{field.spec.count}"
                f"_F{1 + round(field.spec.blur_px)}_s{site + 1:02}_{CHANNELS[stain]}.TIF"
            )
            _write(folder / IMAGES / name, channel, folder / TRUTH / name, series.pixel_size_um)
            written.append(folder / IMAGES / name)
    return tuple(written)


def _write(image: Path, channel: Channel, truth: Path, pixel_size_um: float | None) -> None:
    per_centimetre = None if pixel_size_um is None else CENTIMETRE_UM / pixel_size_um
    for path, pixels in ((image, channel.image), (truth, channel.labels)):
        tifffile.imwrite(
            path,
            pixels,
            photometric="minisblack",
            metadata=None,
            software=False,
            resolution=None if per_centimetre is None else (per_centimetre, per_centimetre),
            resolutionunit=None if per_centimetre is None else "CENTIMETER",
        )
