"""Which data a task reads, as suites write it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from evaluator.datasets.patterns import PathPattern, PatternText, names_in
from evaluator.records import TaskKind
from evaluator.simulate.spec import SeriesSpec

LABEL = "label"
"""The name in a pattern that stands for the class."""

SEGMENTATION, COUNTING, CLASSIFICATION = TaskKind.SEGMENTATION, TaskKind.COUNTING, TaskKind.CLASSIFICATION


class _Spec(BaseModel):
    """What every loader has."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kinds: ClassVar[frozenset[TaskKind]]
    """The kinds of task that the loader has truth for."""

    @property
    def axes(self) -> tuple[str, ...]:
        """Axes by which the samples can be sliced."""
        return ()

    @property
    def has_images(self) -> bool:
        """False where the images are not at hand, so that only imported predictions can be scored."""
        return True

    def check_kind(self, kind: TaskKind) -> None:
        """Raise ValueError where there is no truth for this kind of task."""
        if kind not in self.kinds:
            raise ValueError(f"has no truth for {kind}, only for {', '.join(sorted(self.kinds))}")


class FolderSpec(_Spec):
    """Data in a folder.

    Attributes:
        folder: relative to the data folder of the evaluation.
        pixel_size_um: physical size of a pixel, where the set's description says so.
    """

    folder: str = "."
    pixel_size_um: Annotated[float, Field(gt=0)] | None = None


class SimulatedSpec(SeriesSpec, _Spec):
    """Cells that are drawn, not photographed; needs no folder. Slices: overlap, blur."""

    kinds = frozenset({SEGMENTATION, COUNTING})
    loader: Literal["simulated"]

    @property
    def axes(self) -> tuple[str, ...]:
        """Axes by which the samples can be sliced."""
        return ("overlap", "blur")


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


def _identity_of_list(labels: object) -> object:
    return {label: label for label in labels} if isinstance(labels, list | tuple) else labels


def _one_or_several(value: object) -> object:
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(value, str) else value


Labels = Annotated[
    dict[str, str],
    BeforeValidator(_identity_of_list),
    Field(min_length=2, description="as the data has it -> as models are asked; a list where both agree"),
]


class ExamplesSpec(BaseModel):
    """How many labelled images a model may look at.

    They are chosen by a hash of their names, each class from as many clusters as it has; nothing of the
    clusters that they come from is ever tested.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    per_class: Annotated[int, Field(ge=1, le=100)]


class NamedPartsSpec(FolderSpec):
    """Data whose paths, or whose table, name what else is known.

    Attributes:
        cluster: the name of what dependent images share, for example a patient.
        slices: names by which to break the results down.
    """

    cluster: str | None = None
    slices: tuple[str, ...] = ()

    @property
    def axes(self) -> tuple[str, ...]:
        """Axes by which the samples can be sliced."""
        return self.slices


def given(name: str | None) -> tuple[str, ...]:
    """The name, if there is one, as a sequence."""
    return () if name is None else (name,)


def _need(names: set[str], pattern: PathPattern) -> None:
    missing = sorted(names - set(pattern.names))
    if missing:
        raise ValueError(f"the pattern {pattern.text!r} lacks {{{missing[0]}}}")


class ClassFoldersSpec(NamedPartsSpec):
    """One folder for each class.

    Attributes:
        patterns: paths below the folder, `{label}` standing for the class, other names in braces for any
            text without "/"; `{name:d}` for digits. The same name twice means the same text twice. The
            first pattern that matches a file reads it.
        labels: the label schema.
        examples: absent: none.
        cluster, slices: names in the patterns.
    """

    kinds = frozenset({CLASSIFICATION})
    loader: Literal["class_folders"]
    patterns: Annotated[tuple[PatternText, ...], Field(min_length=1)] = ("{label}/{name}",)
    labels: Labels
    examples: ExamplesSpec | None = None

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        for text in self.patterns:
            _need({LABEL, *self.slices, *given(self.cluster)}, PathPattern.parse(text))
        return self


class ImageLabelPairsSpec(NamedPartsSpec):
    """An image file and a file that says where its objects are.

    Attributes:
        image: pattern of the images' paths, as in `ClassFoldersSpec.patterns`.
        truth: path of the truth for the same names, for example "masks/{id}.png".
        truth_format: labels (an integer for each object), binary (objects are the connected regions),
            dots (one pixel for each object), blobs (one connected spot for each object).
        cluster, slices: names in the patterns.
    """

    kinds = frozenset({SEGMENTATION, COUNTING})
    loader: Literal["image_label_pairs"]
    image: PatternText
    truth: PatternText
    truth_format: Literal["labels", "binary", "dots", "blobs"] = "labels"

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        needed = {*names_in(self.truth), *self.slices, *given(self.cluster)}
        _need(needed, PathPattern.parse(self.image))
        return self

    def check_kind(self, kind: TaskKind) -> None:
        """Raise ValueError where there is no truth for this kind of task."""
        super().check_kind(kind)
        if kind is SEGMENTATION and self.truth_format in {"dots", "blobs"}:
            raise ValueError(f"truth_format {self.truth_format} says where objects are, not their outlines")


class TableSpec(NamedPartsSpec):
    """A CSV (with a header) or JSON Lines file of images and answers: classes, or counts.

    Attributes:
        table: path of the file.
        image: path of an image, with columns in braces: "images/{file}"; `{id:03}` pads with zeros. Of
            several, the first that is there. Absent: the images are not at hand, and only predictions that
            are imported can be scored.
        row: the column that names each row, where there are no images.
        truth: the column with the answer.
        labels: the label schema; classification only.
        examples: absent: none.
        cluster, slices: columns.
        skip_missing: leave rows without an image file out, instead of refusing the table.
    """

    kinds = frozenset({CLASSIFICATION, COUNTING})
    loader: Literal["table"]
    table: str
    image: Annotated[tuple[str, ...], BeforeValidator(_one_or_several)] = ()
    row: str | None = None
    truth: str
    labels: Labels | None = None
    examples: ExamplesSpec | None = None
    skip_missing: bool = False

    @property
    def has_images(self) -> bool:
        """False where the images are not at hand, so that only imported predictions can be scored."""
        return bool(self.image)

    @model_validator(mode="after")
    def _check_images(self) -> Self:
        if self.has_images == (self.row is not None):
            raise ValueError("image or row is needed, and not both")
        if not self.has_images and self.examples:
            raise ValueError("examples are images; there are none")
        return self

    def check_kind(self, kind: TaskKind) -> None:
        """Raise ValueError where there is no truth for this kind of task."""
        super().check_kind(kind)
        if kind is CLASSIFICATION and self.labels is None:
            raise ValueError("labels: classification needs the label schema")
        if kind is COUNTING and (self.labels or self.examples):
            raise ValueError("labels and examples belong to classification")


FolderDatasetSpec = Bbbc005Spec | Dsb2018Spec | VocSpec | ClassFoldersSpec | ImageLabelPairsSpec | TableSpec
DatasetSpec = Annotated[SimulatedSpec | FolderDatasetSpec, Field(discriminator="loader")]
