"""Suites: which tasks on which data, written in YAML and checked to the last field."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from evaluator.corruptions.plan import FAULT_AXIS, SEVERITY_AXIS, CorruptionSpec, one_or_several
from evaluator.datasets.specs import ClassFoldersSpec, DatasetSpec, TableSpec
from evaluator.metrics.catalogue import HEADLINES, METRICS
from evaluator.records import TaskKind
from evaluator.task_parts import (
    QUESTION_VERSIONS,
    Filters,
    ImportSpec,
    Name,
    PromptSpec,
    ReferenceSpec,
    TunedSpec,
)
from hooke import Prompt
from hooke.errors import FieldViolation, InvalidRequestError

FOLDER = Path(__file__).parent / "suites"
MAX_CHARACTERS = 64 * 1024
"""A suite of a thousand classes is smaller, and reading more than that takes seconds."""
OBJECTS_AXIS = "objects"
"""Slices by the number of objects in an image; every segmentation and counting task has it."""
Size = Annotated[float, Field(gt=0)]


class TaskSpec(BaseModel):
    """One question on one dataset.

    Attributes:
        name: unique in the suite.
        description: what is asked, for the reader of the report.
        expected_diameter_px, expected_diameter_um: hint for models that find objects; at most one.
        prompt: how the question is put into words; by default the service's own way.
        filters: which part of what a model wrote is read as its answer. The first one decides; what others
            make of the same answers stands apart in the report. Absent: the whole text, by the rules of
            docs/prompting.md, which hold for what a filter leaves, too.
        imported: predictions made elsewhere, which are scored and compared like those of the models.
        tuned_on: samples that parameters of models were tuned on: left out of the figures of these models,
            with all that share a cluster with them.
        corruption: faults of acquisition, one or a list: every image comes clean and with each of them in
            each of its severities, and the report says how much of the headline metric is left.
        references: figures that others published for the same question.
        repeats: times that a model is asked about each sample, 1 to 20: the figures are over all answers,
            with samples as clusters, and the report says how stable they are. A model that draws draws anew.
        metrics: further ones beside those that every task of the kind has: "coco_ap", with coco_ap50 and
            coco_ap75, for models that give a score to every object.
        headline: the metric to look at first; by default the one of `HEADLINES`.
        slices: axes by which results are broken down: those of the loader, and "objects" (how many there
            are, in five ranges). Empty: every axis that the data has.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    kind: TaskKind
    dataset: DatasetSpec
    description: str = ""
    expected_diameter_px: Size | None = None
    expected_diameter_um: Size | None = None
    prompt: PromptSpec | None = None
    filters: Filters = Field(default_factory=dict)
    imported: tuple[ImportSpec, ...] = ()
    tuned_on: tuple[TunedSpec, ...] = ()
    corruption: Annotated[tuple[CorruptionSpec, ...], BeforeValidator(one_or_several)] = ()
    references: tuple[ReferenceSpec, ...] = ()
    repeats: Annotated[int, Field(ge=1, le=20)] = 1
    metrics: tuple[Literal["coco_ap"], ...] = ()
    headline: str = ""
    slices: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        try:
            self.dataset.check_kind(self.kind)
        except ValueError as error:
            raise ValueError(f"dataset: {self.dataset.loader} {error}") from error
        if self.expected_diameter_px is not None and self.expected_diameter_um is not None:
            raise ValueError("expected_diameter_px and expected_diameter_um exclude each other")
        if not self.kind.counts_objects and (self.expected_diameter_px or self.expected_diameter_um):
            raise ValueError(f"an expected diameter says nothing to {self.kind}")
        if self.prompt is not None:
            self._check_prompt(self.prompt)
        if self.filters and self.kind is TaskKind.SEGMENTATION:
            raise ValueError("filters: segmentation is not answered in words")
        if not self.dataset.has_images and not self.imported:
            raise ValueError("imported: without images there is nothing but imported predictions to score")
        repeated = _repeated([spec.model for spec in self.imported])
        if repeated:
            raise ValueError(f"imported: the model {repeated!r} stands twice")
        self._check_corruption()
        if self.metrics and self.kind is not TaskKind.SEGMENTATION:
            raise ValueError("metrics: coco_ap is a metric of segmentation")
        names = [each.name for each in METRICS[self.kind] if not (each.calibration or each.optional)]
        if self.headline and self.headline not in names:
            raise ValueError(
                f"headline: {self.headline!r} is not a metric of {self.kind}: {', '.join(names)}"
            )
        known = [metric.name for metric in METRICS[self.kind]]
        stray = next((place for place, ref in enumerate(self.references) if ref.metric not in known), None)
        if stray is not None:
            told = f"references[{stray}].metric: {self.references[stray].metric!r}"
            raise ValueError(f"{told} is not a metric of {self.kind}: {', '.join(known)}")
        axes = (
            *self.dataset.axes,
            *((FAULT_AXIS, SEVERITY_AXIS) if self.corruption else ()),
            *((OBJECTS_AXIS,) if self.kind.counts_objects else ()),
        )
        unknown = [axis for axis in self.slices if axis not in axes]
        if unknown:
            raise ValueError(f"slices: {unknown[0]!r} is not one of {', '.join(axes) or 'none'}")
        return self

    def _check_corruption(self) -> None:
        repeated = _repeated([spec.kind for spec in self.corruption])
        if repeated:
            raise ValueError(f"corruption: {repeated!r} stands twice")
        if self.corruption and self.repeats > 1:
            raise ValueError("corruption: the faults of a task with repeats cannot be told from chance")
        if self.corruption and self.imported:
            raise ValueError("corruption: imported predictions were made of other images")
        taken = sorted({FAULT_AXIS, SEVERITY_AXIS} & set(self.dataset.axes))
        if self.corruption and taken:
            raise ValueError(f"corruption: the dataset has an axis {taken[0]!r} of its own")

    def _check_prompt(self, prompt: PromptSpec) -> None:
        if self.kind is TaskKind.SEGMENTATION:
            raise ValueError("prompt: segmentation is not asked in words")
        if self.kind is not TaskKind.VQA:
            if prompt.template:
                raise ValueError(f"prompt.template: {self.kind} is put into words by the models' services")
        elif not prompt.template and prompt.version not in QUESTION_VERSIONS:
            raise ValueError(f"prompt.version: one of {', '.join(QUESTION_VERSIONS)}")
        elif prompt.answer_mode is not None:
            raise ValueError("prompt.answer_mode: questions in words are answered in words")

    def answers_of(self, model: str) -> int:
        """Answers of a model to each sample; there is one of an imported one."""
        return 1 if any(table.model == model for table in self.imported) else self.repeats

    def names_tuned(self, model: str) -> bool:
        """True if it names samples that a model was tuned on, whether or not there are any of them."""
        return any(model in tuned.models or not tuned.models for tuned in self.tuned_on)

    @property
    def headline_metric(self) -> str:
        """Name of the metric to look at first."""
        return self.headline or HEADLINES[self.kind]

    @property
    def label_schema(self) -> Mapping[str, str]:
        """Class as the data has it -> as models are asked; empty but for classification."""
        labels = self.dataset.labels if isinstance(self.dataset, ClassFoldersSpec | TableSpec) else None
        return labels or {}

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, as models are asked; empty but for classification."""
        return tuple(dict.fromkeys(self.label_schema.values()))

    @property
    def wording(self) -> Prompt | None:
        """How the question is put into words, as the client takes it."""
        return None if self.prompt is None else Prompt(**self.prompt.model_dump(exclude={"template"}))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what is asked: kind, dataset, faults, size and words; not names and descriptions."""
        fields = {"kind", "dataset", "expected_diameter_px", "expected_diameter_um", "prompt"}
        # Only where there are any: tasks without them keep the digest under which they were run before.
        asked = self.model_dump_json(include=fields | {"corruption"} if self.corruption else fields)
        return hashlib.sha256(asked.encode()).hexdigest()


