"""The task classes: what a model is asked, what it answers, and what it must implement.

A model is one class that implements as many of `Segmenter`, `Counter` and `Classifier` as it can. It never
sees protobuf or gRPC. The runtime builds it, calls `load()` once, then the task methods with one or more
tasks at a time, then `close()`; all of them on the same worker (a thread, or a process of its own), never
two at a time, so a model needs no locks.

Whatever can segment can count: see `runtime.inference_servicer`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from hooke.images import Micrograph
from hooke.types import Box, IntensityRange, Licences, UsedParameter


class Parameters(BaseModel):
    """A model's own parameters: field for field those of its message in the wire's `oneof parameters`.

    Enum values arrive as lower-case text without their prefix, unspecified and absent ones as None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a user must know before trusting a model; fields as in the wire's ModelInfo."""

    version: str
    description: str
    licences: Licences
    max_image_pixels: int
    """Largest image, in rows times columns."""
    max_channel_count: int
    """Most channels that the model looks at; more is an error unless the request selects."""
    weights_digest: str | None = None
    score_meaning: str = ""
    examples_required: bool = False
    device: str = "cpu"
    """Where it runs, for example "cuda:0"."""


@dataclass(frozen=True, slots=True, eq=False)
class SegmentTask:
    """Find the objects of one image.

    `image` is two-dimensional: axes "YX", "YXC" or "YXS". `parameters` is of the model's
    `parameters_type`, or None for its defaults.
    """

    image: Micrograph
    expected_diameter_px: float | None = None
    parameters: Any = None


@dataclass(frozen=True, slots=True, eq=False)
class CountTask:
    """Count the objects of one image; the fields are those of SegmentTask."""

    image: Micrograph
    expected_diameter_px: float | None = None
    parameters: Any = None


@dataclass(frozen=True, slots=True, eq=False)
class ClassifyTask:
    """Choose one of `labels` for one image; `examples` are pairs of an image and its label."""

    image: Micrograph
    labels: tuple[str, ...]
    examples: tuple[tuple[Micrograph, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """The objects of one image.

    Attributes:
        labels: H x W integers, 0 background, 1..N the objects without gaps.
        scores: N numbers from 0 to 1 in the order of the labels, or None.
        parameters: the parameters as used, chosen ones included.
        info_bar: the instrument's banner that was left out, in pixels.
        intensity_ranges: how raw intensities were mapped, one for each channel; empty: not at all.
    """

    labels: NDArray[np.integer[Any]]
    scores: NDArray[np.float64] | None = None
    parameters: tuple[UsedParameter, ...] = ()
    info_bar: Box | None = None
    intensity_ranges: tuple[IntensityRange, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class ObjectCount:
    """The number of objects of one image, for models that count without masks."""

    count: int
    parameters: tuple[UsedParameter, ...] = ()
    intensity_ranges: tuple[IntensityRange, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Classification:
    """A probability for each label of the task, in the task's order; they sum to 1."""

    probabilities: tuple[float, ...]
    parameters: tuple[UsedParameter, ...] = ()
    intensity_ranges: tuple[IntensityRange, ...] = ()


class Model(ABC):
    """What every model has: a name, a beginning and an end."""

    name: ClassVar[str]
    """Name that requests use."""
    parameters_type: ClassVar[type[Parameters] | None] = None
    """Its own parameters; the field of `oneof parameters` has the model's name."""
    max_batch_size: ClassVar[int] = 1
    """Most tasks that it gains from computing together; the operator may lower or raise it."""

    @abstractmethod
    def load(self) -> ModelCard:
        """Bring the model into memory; called once, before anything else. Heavy imports go here."""

    def close(self) -> None:
        """Let go of what `load` took; called once, last. Nothing by default."""


class Segmenter(Model):
    """A model that finds objects."""

    @abstractmethod
    def segment(self, tasks: Sequence[SegmentTask]) -> Sequence[Segmentation]:
        """Answer every task, in order. A HookeError raised here reaches the caller of a lone task."""


class Counter(Model):
    """A model that counts without finding."""

    @abstractmethod
    def count(self, tasks: Sequence[CountTask]) -> Sequence[ObjectCount]:
        """Answer every task, in order."""


class Classifier(Model):
    """A model that chooses between classes."""

    @abstractmethod
    def classify(self, tasks: Sequence[ClassifyTask]) -> Sequence[Classification]:
        """Answer every task, in order. Raises ExamplesRequiredError where it needs examples."""
