from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PixelType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PIXEL_TYPE_UNSPECIFIED: _ClassVar[PixelType]
    PIXEL_TYPE_UINT8: _ClassVar[PixelType]
    PIXEL_TYPE_UINT16: _ClassVar[PixelType]
    PIXEL_TYPE_UINT32: _ClassVar[PixelType]
    PIXEL_TYPE_FLOAT32: _ClassVar[PixelType]

class PixelSizeSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PIXEL_SIZE_SOURCE_UNSPECIFIED: _ClassVar[PixelSizeSource]
    PIXEL_SIZE_SOURCE_OME_XML: _ClassVar[PixelSizeSource]
    PIXEL_SIZE_SOURCE_IMAGEJ: _ClassVar[PixelSizeSource]
    PIXEL_SIZE_SOURCE_TIFF_RESOLUTION: _ClassVar[PixelSizeSource]
    PIXEL_SIZE_SOURCE_VENDOR_TAG: _ClassVar[PixelSizeSource]
    PIXEL_SIZE_SOURCE_SCALE_BAR: _ClassVar[PixelSizeSource]
    PIXEL_SIZE_SOURCE_REQUEST: _ClassVar[PixelSizeSource]

class Projection(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROJECTION_UNSPECIFIED: _ClassVar[Projection]
    PROJECTION_MAX: _ClassVar[Projection]
    PROJECTION_MEAN: _ClassVar[Projection]
PIXEL_TYPE_UNSPECIFIED: PixelType
PIXEL_TYPE_UINT8: PixelType
PIXEL_TYPE_UINT16: PixelType
PIXEL_TYPE_UINT32: PixelType
PIXEL_TYPE_FLOAT32: PixelType
PIXEL_SIZE_SOURCE_UNSPECIFIED: PixelSizeSource
PIXEL_SIZE_SOURCE_OME_XML: PixelSizeSource
PIXEL_SIZE_SOURCE_IMAGEJ: PixelSizeSource
PIXEL_SIZE_SOURCE_TIFF_RESOLUTION: PixelSizeSource
PIXEL_SIZE_SOURCE_VENDOR_TAG: PixelSizeSource
PIXEL_SIZE_SOURCE_SCALE_BAR: PixelSizeSource
PIXEL_SIZE_SOURCE_REQUEST: PixelSizeSource
PROJECTION_UNSPECIFIED: Projection
PROJECTION_MAX: Projection
PROJECTION_MEAN: Projection

class Image(_message.Message):
    __slots__ = ("encoded", "pixels", "sha256", "axes", "pixel_size", "channel_names", "bit_depth")
    ENCODED_FIELD_NUMBER: _ClassVar[int]
    PIXELS_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    AXES_FIELD_NUMBER: _ClassVar[int]
    PIXEL_SIZE_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_NAMES_FIELD_NUMBER: _ClassVar[int]
    BIT_DEPTH_FIELD_NUMBER: _ClassVar[int]
    encoded: bytes
    pixels: Pixels
    sha256: str
    axes: str
    pixel_size: PixelSize
    channel_names: _containers.RepeatedScalarFieldContainer[str]
    bit_depth: int
    def __init__(self, encoded: _Optional[bytes] = ..., pixels: _Optional[_Union[Pixels, _Mapping]] = ..., sha256: _Optional[str] = ..., axes: _Optional[str] = ..., pixel_size: _Optional[_Union[PixelSize, _Mapping]] = ..., channel_names: _Optional[_Iterable[str]] = ..., bit_depth: _Optional[int] = ...) -> None: ...

class Pixels(_message.Message):
    __slots__ = ("data", "shape", "pixel_type")
    DATA_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    PIXEL_TYPE_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    shape: _containers.RepeatedScalarFieldContainer[int]
    pixel_type: PixelType
    def __init__(self, data: _Optional[bytes] = ..., shape: _Optional[_Iterable[int]] = ..., pixel_type: _Optional[_Union[PixelType, str]] = ...) -> None: ...

class PixelSize(_message.Message):
    __slots__ = ("pixel_size_x_um", "pixel_size_y_um", "pixel_size_z_um", "source")
    PIXEL_SIZE_X_UM_FIELD_NUMBER: _ClassVar[int]
    PIXEL_SIZE_Y_UM_FIELD_NUMBER: _ClassVar[int]
    PIXEL_SIZE_Z_UM_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    pixel_size_x_um: float
    pixel_size_y_um: float
    pixel_size_z_um: float
    source: PixelSizeSource
    def __init__(self, pixel_size_x_um: _Optional[float] = ..., pixel_size_y_um: _Optional[float] = ..., pixel_size_z_um: _Optional[float] = ..., source: _Optional[_Union[PixelSizeSource, str]] = ...) -> None: ...

class View(_message.Message):
    __slots__ = ("time_index", "z_index", "z_projection", "channel_indices", "low_percentile", "high_percentile", "channel_names")
    TIME_INDEX_FIELD_NUMBER: _ClassVar[int]
    Z_INDEX_FIELD_NUMBER: _ClassVar[int]
    Z_PROJECTION_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_INDICES_FIELD_NUMBER: _ClassVar[int]
    LOW_PERCENTILE_FIELD_NUMBER: _ClassVar[int]
    HIGH_PERCENTILE_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_NAMES_FIELD_NUMBER: _ClassVar[int]
    time_index: int
    z_index: int
    z_projection: Projection
    channel_indices: _containers.RepeatedScalarFieldContainer[int]
    low_percentile: float
    high_percentile: float
    channel_names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, time_index: _Optional[int] = ..., z_index: _Optional[int] = ..., z_projection: _Optional[_Union[Projection, str]] = ..., channel_indices: _Optional[_Iterable[int]] = ..., low_percentile: _Optional[float] = ..., high_percentile: _Optional[float] = ..., channel_names: _Optional[_Iterable[str]] = ...) -> None: ...
