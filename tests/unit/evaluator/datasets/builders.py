"""Tiny copies of the layouts that loaders read."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def noise(seed: int, shape: tuple[int, ...] = (12, 16)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def put(folder: Path, path: str, data: bytes | str) -> None:
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data.encode() if isinstance(data, str) else data)


def labels_of(*boxes: tuple[int, int, int, int], shape: tuple[int, int] = (12, 16)) -> np.ndarray:
    """Rectangles (top, left, height, width) labelled 1, 2, ..."""
    labels = np.zeros(shape, np.uint8)
    for label, (top, left, height, width) in enumerate(boxes, start=1):
        labels[top : top + height, left : left + width] = label
    return labels


def dsb2018(folder: Path) -> None:
    """Two images: two nuclei of which one overlaps the other; one nucleus on stained ground."""
    image = np.dstack([noise(1)[..., np.newaxis].repeat(3, axis=2) // 8, np.full((12, 16), 255, np.uint8)])
    large, small = labels_of((1, 1, 6, 6)), labels_of((5, 5, 3, 3))
    image[..., :3][(large | small) > 0] += 100
    put(folder, "stage1_train/aa/images/aa.png", png(image))
    put(folder, "stage1_train/aa/masks/m1.png", png(small * 255))
    put(folder, "stage1_train/aa/masks/m2.png", png(large * 255))
    put(
        folder, "stage1_train/bb/images/bb.png", png(np.dstack([noise(2) // 2 + 90, noise(2) // 2, noise(2)]))
    )
    put(folder, "stage1_train/bb/masks/m.png", png(labels_of((2, 2, 4, 4)) * 255))


def voc(folder: Path) -> None:
    """Two images of 3 and 1 boxes; the last box has no area. Only the first is in the test split."""
    for name, cells in (("B_00001", ["RBC", "WBC", "RBC"]), ("B_00007", ["RBC"])):
        put(folder, f"BCCD/JPEGImages/{name}.jpg", png(noise(len(cells), (12, 16, 3))))
        boxes = "".join(
            f"<object><name>{cell}</name><bndbox><xmin>3</xmin><xmax>3</xmax></bndbox></object>"
            for cell in cells
        )
        text = f"<annotation><filename>elsewhere.jpg</filename>{boxes}</annotation>"
        put(folder, f"BCCD/Annotations/{name}.xml", text)
    put(folder, "BCCD/ImageSets/Main/test.txt", "B_00001\n\n")


def malaria(folder: Path, patients: int = 6, each: int = 4) -> None:
    """Class folders in two splits that share patients; some names begin with the class."""
    seed = 0
    for split in ("train", "valid"):
        for label in ("Parasitized", "Uninfected"):
            for patient in range(patients):
                for cell in range(each):
                    prefix = label if (patient + cell) % 3 == 0 else ""
                    name = f"{prefix}C{patient}P{patient}ThinF_IMG_2015_cell_{split}{cell}.png"
                    put(folder, f"cell_images/{split}/{label}/{name}", png(noise(seed)))
                    seed += 1


def pairs(folder: Path) -> None:
    """Two images with a label image (with a gap), a mask, dots and blurred dots each."""
    boxes = {"01": [(0, 0, 3, 3), (5, 5, 3, 3), (9, 12, 2, 2)], "02": [(0, 0, 3, 3)]}
    for name, rectangles in boxes.items():
        labels = labels_of(*rectangles)
        put(folder, f"cells/{name}cell.png", png(noise(int(name), (12, 16, 3))))
        put(folder, f"labels/{name}.png", png(labels.astype(np.uint16) * 1000))
        put(folder, f"masks/{name}.png", png((labels > 0).astype(np.uint8) * 255))
        dots = np.zeros((12, 16, 3), np.uint8)
        for top, left, _, _ in rectangles:
            dots[top, left, 0] = 255
        put(folder, f"cells/{name}dots.png", png(dots))
        spots = np.where(labels > 0, 250, 3).astype(np.uint8)
        put(folder, f"spots/{name}.png", png(spots))


def table(folder: Path) -> None:
    """A CSV with a byte order mark, images named by padded numbers."""
    rows = [("1", "2", "7"), ("2", "1", "0"), ("3", "2", "12"), ("4", "1", "3"), ("5", "5", "4")]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["image ID", "class label", "cells"])
    writer.writerows(rows)
    put(folder, "Class Labels.csv", b"\xef\xbb\xbf" + text.getvalue().encode())
    for number, _, _ in rows:
        buffer = io.BytesIO()
        Image.fromarray(noise(int(number), (12, 16, 3))).save(buffer, "BMP")
        put(folder, f"Dataset 1/{int(number):03}.bmp", buffer.getvalue())


def tiff(pixels: np.ndarray, **fields: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **fields)
    return buffer.getvalue()


def palette_png(indices: np.ndarray) -> bytes:
    image = Image.fromarray(indices)
    image.putpalette([value for index in range(256) for value in (index, 255 - index, 7)])
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
