from hooke.v1 import image_pb2 as _image_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TurnRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TURN_ROLE_UNSPECIFIED: _ClassVar[TurnRole]
    TURN_ROLE_USER: _ClassVar[TurnRole]
    TURN_ROLE_MODEL: _ClassVar[TurnRole]

class AnswerMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ANSWER_MODE_UNSPECIFIED: _ClassVar[AnswerMode]
    ANSWER_MODE_GENERATION: _ClassVar[AnswerMode]
    ANSWER_MODE_LIKELIHOOD: _ClassVar[AnswerMode]

class AnswerOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ANSWER_OUTCOME_UNSPECIFIED: _ClassVar[AnswerOutcome]
    ANSWER_OUTCOME_ANSWERED: _ClassVar[AnswerOutcome]
    ANSWER_OUTCOME_ABSTAINED: _ClassVar[AnswerOutcome]
    ANSWER_OUTCOME_UNPARSED: _ClassVar[AnswerOutcome]

class FinishReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FINISH_REASON_UNSPECIFIED: _ClassVar[FinishReason]
    FINISH_REASON_STOP: _ClassVar[FinishReason]
    FINISH_REASON_LENGTH: _ClassVar[FinishReason]

class DecodingPreset(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DECODING_PRESET_UNSPECIFIED: _ClassVar[DecodingPreset]
    DECODING_PRESET_GREEDY: _ClassVar[DecodingPreset]
    DECODING_PRESET_PAPER: _ClassVar[DecodingPreset]
TURN_ROLE_UNSPECIFIED: TurnRole
TURN_ROLE_USER: TurnRole
TURN_ROLE_MODEL: TurnRole
ANSWER_MODE_UNSPECIFIED: AnswerMode
ANSWER_MODE_GENERATION: AnswerMode
ANSWER_MODE_LIKELIHOOD: AnswerMode
ANSWER_OUTCOME_UNSPECIFIED: AnswerOutcome
ANSWER_OUTCOME_ANSWERED: AnswerOutcome
ANSWER_OUTCOME_ABSTAINED: AnswerOutcome
ANSWER_OUTCOME_UNPARSED: AnswerOutcome
FINISH_REASON_UNSPECIFIED: FinishReason
FINISH_REASON_STOP: FinishReason
FINISH_REASON_LENGTH: FinishReason
DECODING_PRESET_UNSPECIFIED: DecodingPreset
DECODING_PRESET_GREEDY: DecodingPreset
DECODING_PRESET_PAPER: DecodingPreset

class Conversation(_message.Message):
    __slots__ = ("instructions", "turns")
    INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    TURNS_FIELD_NUMBER: _ClassVar[int]
    instructions: str
    turns: _containers.RepeatedCompositeFieldContainer[Turn]
    def __init__(self, instructions: _Optional[str] = ..., turns: _Optional[_Iterable[_Union[Turn, _Mapping]]] = ...) -> None: ...

class Turn(_message.Message):
    __slots__ = ("turn_role", "images", "text")
    TURN_ROLE_FIELD_NUMBER: _ClassVar[int]
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    turn_role: TurnRole
    images: _containers.RepeatedCompositeFieldContainer[ViewedImage]
    text: str
    def __init__(self, turn_role: _Optional[_Union[TurnRole, str]] = ..., images: _Optional[_Iterable[_Union[ViewedImage, _Mapping]]] = ..., text: _Optional[str] = ...) -> None: ...

class ViewedImage(_message.Message):
    __slots__ = ("image", "view")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    image: _image_pb2.Image
    view: _image_pb2.View
    def __init__(self, image: _Optional[_Union[_image_pb2.Image, _Mapping]] = ..., view: _Optional[_Union[_image_pb2.View, _Mapping]] = ...) -> None: ...

class Prompt(_message.Message):
    __slots__ = ("version", "modality", "object_name", "context", "answer_mode")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    OBJECT_NAME_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    ANSWER_MODE_FIELD_NUMBER: _ClassVar[int]
    version: str
    modality: str
    object_name: str
    context: str
    answer_mode: AnswerMode
    def __init__(self, version: _Optional[str] = ..., modality: _Optional[str] = ..., object_name: _Optional[str] = ..., context: _Optional[str] = ..., answer_mode: _Optional[_Union[AnswerMode, str]] = ...) -> None: ...

class WrittenAnswer(_message.Message):
    __slots__ = ("text", "finish_reason", "stated_confidence", "unparsed_reason")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    STATED_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    UNPARSED_REASON_FIELD_NUMBER: _ClassVar[int]
    text: str
    finish_reason: FinishReason
    stated_confidence: float
    unparsed_reason: str
    def __init__(self, text: _Optional[str] = ..., finish_reason: _Optional[_Union[FinishReason, str]] = ..., stated_confidence: _Optional[float] = ..., unparsed_reason: _Optional[str] = ...) -> None: ...

class Decoding(_message.Message):
    __slots__ = ("decoding_preset", "max_output_token_count", "temperature", "top_p", "seed")
    DECODING_PRESET_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTPUT_TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    TOP_P_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    decoding_preset: DecodingPreset
    max_output_token_count: int
    temperature: float
    top_p: float
    seed: int
    def __init__(self, decoding_preset: _Optional[_Union[DecodingPreset, str]] = ..., max_output_token_count: _Optional[int] = ..., temperature: _Optional[float] = ..., top_p: _Optional[float] = ..., seed: _Optional[int] = ...) -> None: ...
