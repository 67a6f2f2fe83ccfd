import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from hooke.v1 import image_pb2 as _image_pb2
from hooke.v1 import mask_pb2 as _mask_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Provenance(_message.Message):
    __slots__ = ("model", "model_version", "weights_digest", "code_version", "image_sha256", "rendered_image", "parameters", "pixel_size", "info_bar_box", "images", "prompt_version", "prompt_sha256", "unused_fields")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_DIGEST_FIELD_NUMBER: _ClassVar[int]
    CODE_VERSION_FIELD_NUMBER: _ClassVar[int]
    IMAGE_SHA256_FIELD_NUMBER: _ClassVar[int]
    RENDERED_IMAGE_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    PIXEL_SIZE_FIELD_NUMBER: _ClassVar[int]
    INFO_BAR_BOX_FIELD_NUMBER: _ClassVar[int]
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    PROMPT_VERSION_FIELD_NUMBER: _ClassVar[int]
    PROMPT_SHA256_FIELD_NUMBER: _ClassVar[int]
    UNUSED_FIELDS_FIELD_NUMBER: _ClassVar[int]
    model: str
    model_version: str
    weights_digest: str
    code_version: str
    image_sha256: str
    rendered_image: RenderedImage
    parameters: _containers.RepeatedCompositeFieldContainer[UsedParameter]
    pixel_size: _image_pb2.PixelSize
    info_bar_box: _mask_pb2.BoundingBox
    images: _containers.RepeatedCompositeFieldContainer[SourceImage]
    prompt_version: str
    prompt_sha256: str
    unused_fields: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, model: _Optional[str] = ..., model_version: _Optional[str] = ..., weights_digest: _Optional[str] = ..., code_version: _Optional[str] = ..., image_sha256: _Optional[str] = ..., rendered_image: _Optional[_Union[RenderedImage, _Mapping]] = ..., parameters: _Optional[_Iterable[_Union[UsedParameter, _Mapping]]] = ..., pixel_size: _Optional[_Union[_image_pb2.PixelSize, _Mapping]] = ..., info_bar_box: _Optional[_Union[_mask_pb2.BoundingBox, _Mapping]] = ..., images: _Optional[_Iterable[_Union[SourceImage, _Mapping]]] = ..., prompt_version: _Optional[str] = ..., prompt_sha256: _Optional[str] = ..., unused_fields: _Optional[_Iterable[str]] = ...) -> None: ...

class SourceImage(_message.Message):
    __slots__ = ("image_sha256", "rendered_image")
    IMAGE_SHA256_FIELD_NUMBER: _ClassVar[int]
    RENDERED_IMAGE_FIELD_NUMBER: _ClassVar[int]
    image_sha256: str
    rendered_image: RenderedImage
    def __init__(self, image_sha256: _Optional[str] = ..., rendered_image: _Optional[_Union[RenderedImage, _Mapping]] = ...) -> None: ...

class RenderedImage(_message.Message):
    __slots__ = ("width_px", "height_px", "axes", "sample_type", "intensity_ranges", "media_type")
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    AXES_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_TYPE_FIELD_NUMBER: _ClassVar[int]
    INTENSITY_RANGES_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    width_px: int
    height_px: int
    axes: str
    sample_type: str
    intensity_ranges: _containers.RepeatedCompositeFieldContainer[IntensityRange]
    media_type: str
    def __init__(self, width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., axes: _Optional[str] = ..., sample_type: _Optional[str] = ..., intensity_ranges: _Optional[_Iterable[_Union[IntensityRange, _Mapping]]] = ..., media_type: _Optional[str] = ...) -> None: ...

class IntensityRange(_message.Message):
    __slots__ = ("low", "high")
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    low: float
    high: float
    def __init__(self, low: _Optional[float] = ..., high: _Optional[float] = ...) -> None: ...

class UsedParameter(_message.Message):
    __slots__ = ("name", "number", "text", "flag", "chosen_by_server")
    NAME_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FLAG_FIELD_NUMBER: _ClassVar[int]
    CHOSEN_BY_SERVER_FIELD_NUMBER: _ClassVar[int]
    name: str
    number: float
    text: str
    flag: bool
    chosen_by_server: bool
    def __init__(self, name: _Optional[str] = ..., number: _Optional[float] = ..., text: _Optional[str] = ..., flag: bool = ..., chosen_by_server: bool = ...) -> None: ...

class Cost(_message.Message):
    __slots__ = ("queue_duration", "compute_duration", "total_duration", "batch_size", "token_usage")
    QUEUE_DURATION_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_DURATION_FIELD_NUMBER: _ClassVar[int]
    TOTAL_DURATION_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_USAGE_FIELD_NUMBER: _ClassVar[int]
    queue_duration: _duration_pb2.Duration
    compute_duration: _duration_pb2.Duration
    total_duration: _duration_pb2.Duration
    batch_size: int
    token_usage: TokenUsage
    def __init__(self, queue_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., compute_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., total_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., batch_size: _Optional[int] = ..., token_usage: _Optional[_Union[TokenUsage, _Mapping]] = ...) -> None: ...

class TokenUsage(_message.Message):
    __slots__ = ("input_token_count", "cached_input_token_count", "output_token_count", "cost_micro_usd", "price_missing", "price_list_date")
    INPUT_TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    CACHED_INPUT_TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    COST_MICRO_USD_FIELD_NUMBER: _ClassVar[int]
    PRICE_MISSING_FIELD_NUMBER: _ClassVar[int]
    PRICE_LIST_DATE_FIELD_NUMBER: _ClassVar[int]
    input_token_count: int
    cached_input_token_count: int
    output_token_count: int
    cost_micro_usd: int
    price_missing: bool
    price_list_date: str
    def __init__(self, input_token_count: _Optional[int] = ..., cached_input_token_count: _Optional[int] = ..., output_token_count: _Optional[int] = ..., cost_micro_usd: _Optional[int] = ..., price_missing: bool = ..., price_list_date: _Optional[str] = ...) -> None: ...
