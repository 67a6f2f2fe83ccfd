from hooke.v1 import conversation_pb2 as _conversation_pb2
from hooke.v1 import image_pb2 as _image_pb2
from hooke.v1 import mask_pb2 as _mask_pb2
from hooke.v1 import parameters_pb2 as _parameters_pb2
from hooke.v1 import provenance_pb2 as _provenance_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ClassifyRequest(_message.Message):
    __slots__ = ("model", "image", "labels", "examples", "view", "prompt", "llava", "openai", "gemini")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    LLAVA_FIELD_NUMBER: _ClassVar[int]
    OPENAI_FIELD_NUMBER: _ClassVar[int]
    GEMINI_FIELD_NUMBER: _ClassVar[int]
    model: str
    image: _image_pb2.Image
    labels: _containers.RepeatedScalarFieldContainer[str]
    examples: _containers.RepeatedCompositeFieldContainer[ClassExample]
    view: _image_pb2.View
    prompt: _conversation_pb2.Prompt
    llava: _parameters_pb2.LlavaParameters
    openai: _parameters_pb2.OpenaiParameters
    gemini: _parameters_pb2.GeminiParameters
    def __init__(self, model: _Optional[str] = ..., image: _Optional[_Union[_image_pb2.Image, _Mapping]] = ..., labels: _Optional[_Iterable[str]] = ..., examples: _Optional[_Iterable[_Union[ClassExample, _Mapping]]] = ..., view: _Optional[_Union[_image_pb2.View, _Mapping]] = ..., prompt: _Optional[_Union[_conversation_pb2.Prompt, _Mapping]] = ..., llava: _Optional[_Union[_parameters_pb2.LlavaParameters, _Mapping]] = ..., openai: _Optional[_Union[_parameters_pb2.OpenaiParameters, _Mapping]] = ..., gemini: _Optional[_Union[_parameters_pb2.GeminiParameters, _Mapping]] = ...) -> None: ...

class ClassExample(_message.Message):
    __slots__ = ("image", "label")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    image: _image_pb2.Image
    label: str
    def __init__(self, image: _Optional[_Union[_image_pb2.Image, _Mapping]] = ..., label: _Optional[str] = ...) -> None: ...

class ClassifyResponse(_message.Message):
    __slots__ = ("label", "probabilities", "provenance", "cost", "answer_outcome", "written_answer")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    ANSWER_OUTCOME_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_ANSWER_FIELD_NUMBER: _ClassVar[int]
    label: str
    probabilities: _containers.RepeatedCompositeFieldContainer[ClassProbability]
    provenance: _provenance_pb2.Provenance
    cost: _provenance_pb2.Cost
    answer_outcome: _conversation_pb2.AnswerOutcome
    written_answer: _conversation_pb2.WrittenAnswer
    def __init__(self, label: _Optional[str] = ..., probabilities: _Optional[_Iterable[_Union[ClassProbability, _Mapping]]] = ..., provenance: _Optional[_Union[_provenance_pb2.Provenance, _Mapping]] = ..., cost: _Optional[_Union[_provenance_pb2.Cost, _Mapping]] = ..., answer_outcome: _Optional[_Union[_conversation_pb2.AnswerOutcome, str]] = ..., written_answer: _Optional[_Union[_conversation_pb2.WrittenAnswer, _Mapping]] = ...) -> None: ...

class ClassProbability(_message.Message):
    __slots__ = ("label", "probability")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    label: str
    probability: float
    def __init__(self, label: _Optional[str] = ..., probability: _Optional[float] = ...) -> None: ...

class SegmentRequest(_message.Message):
    __slots__ = ("model", "image", "expected_diameter_px", "expected_diameter_um", "mask_format", "view", "classical", "sam", "cellpose")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_DIAMETER_PX_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_DIAMETER_UM_FIELD_NUMBER: _ClassVar[int]
    MASK_FORMAT_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    CLASSICAL_FIELD_NUMBER: _ClassVar[int]
    SAM_FIELD_NUMBER: _ClassVar[int]
    CELLPOSE_FIELD_NUMBER: _ClassVar[int]
    model: str
    image: _image_pb2.Image
    expected_diameter_px: float
    expected_diameter_um: float
    mask_format: _mask_pb2.MaskFormat
    view: _image_pb2.View
    classical: _parameters_pb2.ClassicalParameters
    sam: _parameters_pb2.SamParameters
    cellpose: _parameters_pb2.CellposeParameters
    def __init__(self, model: _Optional[str] = ..., image: _Optional[_Union[_image_pb2.Image, _Mapping]] = ..., expected_diameter_px: _Optional[float] = ..., expected_diameter_um: _Optional[float] = ..., mask_format: _Optional[_Union[_mask_pb2.MaskFormat, str]] = ..., view: _Optional[_Union[_image_pb2.View, _Mapping]] = ..., classical: _Optional[_Union[_parameters_pb2.ClassicalParameters, _Mapping]] = ..., sam: _Optional[_Union[_parameters_pb2.SamParameters, _Mapping]] = ..., cellpose: _Optional[_Union[_parameters_pb2.CellposeParameters, _Mapping]] = ...) -> None: ...

