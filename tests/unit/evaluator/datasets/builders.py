"""Tiny copies of the layouts that loaders read."""

from __future__ import annotations

import csv
import io
import json
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


def coco(folder: Path) -> None:
    """Two images in two folders: three overlapping outlines of two categories; a crowd. A third is empty.

    As some sets do, it begins categories at 0 and names images by a path that is not below the data folder.
    """
    names = ("./data/train/B2_Phase_C7_1.png", "./data/train/B2_Phase_C7_2.png", "other/A9_Phase_C7_3.png")
    for seed, name in enumerate(names):
        put(folder, f"images/{name.removeprefix('./data/')}", png(noise(seed)))
    whole = [0, 12 * 16]
    outlines = [
        (1, 0, 0, [[1, 1, 9, 1, 9, 9, 1, 9]]),
        (1, 1, 0, [[2, 2, 4, 2, 4, 4, 2, 4], [6, 6, 8, 6, 8, 8, 6, 8]]),
        (1, 0, 0, {"size": [12, 16], "counts": [12 * 12, 5, 12 * 4 - 5]}),
        (2, 0, 1, {"size": [12, 16], "counts": whole}),
    ]
    annotations = [
        {"id": number, "image_id": image, "category_id": category, "iscrowd": crowd, "segmentation": form}
        for number, (image, category, crowd, form) in enumerate(outlines)
    ]
    images = [
        {"id": number, "file_name": name, "height": 12, "width": 16}
        for number, name in enumerate(names, start=1)
    ]
    categories = [{"id": 0, "name": "cell"}, {"id": 1, "name": "debris"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    put(folder, "annotations/train.json", json.dumps(content))


def via(folder: Path) -> None:
    """One image with a region of every shape, under a key and a size that are not those of the file."""
    put(folder, "images/tile.png", png(noise(1, (40, 60))))
    shapes: list[dict[str, object]] = [
        {"name": "polygon", "all_points_x": [2, 12, 12, 2], "all_points_y": [2, 2, 12, 12]},
        {"name": "polyline", "all_points_x": [20, 24, 24], "all_points_y": [2, 2, 6]},
        {"name": "rect", "x": 30, "y": 5, "width": 4, "height": 6},
        {"name": "circle", "cx": 20, "cy": 25, "r": 5},
        {"name": "ellipse", "cx": 45, "cy": 25, "rx": 10, "ry": 3, "theta": 0},
    ]
    regions = [{"shape_attributes": shape, "region_attributes": {"Label": "Powder"}} for shape in shapes]
    entry = {"filename": "tile.png", "size": 7, "regions": regions, "file_attributes": {}}
    put(folder, "project.json", json.dumps({"_via_settings": {}, "_via_img_metadata": {"image.png7": entry}}))


def ctc(folder: Path) -> None:
    """Frames of three cells: outlined whole, in part, not at all, by programs; a fifth without any truth."""
    marks = labels_of((0, 0, 2, 2), (5, 5, 2, 2), (9, 12, 2, 2)).astype(np.uint16)
    outlines = labels_of((0, 0, 3, 3), (5, 5, 4, 4), (9, 12, 3, 3)).astype(np.uint16)
    for time in range(5):
        put(folder, f"Fluo/01/t{time:03}.tif", tiff(noise(time)))
        if time < 4:
            put(folder, f"Fluo/01_GT/TRA/man_track{time:03}.tif", tiff(marks * 7))
    put(folder, "Fluo/01_GT/SEG/man_seg000.tif", tiff(outlines))
    put(folder, "Fluo/01_GT/SEG/man_seg001.tif", tiff(np.where(outlines == 2, 2, 0).astype(np.uint16)))
    put(folder, "Fluo/01_ST/SEG/man_seg003.tif", tiff(outlines))
    put(folder, "Fluo/01_GT/TRA/man_track.txt", "1 0 3 0\n")


def stacks(folder: Path, planes: int = 3) -> None:
    """A stack whose planes have 1, 2, ... objects."""
    boxes = [(0, 0, 2, 2), (4, 4, 2, 2), (8, 8, 2, 2)]
    truth = [labels_of(*boxes[: plane + 1]).astype(np.uint16) for plane in range(planes)]
    images = np.stack([noise(plane).astype(np.uint16) for plane in range(planes)])
    put(folder, "a_img.tif", tiff(images, photometric="minisblack"))
    put(folder, "a_mask.tif", tiff(np.stack(truth), photometric="minisblack"))


def microvqa(folder: Path) -> None:
    """Three choices in two row groups; the second is about two images, the third about one that is text."""
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    def images(*seeds: int) -> list[dict[str, object]]:
        return [{"bytes": png(noise(seed)), "path": f"Ribosome_{seed}.png"} for seed in seeds]

    table = pa.table(
        {
            "key_image": [7, 7, 9],
            "question": ["What is it?", "What has changed?", "And here?"],
            "choices": [["ring", "rod", "coil"], ["all", "nothing"], ["yes", "no"]],
            "correct_index": [0, 1, 0],
            "images_list": [images(1), images(2, 3), [{"bytes": b"text", "path": "x.png"}]],
            "task": [1, 2, 3],
        }
    )
    path = folder / "data" / "test-0.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path, row_group_size=2)


def cellpose(folder: Path) -> None:
    """Two images with 16-bit masks."""
    for name, boxes in (("000", [(0, 0, 3, 3)]), ("001", [(0, 0, 3, 3), (5, 5, 3, 3)])):
        put(folder, f"test/{name}_img.png", png(noise(int(name), (12, 16, 3))))
        put(folder, f"test/{name}_masks.png", png(labels_of(*boxes).astype(np.uint16) * 300))


def bbbc006(folder: Path) -> None:
    """Two fields of a well in two planes of focus, with one truth for both planes."""
    for site in (1, 2):
        field = f"mcf-z-stacks-03212011_a01_s{site}"
        for focus in ("00", "16"):
            image = noise(site).astype(np.uint16) * 16 + int(focus)
            put(folder, f"BBBC006_v1_images_z_{focus}/{field}_w1a571d43d-5554.tif", tiff(image))
            put(folder, f"BBBC006_v1_images_z_{focus}/{field}_w2a571d43d-5554.tif", tiff(image))
        put(folder, f"BBBC006_v1_labels/{field}.png", png(labels_of(*[(0, 0, 3, 3), (5, 5, 3, 3)][:site])))


def livecell(folder: Path) -> None:
    """One image of 150 cells, in the folders of LIVECell."""
    places = [(row, column) for row in range(10) for column in range(15)]
    annotations = [
        {
            "id": number,
            "image_id": 3,
            "category_id": 1,
            "iscrowd": 0,
            "segmentation": [[4 * x, 4 * y, 4 * x + 3, 4 * y, 4 * x + 3, 4 * y + 3, 4 * x, 4 * y + 3]],
        }
        for number, (y, x) in enumerate(places)
    ]
    name = "A172_Phase_A7_1_00d00h00m_1.tif"
    content = {
        "images": [{"id": 3, "file_name": name, "height": 40, "width": 60}],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "cell"}],
    }
    put(folder, f"images/livecell_test_images/A172/{name}", tiff(noise(1, (40, 60))))
    put(folder, "annotations/LIVECell/livecell_coco_test.json", json.dumps(content))
