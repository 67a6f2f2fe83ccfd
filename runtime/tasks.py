"""The task classes: what a model is asked, what it answers, and what it must implement.

A model is one class that implements as many of `Segmenter`, `Counter`, `Classifier` and `Answerer` as it
can. It never sees protobuf or gRPC. The runtime builds it, calls `load()` once, then the task methods with
one or more tasks at a time, then `close()`; all of them on the same worker (a thread, or a process of its
own), never two at a time, so a model needs no locks. Where one task of several fails, its HookeError stands
in the place of its answer (see `runtime.batches.attempt`). Where a task method raises, its tasks are computed
again one by one. A `RemoteAnswerer` asks somebody else and is called on the event loop instead, any number of
times at once.

Whatever can segment can count, and whatever can answer in words can classify and count: see
`runtime.inference_servicer` and `runtime.prompting`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from hooke.errors import HookeError
from hooke.images import Micrograph
from hooke.types import (
    Box,
    FinishReason,
    IntensityRange,
    Licences,
    RenderedImage,
    TokenUsage,
    TurnRole,
    UsedParameter,
)
from runtime.batches import Abandonment

if TYPE_CHECKING:
    from runtime.settings import ModelServerSettings


class Parameters(BaseModel):
    """A model's own parameters: field for field those of its message in the wire's `oneof parameters`.

    Enum values arrive as lower-case text without their prefix, unspecified and absent ones not at all.
    Messages arrive as mappings of the same kind, which a field of a `Parameters` type takes, repeated fields
    as lists, an `Array` as a read-only float32 array.
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
    remote: bool = False
    """True if what it is asked leaves for a provider."""
    unavailable_reason: str = ""
    """What keeps it from answering and how to mend it, for example a missing key. Empty: nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class SegmentTask:
    """Find the objects of one image.

    `image` is two-dimensional, axes "YX", "YXC" or "YXS", or, where the model takes volumes, "ZYX" or "ZYXC".
    `parameters` is of the model's `parameters_type`, or None for its defaults. `abandoned` is set once nobody
    waits for the answer any more: check it between steps that take long.
    """

    image: Micrograph
    expected_diameter_px: float | None = None
    parameters: Any = None
    abandoned: Abandonment = field(default_factory=Abandonment)


@dataclass(frozen=True, slots=True, eq=False)
class CountTask:
    """Count the objects of one image; the fields are those of SegmentTask."""

    image: Micrograph
    expected_diameter_px: float | None = None
    parameters: Any = None
    abandoned: Abandonment = field(default_factory=Abandonment)


@dataclass(frozen=True, slots=True, eq=False)
class ClassifyTask:
    """Choose one of `labels` for one image; `examples` are pairs of an image and its label."""

    image: Micrograph
    labels: tuple[str, ...]
    examples: tuple[tuple[Micrograph, str], ...] = ()
    abandoned: Abandonment = field(default_factory=Abandonment)


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """The objects of one image.

    Attributes:
        labels: H x W integers (Z x H x W for a volume), 0 background, 1..N the objects without gaps; None
            where objects may overlap.
        scores: N numbers from 0 to 1 in the order of the objects, or None.
        parameters: the parameters as used, chosen ones included.
        info_bar: the instrument's banner that was left out, in pixels.
        intensity_ranges: how raw intensities were mapped, one for each channel; empty: not at all.
        rles: instead of `labels`, the mask of each of the N objects as COCO's compressed run-length encoding.
        arrays: what the parameters asked for beside the masks, float32, by name.
        reused: whether what the model keeps of images spared it the dear part; None: it keeps nothing.
    """

    labels: NDArray[np.integer[Any]] | None
    scores: NDArray[np.float64] | None = None
    parameters: tuple[UsedParameter, ...] = ()
    info_bar: Box | None = None
    intensity_ranges: tuple[IntensityRange, ...] = ()
    rles: tuple[bytes, ...] | None = None
    arrays: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    reused: bool | None = None


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


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """What one side said; `images`, 8-bit RGB, stand before the text."""

    role: TurnRole
    text: str
    images: tuple[Micrograph, ...] = ()


class Emitter:
    """Takes the pieces of a text as they are written; may be called from any thread.

    Args:
        send: what is done with each piece.
    """

    def __init__(self, send: Callable[[str], None]) -> None:
        self._send = send
        self.begun = False
        """True once there was a piece: from then on the task cannot be computed again unnoticed."""

    def __call__(self, text: str) -> None:
        """Hand on the next piece."""
        self.begun = True
        self._send(text)


@dataclass(frozen=True, slots=True, eq=False)
class AskTask:
    """Answer the last turn of a conversation in words.

    Attributes:
        turns: the user's and the model's by turns, beginning and ending with the user's.
        instructions: what to keep to in all that is said; may be empty.
        schema: JSON schema that the text must follow; only for models with `structured_output`.
        parameters: of the model's `parameters_type`, or None for its defaults.
        timeout_s: time that the caller had left when the task was made; None: no end.
        emit: takes each piece of the text as it is written, if the caller wants to read along.
        abandoned: set once nobody waits for the answer any more: stop writing and return what there is.
    """

    turns: tuple[Turn, ...]
    instructions: str = ""
    schema: Mapping[str, Any] | None = None
    parameters: Any = None
    timeout_s: float | None = None
    emit: Emitter | None = None
    abandoned: Abandonment = field(default_factory=Abandonment)

    @property
    def images(self) -> tuple[Micrograph, ...]:
        """The images of all turns, in order."""
        return tuple(image for turn in self.turns for image in turn.images)


@dataclass(frozen=True, slots=True, eq=False)
class ScoreTask:
    """Say how likely each of `labels` is as the answer to the last turn; otherwise as AskTask."""

    turns: tuple[Turn, ...]
    labels: tuple[str, ...]
    instructions: str = ""
    parameters: Any = None
    abandoned: Abandonment = field(default_factory=Abandonment)

    @property
    def images(self) -> tuple[Micrograph, ...]:
        """The images of all turns, in order."""
        return tuple(image for turn in self.turns for image in turn.images)


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What a provider says of how much more it takes; None where it does not say."""

    remaining_requests: int | None = None
    remaining_tokens: int | None = None
    reset_s: float | None = None
    """Seconds until what was used up is there again."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a model wrote.

    Attributes:
        text: all of it.
        finish_reason: why it ends where it ends.
        usage: tokens, and what they cost.
        parameters: the parameters as used, chosen ones included.
        rendered: for each image of the task what the model saw of it, where that is not the image as given
            (it was scaled down, or encoded); empty: the images as given.
        model_version: what the provider says answered; None: as in the card.
        limits: what the provider says of how much more it takes.
    """

    text: str
    finish_reason: FinishReason = FinishReason.STOP
    usage: TokenUsage | None = None
    parameters: tuple[UsedParameter, ...] = ()
    rendered: tuple[RenderedImage, ...] = ()
    model_version: str | None = None
    limits: RateLimits | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LabelScores:
    """A probability for each label of a ScoreTask, in its order; they sum to 1. Otherwise as Answer."""

    probabilities: tuple[float, ...]
    usage: TokenUsage | None = None
    parameters: tuple[UsedParameter, ...] = ()
    rendered: tuple[RenderedImage, ...] = ()


