"""Enums of the wire and their Python counterparts, both ways."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import numpy as np

from hooke import types
from hooke.enums import ReceivedEnum
from hooke.errors import InvalidRequestError
from hooke.images import PixelSizeSource
from hooke.v1 import conversation_pb2, evaluation_service_pb2, image_pb2, mask_pb2, model_service_pb2

E = TypeVar("E", bound=enum.StrEnum)


class EnumMap(Generic[E]):
    """The values of one enum of the wire and of its Python counterpart, matched by name.

    The whole of both enums is walked when the map is built, so a value that is missing on one side is
    found on import.
    """

    def __init__(self, members: type[E], wire_enum: Any, prefix: str) -> None:
        numbers = {name.removeprefix(prefix): int(number) for name, number in wire_enum.items() if number}
        self._members = members
        self._number_of: Mapping[str, int] = {member: numbers.pop(member.name) for member in members}
        self._member_of = {number: members(value) for value, number in self._number_of.items()}
        if numbers:
            raise TypeError(f"{members.__name__} lacks {', '.join(numbers)}")

    def number(self, member: E) -> Any:
        """The wire's number of a member; Any, since generated code wants its own enum type."""
        if member in self._number_of:
            return self._number_of[member]
        return int(member.removeprefix("unknown_"))

    def known(self, number: int) -> bool:
        """True if the number has a counterpart; 0, the unspecified value, has none."""
        return number in self._member_of

    def member(self, number: int) -> E:
        """The member of a number that a server sent.

        Raises:
            ValueError: the number is new and the enum is not open to such values.
        """
        if number in self._member_of:
            return self._member_of[number]
        return self._members(f"unknown_{number}")

    def requested(self, number: int, field: str, default: E) -> E:
        """The member of a number in a request; `default` where it is unspecified.

        Raises:
            InvalidRequestError: the number has no counterpart.
        """
        if number == 0:
            return default
        if number not in self._member_of:
            choices = ", ".join(str(known) for known in sorted(self._member_of))
            raise InvalidRequestError.of_field(field, f"{number} is unknown; known are {choices}")
        return self._member_of[number]


TASKS = EnumMap(types.Task, model_service_pb2.Task, "TASK_")
MODEL_STATES = EnumMap(types.ModelState, model_service_pb2.ModelState, "MODEL_STATE_")
MASK_FORMATS = EnumMap(types.MaskFormat, mask_pb2.MaskFormat, "MASK_FORMAT_")
PIXEL_SIZE_SOURCES = EnumMap(PixelSizeSource, image_pb2.PixelSizeSource, "PIXEL_SIZE_SOURCE_")
EVALUATION_STATES = EnumMap(
    types.EvaluationState, evaluation_service_pb2.EvaluationState, "EVALUATION_STATE_"
)
SAMPLE_OUTCOMES = EnumMap(types.SampleOutcome, evaluation_service_pb2.SampleOutcome, "SAMPLE_OUTCOME_")
REPORT_FORMATS = EnumMap(types.ReportFormat, evaluation_service_pb2.ReportFormat, "REPORT_FORMAT_")
TURN_ROLES = EnumMap(types.TurnRole, conversation_pb2.TurnRole, "TURN_ROLE_")
ANSWER_MODES = EnumMap(types.AnswerMode, conversation_pb2.AnswerMode, "ANSWER_MODE_")
ANSWER_OUTCOMES = EnumMap(types.AnswerOutcome, conversation_pb2.AnswerOutcome, "ANSWER_OUTCOME_")
FINISH_REASONS = EnumMap(types.FinishReason, conversation_pb2.FinishReason, "FINISH_REASON_")

OPEN_ENUMS: tuple[type[ReceivedEnum], ...] = (
    types.ModelState,
    PixelSizeSource,
    types.EvaluationState,
    types.SampleOutcome,
    types.AnswerOutcome,
    types.FinishReason,
)
"""Enums of answers: a value of a newer server survives in them."""

PROJECTIONS: Mapping[int, str] = MappingProxyType(
    {image_pb2.Projection.PROJECTION_MAX: "max", image_pb2.Projection.PROJECTION_MEAN: "mean"}
)
"""`View.z_projection` of the wire as text."""

DTYPES: Mapping[int, np.dtype[Any]] = MappingProxyType(
    {
        image_pb2.PixelType.PIXEL_TYPE_UINT8: np.dtype("u1"),
        image_pb2.PixelType.PIXEL_TYPE_UINT16: np.dtype("<u2"),
        image_pb2.PixelType.PIXEL_TYPE_UINT32: np.dtype("<u4"),
        image_pb2.PixelType.PIXEL_TYPE_FLOAT32: np.dtype("<f4"),
    }
)
"""Little-endian NumPy type of each `PixelType` of the wire."""
