"""The parameters of every model, on their way to the wire."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

import hooke
from hooke import wire
from hooke.errors import InvalidRequestError
from hooke.types import AnswerMode
from hooke.v1 import conversation_pb2, parameters_pb2

MESSAGES: dict[type[Any], type[Message]] = {
    hooke.ClassicalParameters: parameters_pb2.ClassicalParameters,
    hooke.SamParameters: parameters_pb2.SamParameters,
    hooke.SamPoint: parameters_pb2.SamPoint,
    hooke.CellposeParameters: parameters_pb2.CellposeParameters,
    hooke.LlavaParameters: parameters_pb2.LlavaParameters,
    hooke.OpenaiParameters: parameters_pb2.OpenaiParameters,
    hooke.GeminiParameters: parameters_pb2.GeminiParameters,
    hooke.Decoding: conversation_pb2.Decoding,
    hooke.Prompt: conversation_pb2.Prompt,
}
KINDS = pytest.mark.parametrize(("kind", "message_type"), MESSAGES.items(), ids=lambda each: each.__name__)


def names_of(enum: EnumDescriptor) -> dict[str, int]:
    """The texts of an enum's values, as users write them."""
    return {
        value.name.removeprefix(
            enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
        ).lower(): value.number
        for value in enum.values
        if value.number
    }


ENUM_FIELDS = pytest.mark.parametrize(
    ("kind", "field"),
    [
        pytest.param(kind, field, id=field.name)
        for kind, message_type in MESSAGES.items()
        for field in message_type.DESCRIPTOR.fields
        if field.enum_type is not None
    ],
)


# Every field of the wire can be set from Python under its own name, and there are no others.
@KINDS
def test_fields_are_those_of_the_wire(kind: type[Any], message_type: type[Message]) -> None:
    expected = {field.name for field in message_type.DESCRIPTOR.fields} - {"prompts"}
    if kind is hooke.SamParameters:
        expected |= {field.name for field in parameters_pb2.SamPrompts.DESCRIPTOR.fields}
    assert {field.name for field in dataclasses.fields(kind)} == expected


# Where nothing is said, nothing is sent but the presence of the parameters.
@KINDS
def test_nothing_said_is_nothing_sent(kind: type[Any], message_type: type[Message]) -> None:
    given = kind(0.0, 0.0) if kind is hooke.SamPoint else kind()
    message = message_type()
    wire.fill(message, given, "path")
    assert message.ListFields() == []


# Every value of every enum is set by its text.
@ENUM_FIELDS
def test_every_enum_value(kind: type[Any], field: FieldDescriptor) -> None:
    assert field.enum_type is not None
    for text, number in names_of(field.enum_type).items():
        message = MESSAGES[kind]()
        wire.fill(message, kind(**{field.name: text}), "path")
        assert getattr(message, field.name) == number


# A text that is no value of an enum is refused with those that are.
@ENUM_FIELDS
@pytest.mark.parametrize("text", ["nonsense", "unspecified", "", 1])
def test_unknown_texts(kind: type[Any], field: FieldDescriptor, text: Any) -> None:
    assert field.enum_type is not None
    with pytest.raises(InvalidRequestError) as caught:
        wire.fill(MESSAGES[kind](), kind(**{field.name: text}), "path")
    assert [fault.field for fault in caught.value.violations] == [f"path.{field.name}"]
    assert all(name in caught.value.message for name in names_of(field.enum_type))


# Zero and False are said, where None is not.
def test_zero_is_not_nothing() -> None:
    message = parameters_pb2.CellposeParameters()
    wire.fill(message, hooke.CellposeParameters(flow_threshold=0.0, flows_returned=False), "cellpose")
    assert [field.name for field, _ in message.ListFields()] == ["flow_threshold", "flows_returned"]
    assert not message.HasField("min_area_px")


# What SAM is to segment is written flat, and stands together on the wire.
def test_sam_prompts() -> None:
    message = parameters_pb2.SamParameters()
    logits = np.linspace(-1, 1, 6).reshape(1, 2, 3)
    given = hooke.SamParameters(
        points=[hooke.SamPoint(1.5, 2), hooke.SamPoint(3, 4, background=True)],
        boxes=(hooke.Box(1, 2, 3, 4),),
        mask_logits=logits,
        multimask_output=False,
        crop_layer_count=0,
    )
    wire.fill(message, given, "sam")
    prompts = message.prompts
    assert [(point.x_px, point.y_px, point.background) for point in prompts.points] == [
        (1.5, 2, False),
        (3, 4, True),
    ]
    assert [(box.x_px, box.y_px, box.width_px, box.height_px) for box in prompts.boxes] == [(1, 2, 3, 4)]
    assert (prompts.HasField("multimask_output"), prompts.multimask_output) == (True, False)
    assert prompts.mask_logits.name == "mask_logits"
    np.testing.assert_array_equal(wire.array_from_proto(prompts.mask_logits), logits.astype(np.float32))
    everything = parameters_pb2.SamParameters()
    wire.fill(everything, hooke.SamParameters(sam_preset="paper", crop_layer_count=0), "sam")
    assert not everything.HasField("prompts")


# Members of enums are as good as their texts, and nested parameters keep their place.
def test_nested_parameters() -> None:
    prompt = conversation_pb2.Prompt()
    wire.fill(prompt, hooke.Prompt(answer_mode=AnswerMode.LIKELIHOOD, modality="SEM"), "prompt")
    assert (prompt.answer_mode, prompt.modality) == (2, "SEM")
    message = parameters_pb2.LlavaParameters()
    wire.fill(message, hooke.LlavaParameters(hooke.Decoding(temperature=0.0, seed=1 << 40)), "llava")
    assert (message.decoding.temperature, message.decoding.seed) == (0.0, 1 << 40)
    assert message.decoding.HasField("temperature")


# A value of the wrong kind or size names its field, wherever it stands.
@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("classical.min_area_px", hooke.ClassicalParameters(min_area_px="many")),  # type: ignore[arg-type]
        ("sam.points_per_side", hooke.SamParameters(points_per_side=2**31)),
        ("sam.points[1].x_px", hooke.SamParameters(points=[hooke.SamPoint(1, 2), hooke.SamPoint("3", 4)])),  # type: ignore[arg-type]
        ("sam.boxes", hooke.SamParameters(boxes=[(1, 2, 3, 4)])),  # type: ignore[list-item]
        ("sam.points", hooke.SamParameters(points=5)),  # type: ignore[arg-type]
        ("sam.mask_logits", hooke.SamParameters(mask_logits="none")),  # type: ignore[arg-type]
        ("llava.decoding", hooke.LlavaParameters(decoding="greedy")),  # type: ignore[arg-type]
        ("llava.decoding.seed", hooke.LlavaParameters(decoding=hooke.Decoding(seed=0.5))),  # type: ignore[arg-type]
        ("openai.provider_model", hooke.OpenaiParameters(provider_model=4)),  # type: ignore[arg-type]
    ],
)
def test_faulty_values(field: str, given: Any) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        wire.fill(MESSAGES[type(given)](), given, field.partition(".")[0])
    assert [fault.field for fault in caught.value.violations] == [field]