class SegmentResponse(_message.Message):
    __slots__ = ("instances", "label_image", "provenance", "cost", "arrays")
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    LABEL_IMAGE_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    ARRAYS_FIELD_NUMBER: _ClassVar[int]
    instances: _containers.RepeatedCompositeFieldContainer[_mask_pb2.Instance]
    label_image: _mask_pb2.LabelImage
    provenance: _provenance_pb2.Provenance
    cost: _provenance_pb2.Cost
    arrays: _containers.RepeatedCompositeFieldContainer[_mask_pb2.Array]
    def __init__(self, instances: _Optional[_Iterable[_Union[_mask_pb2.Instance, _Mapping]]] = ..., label_image: _Optional[_Union[_mask_pb2.LabelImage, _Mapping]] = ..., provenance: _Optional[_Union[_provenance_pb2.Provenance, _Mapping]] = ..., cost: _Optional[_Union[_provenance_pb2.Cost, _Mapping]] = ..., arrays: _Optional[_Iterable[_Union[_mask_pb2.Array, _Mapping]]] = ...) -> None: ...

class CountRequest(_message.Message):
    __slots__ = ("model", "image", "expected_diameter_px", "expected_diameter_um", "mask_format", "view", "prompt", "examples", "classical", "sam", "cellpose", "llava", "openai", "gemini")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_DIAMETER_PX_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_DIAMETER_UM_FIELD_NUMBER: _ClassVar[int]
    MASK_FORMAT_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    CLASSICAL_FIELD_NUMBER: _ClassVar[int]
    SAM_FIELD_NUMBER: _ClassVar[int]
    CELLPOSE_FIELD_NUMBER: _ClassVar[int]
    LLAVA_FIELD_NUMBER: _ClassVar[int]
    OPENAI_FIELD_NUMBER: _ClassVar[int]
    GEMINI_FIELD_NUMBER: _ClassVar[int]
    model: str
    image: _image_pb2.Image
    expected_diameter_px: float
    expected_diameter_um: float
    mask_format: _mask_pb2.MaskFormat
    view: _image_pb2.View
    prompt: _conversation_pb2.Prompt
    examples: _containers.RepeatedCompositeFieldContainer[CountExample]
    classical: _parameters_pb2.ClassicalParameters
    sam: _parameters_pb2.SamParameters
    cellpose: _parameters_pb2.CellposeParameters
    llava: _parameters_pb2.LlavaParameters
    openai: _parameters_pb2.OpenaiParameters
    gemini: _parameters_pb2.GeminiParameters
    def __init__(self, model: _Optional[str] = ..., image: _Optional[_Union[_image_pb2.Image, _Mapping]] = ..., expected_diameter_px: _Optional[float] = ..., expected_diameter_um: _Optional[float] = ..., mask_format: _Optional[_Union[_mask_pb2.MaskFormat, str]] = ..., view: _Optional[_Union[_image_pb2.View, _Mapping]] = ..., prompt: _Optional[_Union[_conversation_pb2.Prompt, _Mapping]] = ..., examples: _Optional[_Iterable[_Union[CountExample, _Mapping]]] = ..., classical: _Optional[_Union[_parameters_pb2.ClassicalParameters, _Mapping]] = ..., sam: _Optional[_Union[_parameters_pb2.SamParameters, _Mapping]] = ..., cellpose: _Optional[_Union[_parameters_pb2.CellposeParameters, _Mapping]] = ..., llava: _Optional[_Union[_parameters_pb2.LlavaParameters, _Mapping]] = ..., openai: _Optional[_Union[_parameters_pb2.OpenaiParameters, _Mapping]] = ..., gemini: _Optional[_Union[_parameters_pb2.GeminiParameters, _Mapping]] = ...) -> None: ...

class CountExample(_message.Message):
    __slots__ = ("image", "count")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    image: _image_pb2.Image
    count: int
    def __init__(self, image: _Optional[_Union[_image_pb2.Image, _Mapping]] = ..., count: _Optional[int] = ...) -> None: ...

