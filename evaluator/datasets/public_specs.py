"""Which data a task reads, where they have the layout of a public set."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from evaluator.datasets.basis import (
    COUNTING,
    SEGMENTATION,
    VQA,
    FolderSpec,
    NamedPartsSpec,
    OneOrSeveral,
    given,
)
from evaluator.datasets.patterns import PathPattern, PatternText


class Bbbc005Spec(FolderSpec):
    """BBBC005: `SIMCEPImages_A13_C53_F1_s09_w2.TIF`, and masks of the same name in a folder `*ground_truth*`.

    Segmentation reads the images that have a mask. Slices: blur (the F of the name). Cluster: the well.

    Attributes:
        stain: w1 cell bodies, w2 nuclei.
    """

    kinds = frozenset({SEGMENTATION, COUNTING})
    loader: Literal["bbbc005"]
    stain: Literal["w1", "w2"]

    @property
    def axes(self) -> tuple[str, ...]:
        """Axes by which the samples can be sliced."""
        return ("blur",)


class Dsb2018Spec(FolderSpec):
    """DSB 2018: `<id>/images/<id>.png` and one mask for each object in `<id>/masks/`.

    Slices: modality (dark, bright, stained).
    """

    kinds = frozenset({SEGMENTATION, COUNTING})
    loader: Literal["dsb2018"]

    @property
    def axes(self) -> tuple[str, ...]:
        """Axes by which the samples can be sliced."""
        return ("modality",)


class VocSpec(FolderSpec):
    """Pascal VOC, as BCCD: `Annotations/*.xml` beside `JPEGImages/`; counts the boxes.

    Attributes:
        classes: names of the objects to count; empty: all.
        split: only images listed in `ImageSets/Main/<split>.txt`.
    """

    kinds = frozenset({COUNTING})
    loader: Literal["voc"]
    classes: tuple[str, ...] = ()
    split: str | None = None


class CocoSpec(NamedPartsSpec):
    """COCO, as LIVECell: JSON files of outlines, beside the images.

    Outlines are polygons or run lengths. Where some overlap, a pixel belongs to the smallest object. An image
    is found by the path that the file gives it, or else by the end of that path. Images with a crowd, many
    objects under one outline, are left out: how many objects they show is not known.

    Attributes:
        annotations: paths of the JSON files.
        categories: names of the objects to find; empty: all.
        names: pattern of the images' file names, as in `ClassFoldersSpec.patterns`, for cluster and slices;
            every image must fit.
        skip_missing: leave images out that are not there, instead of refusing the file.
    """

    kinds = frozenset({SEGMENTATION, COUNTING})
    loader: Literal["coco"]
    annotations: OneOrSeveral
    categories: tuple[str, ...] = ()
    names: PatternText | None = None
    skip_missing: bool = False

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        known = () if self.names is None else PathPattern.parse(self.names).names
        unknown = sorted({*self.slices, *given(self.cluster)} - set(known))
        if unknown:
            raise ValueError(f"names: there is no {{{unknown[0]}}}")
        return self


class ViaSpec(FolderSpec):
    """VGG Image Annotator 2: JSON projects of regions, beside the images.

    Regions are polygons, polylines (which are closed), rectangles, circles and ellipses. Images are found by
    their file names; the keys and sizes of a project are not read. Where regions overlap, a pixel belongs to
    the smallest one.

    Attributes:
        projects: paths of the JSON files.
        skip_missing: leave images out that are not there, instead of refusing the project.
    """

    kinds = frozenset({SEGMENTATION, COUNTING})
    loader: Literal["via"]
    projects: OneOrSeveral
    skip_missing: bool = False


class CtcSpec(FolderSpec):
    """Cell Tracking Challenge: `01/t000.tif`, `01_GT/SEG/man_seg000.tif`, `01_GT/TRA/man_track000.tif`.

    Counts are those of the tracking truth, which has every cell of every frame. Outlines are sparse: of some
    frames there are none, and of others only those of some cells. Slices: sequence. Cluster: the sequence.

    Attributes:
        outlines: gold (by people, `_GT/SEG`) or silver (by programs that agree, `_ST/SEG`).
        partial: read frames, too, of which only some cells are outlined; a cell that is found and has no
            outline then counts as spurious.
    """

    kinds = frozenset({SEGMENTATION, COUNTING})
    loader: Literal["ctc"]
    outlines: Literal["gold", "silver"] = "gold"
    partial: bool = False

    @property
    def axes(self) -> tuple[str, ...]:
        """Axes by which the samples can be sliced."""
        return ("sequence",)


class MicroVqaSpec(NamedPartsSpec):
    """MicroVQA: Parquet files of choices about one image or several.

    Columns: `question`, `choices`, `correct_index` (from 0) and `images_list` (the images' bytes). Every file
    `*.parquet` below the folder is read.

    Attributes:
        cluster, slices: further columns.
    """

    kinds = frozenset({VQA})
    loader: Literal["microvqa"]
