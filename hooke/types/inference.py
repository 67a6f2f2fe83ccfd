"""What calls of models return, and what they ask with."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hooke.enums import ReceivedEnum
from hooke.images import PixelSize


class Task(enum.StrEnum):
    """What a model can be asked."""

    CLASSIFY = "classify"
    SEGMENT = "segment"
    COUNT = "count"
    ASK = "ask"


class MaskFormat(enum.StrEnum):
    """How masks come back."""

    LABEL_IMAGE = "label_image"
    RLE = "rle"
    NONE = "none"


class TurnRole(enum.StrEnum):
    """Who said something in a conversation."""

    USER = "user"
    MODEL = "model"


class AnswerMode(enum.StrEnum):
    """How an answer is taken from a model that takes words."""

    GENERATION = "generation"
    LIKELIHOOD = "likelihood"


class AnswerOutcome(ReceivedEnum):
    """Whether a model gave an answer."""

    ANSWERED = "answered"
    ABSTAINED = "abstained"
    UNPARSED = "unparsed"


class FinishReason(ReceivedEnum):
    """Why a text ends where it ends."""

    STOP = "stop"
    LENGTH = "length"


class ModelState(ReceivedEnum):
    """Whether a model answers."""

    LOADING = "loading"
    READY = "ready"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Licences:
    """Licences of a model as SPDX identifiers or short texts; empty where there is nothing to licence."""

    code: str
    weights: str = ""
    training_data: str = ""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model and what a user must know before trusting it."""

    name: str
    version: str
    description: str
    tasks: frozenset[Task]
    state: ModelState
    weights_digest: str | None
    licences: Licences
    max_image_pixels: int
    score_meaning: str
    device: str
    max_channel_count: int
    examples_required: bool
    code_version: str
    state_message: str = ""
    """What keeps it from answering and how to mend it; empty: nothing."""
    remote: bool = False
    """True if what it is asked, images included, leaves for a provider."""


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned box in pixels; the origin is the top-left corner of the top-left pixel."""

    x_px: float
    y_px: float
    width_px: float
    height_px: float


@dataclass(frozen=True, slots=True)
class IntensityRange:
    """A linear mapping of raw intensities: `low` became the darkest value, `high` the brightest."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class UsedParameter:
    """One parameter with the value that was used."""

    name: str
    value: float | str | bool
    chosen_by_server: bool = False


@dataclass(frozen=True, slots=True)
class RenderedImage:
    """What the model saw of the image."""

    width_px: int
    height_px: int
    axes: str
    sample_type: str
    intensity_ranges: tuple[IntensityRange, ...] = ()
    media_type: str = ""
    """How it was encoded for a provider, for example "image/png"; empty: the model saw samples."""


@dataclass(frozen=True, slots=True)
class SourceImage:
    """One of several images behind an answer."""

    sha256: str
    rendered_image: RenderedImage


@dataclass(frozen=True, slots=True)
class Provenance:
    """Everything needed to say how an answer was made, and to make it again."""

    model: str
    model_version: str
    weights_digest: str | None
    code_version: str
    image_sha256: str
    rendered_image: RenderedImage
    parameters: tuple[UsedParameter, ...] = ()
    pixel_size: PixelSize | None = None
    info_bar_box: Box | None = None
    images: tuple[SourceImage, ...] = ()
    """Every image that the model saw, where it may be more than one."""
    prompt_version: str = ""
    prompt_sha256: str = ""
    """Of the template; empty where the server put nothing into words."""
    unused_fields: tuple[str, ...] = ()
    """Fields of the request that the model has no use for; they changed nothing."""


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens that went into an answer, and their price.

    Attributes:
        input_token_count: of the question, images included.
        cached_input_token_count: those of them that the provider had kept.
        output_token_count: of the answer, hidden reasoning included.
        cost_micro_usd: millionths of a US dollar; None: nobody charges, or the price is unknown.
        price_missing: a provider charges and the price list does not know its model.
        price_list_date: ISO date; empty where no list was needed.
    """

    input_token_count: int
    output_token_count: int
    cached_input_token_count: int = 0
    cost_micro_usd: int | None = None
    price_missing: bool = False
    price_list_date: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """What an answer cost, in seconds, at the model service."""

    queue_s: float
    compute_s: float
    total_s: float
    batch_size: int
    token_usage: TokenUsage | None = None


@dataclass(frozen=True, slots=True)
class WrittenAnswer:
    """What a model wrote in answer to a question of classes or numbers.

    Attributes:
        text: all of it.
        stated_confidence: how sure it said it was, 0 to 1; None: it did not say.
        unparsed_reason: why the text could not be read; empty: it could.
    """

    text: str
    finish_reason: FinishReason
    stated_confidence: float | None = None
    unparsed_reason: str = ""


@dataclass(frozen=True, slots=True)
class Extent:
    """The extent of an object in a volume."""

    voxel_count: int
    volume_um3: float | None
    first_plane_index: int
    plane_count: int
    centroid_z: float


@dataclass(frozen=True, slots=True)
class Instance:
    """One object that was found; sizes in micrometres are None where the pixel size is unknown."""

    label: int
    bounding_box: Box
    score: float | None
    area_px: int
    area_um2: float | None
    centroid_x_px: float
    centroid_y_px: float
    equivalent_diameter_px: float
    equivalent_diameter_um: float | None
    touches_border: bool
    mean_intensity: float
    rle: bytes | None = None
    """COCO compressed run-length encoding, where that mask format was asked for."""
    extent: Extent | None = None
    """In a volume; the other measurements are then those of the projection along Z."""


@dataclass(frozen=True, slots=True, eq=False)
class SegmentResult:
    """The objects of one image.

    Attributes:
        instances: every object, by label.
        labels: H x W uint16 or uint32 (Z x H x W for a volume), 0 background; None where another mask format
            was asked for.
        arrays: what the parameters asked for beside the masks, float32, by name.
    """

    instances: tuple[Instance, ...]
    labels: NDArray[np.integer[Any]] | None
    provenance: Provenance
    cost: Cost
    arrays: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class CountResult:
    """The number of objects of one image, with the objects behind it where the model has them.

    Attributes:
        count: None where the model gave no answer; `outcome` says why.
        written: what a vision-language model wrote.
    """

    count: int | None
    instances: tuple[Instance, ...]
    labels: NDArray[np.integer[Any]] | None
    provenance: Provenance
    cost: Cost
    outcome: AnswerOutcome = AnswerOutcome.ANSWERED
    written: WrittenAnswer | None = None


@dataclass(frozen=True, slots=True)
class ClassifyResult:
    """The class of one image.

    Attributes:
        label: None where the model gave no answer; `outcome` says why.
        probabilities: every class, most probable first; empty where the model gives none.
        written: what a vision-language model wrote.
    """

    label: str | None
    probabilities: Mapping[str, float]
    provenance: Provenance
    cost: Cost
    outcome: AnswerOutcome = AnswerOutcome.ANSWERED
    written: WrittenAnswer | None = None


@dataclass(frozen=True, slots=True)
class AskResult:
    """The answer to a question in words."""

    text: str
    finish_reason: FinishReason
    provenance: Provenance
    cost: Cost