class Model(ABC):
    """What every model has: a name, a beginning and an end."""

    name: ClassVar[str]
    """Name that requests use."""
    parameters_type: ClassVar[type[Parameters] | None] = None
    """Its own parameters; the field of `oneof parameters` has the model's name."""
    libraries: ClassVar[tuple[str, ...]] = ()
    """Top-level modules of its own extra that `load` imports; its service looks for them before it starts."""
    max_batch_size: ClassVar[int] = 1
    """Most tasks that it gains from computing together; the operator may lower or raise it."""
    mixed_batches: ClassVar[bool] = False
    """True if tasks of different sizes, types and parameters may be computed together."""
    sees_rgb8: ClassVar[bool] = False
    """True if its images are to come as 8-bit RGB, axes "YXS"; the runtime stretches the intensities. Objects
    are measured on the raw samples all the same."""
    reads_diameter: ClassVar[bool] = True
    """False if `expected_diameter_px` changes nothing: it finds objects of any size, or takes words."""

    @classmethod
    def from_settings(cls, settings: ModelServerSettings) -> Self:
        """Build the model, unloaded; `settings` are of the type that its service is started with."""
        del settings
        return cls()

    @abstractmethod
    def load(self) -> ModelCard:
        """Bring the model into memory; called once, before anything else. Heavy imports go here."""

    def close(self) -> None:
        """Let go of what `load` took; called once, last. Nothing by default."""


