from hooke.v1 import image_pb2 as _image_pb2
from hooke.v1 import mask_pb2 as _mask_pb2
from hooke.v1 import provenance_pb2 as _provenance_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Polarity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    POLARITY_UNSPECIFIED: _ClassVar[Polarity]
    POLARITY_BRIGHT_ON_DARK: _ClassVar[Polarity]
    POLARITY_DARK_ON_BRIGHT: _ClassVar[Polarity]
POLARITY_UNSPECIFIED: Polarity
POLARITY_BRIGHT_ON_DARK: Polarity
POLARITY_DARK_ON_BRIGHT: Polarity

class ClassifyRequest(_message.Message):
    __slots__ = ("model", "image", "labels", "examples", "view")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    model: str
    image: _image_pb2.Image
    labels: _containers.RepeatedScalarFieldContainer[str]
    examples: _containers.RepeatedCompositeFieldContainer[ClassExample]
    view: _image_pb2.View
    def __init__(self, model: _Optional[str] = ..., image: _Optional[_Union[_image_pb2.Image, _Mapping]] = ..., labels: _Optional[_Iterable[str]] = ..., examples: _Optional[_Iterable[_Union[ClassExample, _Mapping]]] = ..., view: _Optional[_Union[_image_pb2.View, _Mapping]] = ...) -> None: ...

class ClassExample(_message.Message):
    __slots__ = ("image", "label")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    image: _image_pb2.Image
    label: str
    def __init__(self, image: _Optional[_Union[_image_pb2.Image, _Mapping]] = ..., label: _Optional[str] = ...) -> None: ...

class ClassifyResponse(_message.Message):
    __slots__ = ("label", "probabilities", "provenance", "cost")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    label: str
    probabilities: _containers.RepeatedCompositeFieldContainer[ClassProbability]
    provenance: _provenance_pb2.Provenance
    cost: _provenance_pb2.Cost
    def __init__(self, label: _Optional[str] = ..., probabilities: _Optional[_Iterable[_Union[ClassProbability, _Mapping]]] = ..., provenance: _Optional[_Union[_provenance_pb2.Provenance, _Mapping]] = ..., cost: _Optional[_Union[_provenance_pb2.Cost, _Mapping]] = ...) -> None: ...

class ClassProbability(_message.Message):
    __slots__ = ("label", "probability")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    label: str
    probability: float
    def __init__(self, label: _Optional[str] = ..., probability: _Optional[float] = ...) -> None: ...

class SegmentRequest(_message.Message):
    __slots__ = ("model", "image", "expected_diameter_px", "expected_diameter_um", "mask_format", "view", "classical")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_DIAMETER_PX_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_DIAMETER_UM_FIELD_NUMBER: _ClassVar[int]
    MASK_FORMAT_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    CLASSICAL_FIELD_NUMBER: _ClassVar[int]
    model: str
    image: _image_pb2.Image
    expected_diameter_px: float
    expected_diameter_um: float
    mask_format: _mask_pb2.MaskFormat
    view: _image_pb2.View
    classical: ClassicalParameters
    def __init__(self, model: _Optional[str] = ..., image: _Optional[_Union[_image_pb2.Image, _Mapping]] = ..., expected_diameter_px: _Optional[float] = ..., expected_diameter_um: _Optional[float] = ..., mask_format: _Optional[_Union[_mask_pb2.MaskFormat, str]] = ..., view: _Optional[_Union[_image_pb2.View, _Mapping]] = ..., classical: _Optional[_Union[ClassicalParameters, _Mapping]] = ...) -> None: ...

class SegmentResponse(_message.Message):
    __slots__ = ("instances", "label_image", "provenance", "cost")
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    LABEL_IMAGE_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    instances: _containers.RepeatedCompositeFieldContainer[_mask_pb2.Instance]
    label_image: _mask_pb2.LabelImage
    provenance: _provenance_pb2.Provenance
    cost: _provenance_pb2.Cost
    def __init__(self, instances: _Optional[_Iterable[_Union[_mask_pb2.Instance, _Mapping]]] = ..., label_image: _Optional[_Union[_mask_pb2.LabelImage, _Mapping]] = ..., provenance: _Optional[_Union[_provenance_pb2.Provenance, _Mapping]] = ..., cost: _Optional[_Union[_provenance_pb2.Cost, _Mapping]] = ...) -> None: ...

class CountRequest(_message.Message):
    __slots__ = ("model", "image", "expected_diameter_px", "expected_diameter_um", "mask_format", "view", "classical")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_DIAMETER_PX_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_DIAMETER_UM_FIELD_NUMBER: _ClassVar[int]
    MASK_FORMAT_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    CLASSICAL_FIELD_NUMBER: _ClassVar[int]
    model: str
    image: _image_pb2.Image
    expected_diameter_px: float
    expected_diameter_um: float
    mask_format: _mask_pb2.MaskFormat
    view: _image_pb2.View
    classical: ClassicalParameters
    def __init__(self, model: _Optional[str] = ..., image: _Optional[_Union[_image_pb2.Image, _Mapping]] = ..., expected_diameter_px: _Optional[float] = ..., expected_diameter_um: _Optional[float] = ..., mask_format: _Optional[_Union[_mask_pb2.MaskFormat, str]] = ..., view: _Optional[_Union[_image_pb2.View, _Mapping]] = ..., classical: _Optional[_Union[ClassicalParameters, _Mapping]] = ...) -> None: ...

class CountResponse(_message.Message):
    __slots__ = ("count", "instances", "label_image", "provenance", "cost")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    LABEL_IMAGE_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    count: int
    instances: _containers.RepeatedCompositeFieldContainer[_mask_pb2.Instance]
    label_image: _mask_pb2.LabelImage
    provenance: _provenance_pb2.Provenance
    cost: _provenance_pb2.Cost
    def __init__(self, count: _Optional[int] = ..., instances: _Optional[_Iterable[_Union[_mask_pb2.Instance, _Mapping]]] = ..., label_image: _Optional[_Union[_mask_pb2.LabelImage, _Mapping]] = ..., provenance: _Optional[_Union[_provenance_pb2.Provenance, _Mapping]] = ..., cost: _Optional[_Union[_provenance_pb2.Cost, _Mapping]] = ...) -> None: ...

class ClassicalParameters(_message.Message):
    __slots__ = ("polarity", "min_area_px", "max_area_px", "border_objects_excluded", "touching_objects_split")
    POLARITY_FIELD_NUMBER: _ClassVar[int]
    MIN_AREA_PX_FIELD_NUMBER: _ClassVar[int]
    MAX_AREA_PX_FIELD_NUMBER: _ClassVar[int]
    BORDER_OBJECTS_EXCLUDED_FIELD_NUMBER: _ClassVar[int]
    TOUCHING_OBJECTS_SPLIT_FIELD_NUMBER: _ClassVar[int]
    polarity: Polarity
    min_area_px: int
    max_area_px: int
    border_objects_excluded: bool
    touching_objects_split: bool
    def __init__(self, polarity: _Optional[_Union[Polarity, str]] = ..., min_area_px: _Optional[int] = ..., max_area_px: _Optional[int] = ..., border_objects_excluded: bool = ..., touching_objects_split: bool = ...) -> None: ...
