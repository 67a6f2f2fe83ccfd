"""Which data a task reads, as suites write it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from evaluator.datasets.basis import (
    CLASSIFICATION,
    COUNTING,
    SEGMENTATION,
    VQA,
    FolderSpec,
    LoaderSpec,
    NamedPartsSpec,
    OneOrSeveral,
    given,
    is_absent,
)
from evaluator.datasets.patterns import PathPattern, PatternText, names_in
from evaluator.datasets.public_specs import (
    Bbbc005Spec,
    CocoSpec,
    CtcSpec,
    Dsb2018Spec,
    MicroVqaSpec,
    ViaSpec,
    VocSpec,
)
from evaluator.records import TaskKind
from evaluator.simulate.spec import SeriesSpec

LABEL = "label"
"""The name in a pattern that stands for the class."""


class SimulatedSpec(SeriesSpec, LoaderSpec):
    """Cells that are drawn, not photographed; needs no folder. Slices: overlap, blur."""

    kinds = frozenset({SEGMENTATION, COUNTING})
    loader: Literal["simulated"]

    @property
    def axes(self) -> tuple[str, ...]:
        """Axes by which the samples can be sliced."""
        return ("overlap", "blur")


def _only_source(image: str) -> str:
    stray = set(names_in(image)) - {"source"}
    if stray:
        raise ValueError(f"{{{min(stray)}}}: there is only {{source}}")
    return image


def _identity_of_list(labels: object) -> object:
    return {label: label for label in labels} if isinstance(labels, list | tuple) else labels


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
        keep_top_px: show only so many rows of pixels from the top, as where an instrument's bar is burnt in
            below; absent: all.
        cluster, slices: names in the patterns.
    """

    kinds = frozenset({CLASSIFICATION})
    loader: Literal["class_folders"]
    patterns: Annotated[tuple[PatternText, ...], Field(min_length=1)] = ("{label}/{name}",)
    labels: Labels
    examples: ExamplesSpec | None = None
    keep_top_px: Annotated[int, Field(gt=0)] | None = Field(default=None, exclude_if=is_absent)

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


class StackPairsSpec(NamedPartsSpec):
    """A stack of images and a stack of label images, as multi-page TIFF; each plane is a sample.

    Attributes:
        image, truth: as in `ImageLabelPairsSpec`.
        cluster, slices: names in the pattern; by default the planes of a stack are a cluster.
    """

    kinds = frozenset({SEGMENTATION, COUNTING})
    loader: Literal["stack_pairs"]
    image: PatternText
    truth: PatternText

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        needed = {*names_in(self.truth), *self.slices, *given(self.cluster)}
        _need(needed, PathPattern.parse(self.image))
        return self


class TableSpec(NamedPartsSpec):
    """A CSV (with a header), JSON Lines or JSON file of images and answers: classes, or counts.

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
    image: OneOrSeveral = ()
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


class QuestionsSpec(NamedPartsSpec):
    """A CSV (with a header), JSON Lines or JSON file of images, questions in words and their answers.

    Attributes:
        table: path of the file.
        member: of a JSON file that is an object, the member that has the rows: a list of objects, or an
            object, whose names are then the column "key"; its values are objects or the column "value".
            Absent: the file is the list.
        image: path of an image, as in `TableSpec.image`.
        question: the column with the question.
        ask: one question for all rows instead; columns stand in braces, as "How large are the {kind}?".
        answer: the column with the answer: a number, or a text; of several wordings, one a line.
        options: the column with the options of a choice, as a list in JSON or Python; a row without any is no
            choice.
        correct_index: the column with the place of the right option, from 0, instead of `answer`.
        unit: of answers that are numbers, for example "um", or a column in braces; empty: numbers have none.
        tolerance: how far off a number may be, as a part of it; a column, or one number for all rows.
        skip_missing: leave rows without an image file out, instead of refusing the table.
    """

    kinds = frozenset({VQA})
    loader: Literal["questions"]
    table: str
    member: str | None = Field(default=None, exclude_if=is_absent)
    image: OneOrSeveral
    question: str | None = None
    ask: str | None = None
    answer: str | None = None
    options: str | None = None
    correct_index: str | None = None
    unit: str = ""
    tolerance: str | Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    skip_missing: bool = False

    @model_validator(mode="after")
    def _check_columns(self) -> Self:
        if (self.question is None) == (self.ask is None):
            raise ValueError("question or ask is needed, and not both")
        if (self.answer is None) == (self.correct_index is None):
            raise ValueError("answer or correct_index is needed, and not both")
        if self.correct_index is not None and self.options is None:
            raise ValueError("options: correct_index is a place among them")
        return self


class AnswersSpec(FolderSpec):
    """What models wrote in an earlier evaluation, for a judge to grade: `samples.parquet` of its report.

    The models that are asked are the judges; the slices "model" are the graded ones.

    Attributes:
        table: path of the file.
        task: of that evaluation; its truth is the reference.
        ask: the question that was answered.
        image: path of an image; `{source}` is where the file says that the sample came from.
        rubric: version of the words in which the judge is asked.
    """

    kinds = frozenset({VQA})
    loader: Literal["answers"]
    table: str
    task: str
    ask: str
    image: Annotated[str, AfterValidator(_only_source)] = "{source}"
    rubric: Literal["v1"] = "v1"

    @property
    def axes(self) -> tuple[str, ...]:
        """Axes by which the samples can be sliced."""
        return ("model",)


FolderDatasetSpec = (
    Bbbc005Spec
    | Dsb2018Spec
    | VocSpec
    | CocoSpec
    | ViaSpec
    | CtcSpec
    | MicroVqaSpec
    | ClassFoldersSpec
    | ImageLabelPairsSpec
    | StackPairsSpec
    | TableSpec
    | QuestionsSpec
    | AnswersSpec
)
DatasetSpec = Annotated[SimulatedSpec | FolderDatasetSpec, Field(discriminator="loader")]