class CountResponse(_message.Message):
    __slots__ = ("count", "instances", "label_image", "provenance", "cost", "answer_outcome", "written_answer")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    LABEL_IMAGE_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    ANSWER_OUTCOME_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_ANSWER_FIELD_NUMBER: _ClassVar[int]
    count: int
    instances: _containers.RepeatedCompositeFieldContainer[_mask_pb2.Instance]
    label_image: _mask_pb2.LabelImage
    provenance: _provenance_pb2.Provenance
    cost: _provenance_pb2.Cost
    answer_outcome: _conversation_pb2.AnswerOutcome
    written_answer: _conversation_pb2.WrittenAnswer
    def __init__(self, count: _Optional[int] = ..., instances: _Optional[_Iterable[_Union[_mask_pb2.Instance, _Mapping]]] = ..., label_image: _Optional[_Union[_mask_pb2.LabelImage, _Mapping]] = ..., provenance: _Optional[_Union[_provenance_pb2.Provenance, _Mapping]] = ..., cost: _Optional[_Union[_provenance_pb2.Cost, _Mapping]] = ..., answer_outcome: _Optional[_Union[_conversation_pb2.AnswerOutcome, str]] = ..., written_answer: _Optional[_Union[_conversation_pb2.WrittenAnswer, _Mapping]] = ...) -> None: ...

class AskRequest(_message.Message):
    __slots__ = ("model", "conversation", "llava", "openai", "gemini")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    LLAVA_FIELD_NUMBER: _ClassVar[int]
    OPENAI_FIELD_NUMBER: _ClassVar[int]
    GEMINI_FIELD_NUMBER: _ClassVar[int]
    model: str
    conversation: _conversation_pb2.Conversation
    llava: _parameters_pb2.LlavaParameters
    openai: _parameters_pb2.OpenaiParameters
    gemini: _parameters_pb2.GeminiParameters
    def __init__(self, model: _Optional[str] = ..., conversation: _Optional[_Union[_conversation_pb2.Conversation, _Mapping]] = ..., llava: _Optional[_Union[_parameters_pb2.LlavaParameters, _Mapping]] = ..., openai: _Optional[_Union[_parameters_pb2.OpenaiParameters, _Mapping]] = ..., gemini: _Optional[_Union[_parameters_pb2.GeminiParameters, _Mapping]] = ...) -> None: ...

class AskResponse(_message.Message):
    __slots__ = ("text", "finish_reason", "provenance", "cost")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    text: str
    finish_reason: _conversation_pb2.FinishReason
    provenance: _provenance_pb2.Provenance
    cost: _provenance_pb2.Cost
    def __init__(self, text: _Optional[str] = ..., finish_reason: _Optional[_Union[_conversation_pb2.FinishReason, str]] = ..., provenance: _Optional[_Union[_provenance_pb2.Provenance, _Mapping]] = ..., cost: _Optional[_Union[_provenance_pb2.Cost, _Mapping]] = ...) -> None: ...

class StreamAskRequest(_message.Message):
    __slots__ = ("model", "conversation", "llava", "openai", "gemini")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    LLAVA_FIELD_NUMBER: _ClassVar[int]
    OPENAI_FIELD_NUMBER: _ClassVar[int]
    GEMINI_FIELD_NUMBER: _ClassVar[int]
    model: str
    conversation: _conversation_pb2.Conversation
    llava: _parameters_pb2.LlavaParameters
    openai: _parameters_pb2.OpenaiParameters
    gemini: _parameters_pb2.GeminiParameters
    def __init__(self, model: _Optional[str] = ..., conversation: _Optional[_Union[_conversation_pb2.Conversation, _Mapping]] = ..., llava: _Optional[_Union[_parameters_pb2.LlavaParameters, _Mapping]] = ..., openai: _Optional[_Union[_parameters_pb2.OpenaiParameters, _Mapping]] = ..., gemini: _Optional[_Union[_parameters_pb2.GeminiParameters, _Mapping]] = ...) -> None: ...

class StreamAskResponse(_message.Message):
    __slots__ = ("text_delta", "end")
    TEXT_DELTA_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    text_delta: str
    end: AskEnd
    def __init__(self, text_delta: _Optional[str] = ..., end: _Optional[_Union[AskEnd, _Mapping]] = ...) -> None: ...

class AskEnd(_message.Message):
    __slots__ = ("finish_reason", "provenance", "cost")
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    finish_reason: _conversation_pb2.FinishReason
    provenance: _provenance_pb2.Provenance
    cost: _provenance_pb2.Cost
    def __init__(self, finish_reason: _Optional[_Union[_conversation_pb2.FinishReason, str]] = ..., provenance: _Optional[_Union[_provenance_pb2.Provenance, _Mapping]] = ..., cost: _Optional[_Union[_provenance_pb2.Cost, _Mapping]] = ...) -> None: ...