class Segmenter(Model):
    """A model that finds objects."""

    @classmethod
    def takes_volume(cls, parameters: Any) -> bool:
        """Whether a task with these parameters is about a whole stack: its image then keeps the axis Z."""
        del parameters
        return False

    @abstractmethod
    def segment(self, tasks: Sequence[SegmentTask]) -> Sequence[Segmentation | HookeError]:
        """Answer every task, in order."""


class Counter(Model):
    """A model that counts without finding."""

    @abstractmethod
    def count(self, tasks: Sequence[CountTask]) -> Sequence[ObjectCount | HookeError]:
        """Answer every task, in order."""


class Classifier(Model):
    """A model that chooses between classes."""

    @abstractmethod
    def classify(self, tasks: Sequence[ClassifyTask]) -> Sequence[Classification | HookeError]:
        """Answer every task, in order. Raises ExamplesRequiredError where it needs examples."""


class Answerer(Model):
    """A model that answers in words. The runtime derives Classify and Count from that.

    Its `sees_rgb8` must be True. It runs in the process of the server, never in worker processes.
    """

    reads_diameter: ClassVar[bool] = False
    structured_output: ClassVar[bool] = False
    """True if it keeps to a JSON schema."""

    @abstractmethod
    def answer(self, tasks: Sequence[AskTask]) -> Sequence[Answer | HookeError]:
        """Answer every task, in order; a task that is abandoned meanwhile gets what there is by then."""


class LabelScorer(Answerer):
    """A model that answers in words and can say how likely a given answer would be."""

    @abstractmethod
    def score(self, tasks: Sequence[ScoreTask]) -> Sequence[LabelScores | HookeError]:
        """Score the labels of every task, in order."""


class RemoteAnswerer(Model):
    """A model that somebody else computes: it is asked over the network.

    `load` is called on a thread of its own, everything else on the event loop. Its `sees_rgb8` must be True.
    """

    reads_diameter: ClassVar[bool] = False
    structured_output: ClassVar[bool] = False
    """True if it keeps to a JSON schema."""

    @abstractmethod
    async def answer(self, task: AskTask) -> Answer:
        """Answer one task; called for any number of tasks at once. Cancelling it cancels the call upstream.

        Raises:
            UpstreamRateLimitedError, UpstreamQuotaExhaustedError, UpstreamRefusedError, UpstreamFailedError,
            CredentialsMissingError, CredentialsRejectedError, DeadlineExceededError, InvalidRequestError: see
                their descriptions; never repeated here, since callers do that.
        """

    def rate_limit_of(self, task: AskTask) -> str:
        """Name of the provider's rate limit that a task counts against, usually that of the provider's model.

        Tasks of one name share a queue. Few names in all.

        Raises:
            InvalidRequestError: the task asks for something that the provider does not have.
        """
        del task
        return ""

    async def aclose(self) -> None:
        """Close connections; called once, before `close`."""