class Suite(BaseModel):
    """Tasks that are run together and reported together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    description: str = ""
    tasks: tuple[TaskSpec, ...]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.tasks:
            raise ValueError("tasks: there are none")
        repeated = _repeated([task.name for task in self.tasks])
        if repeated:
            raise ValueError(f"tasks: the name {repeated!r} stands twice")
        return self

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything in the suite."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def _repeated(names: Sequence[str]) -> str | None:
    """The first name that stands twice."""
    return next((name for place, name in enumerate(names) if name in names[:place]), None)


class _Loader(yaml.SafeLoader):
    """Plain data only: no aliases, which can expand without bound, and no key twice."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not read here")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key) for key, _ in node.value]
        for place, key in enumerate(keys):
            if key in keys[:place]:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {key!r} stands twice", problem_mark=node.value[place][0].start_mark
                )
        return super().construct_mapping(node, deep)


def load_suite(text: str) -> Suite:
    """Read a suite.

    Args:
        text: YAML.

    Raises:
        InvalidRequestError: names every faulty field.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidRequestError(f"the suite has {len(text)} characters, at most {MAX_CHARACTERS} are read")
    try:
        # Through JSON, so that pydantic can be strict and still take a list for a tuple.
        data = json.dumps(yaml.load(text, Loader=_Loader), allow_nan=False)  # noqa: S506  # a SafeLoader
    except (yaml.YAMLError, RecursionError, TypeError, ValueError) as error:
        raise InvalidRequestError(f"the suite is not plain YAML: {error}") from error
    try:
        return Suite.model_validate_json(data, strict=True)
    except ValidationError as error:
        violations = [
            FieldViolation(_path(detail["loc"]), detail["msg"].removeprefix("Value error, "))
            for detail in error.errors(include_url=False, include_input=False)
        ]
        told = "; ".join(f"{violation.field}: {violation.description}" for violation in violations)
        raise InvalidRequestError(f"the suite is not valid: {told}", violations=violations) from error


def _path(location: tuple[int | str, ...]) -> str:
    """`("tasks", 0, "dataset", "voc", "classes")` -> `suite.tasks[0].dataset.voc.classes`."""
    return "suite" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)


def builtin_suite_names() -> tuple[str, ...]:
    """Names of the suites that come with the evaluator, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def builtin_suite(name: str) -> Suite:
    """Read a suite that comes with the evaluator.

    Raises:
        InvalidRequestError: there is none of this name; says which there are.
    """
    names = builtin_suite_names()
    if name not in names:
        violation = FieldViolation("suite_name", f"one of {', '.join(names)}")
        raise InvalidRequestError(
            f"no suite is called {name!r}; there are {', '.join(names)}", violations=[violation]
        )
    return load_suite((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
