"""Requests from what a user hands in; nothing here talks to a server."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import Message

from hooke import wire
from hooke._carriage import Upload, carry
from hooke.conversations import Prompt, Turn
from hooke.errors import InvalidRequestError
from hooke.images import ImageSource, PixelSize, View
from hooke.parameters import ModelParameters, WordParameters
from hooke.types import MaskFormat, TurnRole
from hooke.v1 import conversation_pb2, image_pb2, inference_service_pb2

E = TypeVar("E", bound=enum.StrEnum)
ObjectRequest = TypeVar(
    "ObjectRequest", inference_service_pb2.SegmentRequest, inference_service_pb2.CountRequest
)


@dataclass(frozen=True, slots=True)
class Question:
    """A request for a model, with the files that the server must hold to answer it."""

    request: Message
    uploads: tuple[Upload, ...]


@dataclass(frozen=True, slots=True)
class ObjectOptions:
    """What a request to segment or to count says beside the image; see `Client.segment`."""

    model: str
    expected_diameter_px: float | None
    expected_diameter_um: float | None
    mask_format: MaskFormat | str
    view: View | None
    parameters: ModelParameters | None
    pixel_size: PixelSize | None


@dataclass(frozen=True, slots=True)
class WordOptions:
    """What a question in words says beside the conversation; see `Client.ask`."""

    model: str
    instructions: str
    parameters: WordParameters | None


def segment_question(image: ImageSource, options: ObjectOptions) -> Question:
    """Build a request to segment."""
    (carried,), uploads = carry([image])
    return Question(_object_request(inference_service_pb2.SegmentRequest, carried, options), uploads)


def count_question(
    image: ImageSource,
    options: ObjectOptions,
    *,
    examples: Iterable[tuple[ImageSource, int]],
    prompt: Prompt | None,
) -> Question:
    """Build a request to count."""
    examples = list(examples)
    (carried, *example_images), uploads = carry([image, *(source for source, _ in examples)])
    request = _object_request(inference_service_pb2.CountRequest, carried, options)
    for index, (example, (_, count)) in enumerate(zip(example_images, examples, strict=True)):
        if count < 0:
            raise InvalidRequestError.of_field(f"examples[{index}].count", f"{count} is below 0")
        request.examples.add(image=example, count=count)
    _set_prompt(request, prompt)
    return Question(request, uploads)


def classify_question(
    image: ImageSource,
    *,
    model: str,
    labels: Sequence[str],
    examples: Iterable[tuple[ImageSource, str]],
    view: View | None,
    prompt: Prompt | None,
    parameters: WordParameters | None,
) -> Question:
    """Build a request to classify."""
    if isinstance(labels, str):
        raise InvalidRequestError.of_field("labels", f"give a list of labels, not the text {labels!r}")
    examples = list(examples)
    (carried, *example_images), uploads = carry([image, *(source for source, _ in examples)])
    request = inference_service_pb2.ClassifyRequest(
        model=checked_model(model),
        image=carried,
        labels=labels,
        examples=[
            inference_service_pb2.ClassExample(image=example, label=label)
            for example, (_, label) in zip(example_images, examples, strict=True)
        ],
        view=None if view is None else wire.view_to_proto(view),
    )
    _set_prompt(request, prompt)
    _set_parameters(request, parameters)
    return Question(request, uploads)


def ask_question(
    request_type: type[inference_service_pb2.AskRequest | inference_service_pb2.StreamAskRequest],
    turns: Sequence[Turn],
    options: WordOptions,
) -> Question:
    """Build a request to answer the last of some turns."""
    messages, uploads = carry([image for turn in turns for image in turn.images])
    carried = iter(messages)
    conversation = conversation_pb2.Conversation(instructions=options.instructions)
    for index, turn in enumerate(turns):
        role = checked_member(TurnRole, turn.role, f"conversation.turns[{index}].turn_role")
        view = None if turn.view is None else wire.view_to_proto(turn.view)
        conversation.turns.add(
            turn_role=wire.TURN_ROLES.number(role),
            images=[conversation_pb2.ViewedImage(image=next(carried), view=view) for _ in turn.images],
            text=turn.text,
        )
    request = request_type(model=checked_model(options.model), conversation=conversation)
    _set_parameters(request, options.parameters)
    return Question(request, uploads)


def turns_of(
    images: ImageSource | Sequence[ImageSource], question: str, history: Sequence[Turn], view: View | None
) -> tuple[Turn, ...]:
    """Return a conversation that ends with a question about one image, some or, after others, none."""
    shown = images if isinstance(images, list | tuple) else (images,)
    return (*history, Turn(TurnRole.USER, question, shown, view))


def checked_model(model: str) -> str:
    """Return a name that can travel as metadata. Raises InvalidRequestError where it cannot."""
    if not (model.isascii() and model.isprintable() and model == model.strip()):
        raise InvalidRequestError.of_field(
            "model", f"{model!r} is no name of a model; `hooke models` lists them"
        )
    return model


def checked_member(members: type[E], value: E | str, field: str) -> E:
    """Return the member of an enum. Raises InvalidRequestError where there is none of this value."""
    try:
        return members(value)
    except ValueError:
        raise InvalidRequestError.of_field(
            field, f"{value!r} is unknown; known are {', '.join(members)}"
        ) from None


def _object_request(
    request_type: type[ObjectRequest], image: image_pb2.Image, options: ObjectOptions
) -> ObjectRequest:
    if options.expected_diameter_px is not None and options.expected_diameter_um is not None:
        raise InvalidRequestError.of_field(
            "expected_diameter_um", "give the diameter in pixels or in micrometres, not both"
        )
    if options.pixel_size is not None:
        image.pixel_size.CopyFrom(wire.pixel_size_to_proto(options.pixel_size))
    request = request_type(
        model=checked_model(options.model),
        image=image,
        expected_diameter_px=options.expected_diameter_px,
        expected_diameter_um=options.expected_diameter_um,
        mask_format=wire.MASK_FORMATS.number(checked_member(MaskFormat, options.mask_format, "mask_format")),
        view=None if options.view is None else wire.view_to_proto(options.view),
    )
    _set_parameters(request, options.parameters)
    return request


def _set_prompt(
    request: inference_service_pb2.ClassifyRequest | inference_service_pb2.CountRequest, prompt: Prompt | None
) -> None:
    if prompt is not None:
        wire.fill(request.prompt, prompt, "prompt")


def _set_parameters(request: Message, parameters: ModelParameters | None) -> None:
    """Put parameters into the field of `oneof parameters` that is of their type."""
    if parameters is None:
        return
    choices = [field.name for field in request.DESCRIPTOR.oneofs_by_name["parameters"].fields]
    kind = type(parameters).__name__
    for name in choices:
        if getattr(request, name).DESCRIPTOR.name == kind:
            wire.fill(getattr(request, name), parameters, name)
            return
    raise InvalidRequestError.of_field(
        "parameters", f"this call does not take {kind}, but parameters of {', '.join(choices)}"
    )
