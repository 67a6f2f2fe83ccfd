"""Label images and measurements as files."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import tifffile

from hooke.codecs.write import ome_pixel_size
from hooke.images import PixelSize
from hooke.masks.runs import Labels, check_labels, label_dtype
from hooke.types import Instance

CSV_COLUMNS = (
    "label",
    "area_px",
    "area_um2",
    "equivalent_diameter_px",
    "equivalent_diameter_um",
    "centroid_x_px",
    "centroid_y_px",
    "mean_intensity",
    "score",
    "touches_border",
)


def write_label_tiff(
    path: str | Path | BinaryIO, labels: Labels, pixel_size: PixelSize | None = None
) -> None:
    """Write a label image or volume as a zlib-compressed TIFF file.

    uint16, readable by ImageJ, where the highest label is at most 65,535; else uint32 as OME-TIFF, since
    ImageJ's TIFF has no 32-bit integers.

    Raises:
        ValueError: the array is no label image, or a label does not fit 32 bits.
    """
    check_labels(labels, volume_allowed=True)
    samples = labels.astype(label_dtype(int(labels.max())))
    axes = "ZYX" if labels.ndim == 3 else "YX"
    if samples.dtype == np.uint32:
        metadata = {"axes": axes} if pixel_size is None else {"axes": axes} | ome_pixel_size(pixel_size)
        tifffile.imwrite(path, samples, ome=True, compression="zlib", metadata=metadata)
    elif pixel_size is None:
        tifffile.imwrite(path, samples, imagej=True, compression="zlib", metadata={"axes": axes})
    else:
        spacing = {} if pixel_size.z_um is None else {"spacing": pixel_size.z_um}
        tifffile.imwrite(
            path,
            samples,
            imagej=True,
            compression="zlib",
            resolution=(1 / pixel_size.x_um, 1 / pixel_size.y_um),
            resolutionunit="NONE",
            metadata={"axes": axes, "unit": "um", **spacing},
        )


def write_csv(path: str | Path, instances: Iterable[Instance]) -> None:
    """Write the measurements, one row for each object; what is unknown is an empty cell."""
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(CSV_COLUMNS)
        for found in instances:
            values = (getattr(found, column) for column in CSV_COLUMNS)
            writer.writerow(str(value).lower() if isinstance(value, bool) else value for value in values)
