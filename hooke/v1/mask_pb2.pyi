from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MaskFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MASK_FORMAT_UNSPECIFIED: _ClassVar[MaskFormat]
    MASK_FORMAT_LABEL_IMAGE: _ClassVar[MaskFormat]
    MASK_FORMAT_RLE: _ClassVar[MaskFormat]
    MASK_FORMAT_NONE: _ClassVar[MaskFormat]

class LabelType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LABEL_TYPE_UNSPECIFIED: _ClassVar[LabelType]
    LABEL_TYPE_UINT16: _ClassVar[LabelType]
    LABEL_TYPE_UINT32: _ClassVar[LabelType]
MASK_FORMAT_UNSPECIFIED: MaskFormat
MASK_FORMAT_LABEL_IMAGE: MaskFormat
MASK_FORMAT_RLE: MaskFormat
MASK_FORMAT_NONE: MaskFormat
LABEL_TYPE_UNSPECIFIED: LabelType
LABEL_TYPE_UINT16: LabelType
LABEL_TYPE_UINT32: LabelType

class LabelImage(_message.Message):
    __slots__ = ("width_px", "height_px", "label_type", "data", "plane_count")
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    LABEL_TYPE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    PLANE_COUNT_FIELD_NUMBER: _ClassVar[int]
    width_px: int
    height_px: int
    label_type: LabelType
    data: bytes
    plane_count: int
    def __init__(self, width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., label_type: _Optional[_Union[LabelType, str]] = ..., data: _Optional[bytes] = ..., plane_count: _Optional[int] = ...) -> None: ...

class RleMask(_message.Message):
    __slots__ = ("width_px", "height_px", "counts")
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    width_px: int
    height_px: int
    counts: bytes
    def __init__(self, width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., counts: _Optional[bytes] = ...) -> None: ...

class BoundingBox(_message.Message):
    __slots__ = ("x_px", "y_px", "width_px", "height_px")
    X_PX_FIELD_NUMBER: _ClassVar[int]
    Y_PX_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    x_px: float
    y_px: float
    width_px: float
    height_px: float
    def __init__(self, x_px: _Optional[float] = ..., y_px: _Optional[float] = ..., width_px: _Optional[float] = ..., height_px: _Optional[float] = ...) -> None: ...

class Instance(_message.Message):
    __slots__ = ("label", "bounding_box", "score", "area_px", "area_um2", "centroid_x_px", "centroid_y_px", "equivalent_diameter_px", "equivalent_diameter_um", "touches_border", "mean_intensity", "rle", "extent")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    BOUNDING_BOX_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    AREA_PX_FIELD_NUMBER: _ClassVar[int]
    AREA_UM2_FIELD_NUMBER: _ClassVar[int]
    CENTROID_X_PX_FIELD_NUMBER: _ClassVar[int]
    CENTROID_Y_PX_FIELD_NUMBER: _ClassVar[int]
    EQUIVALENT_DIAMETER_PX_FIELD_NUMBER: _ClassVar[int]
    EQUIVALENT_DIAMETER_UM_FIELD_NUMBER: _ClassVar[int]
    TOUCHES_BORDER_FIELD_NUMBER: _ClassVar[int]
    MEAN_INTENSITY_FIELD_NUMBER: _ClassVar[int]
    RLE_FIELD_NUMBER: _ClassVar[int]
    EXTENT_FIELD_NUMBER: _ClassVar[int]
    label: int
    bounding_box: BoundingBox
    score: float
    area_px: int
    area_um2: float
    centroid_x_px: float
    centroid_y_px: float
    equivalent_diameter_px: float
    equivalent_diameter_um: float
    touches_border: bool
    mean_intensity: float
    rle: RleMask
    extent: Extent
    def __init__(self, label: _Optional[int] = ..., bounding_box: _Optional[_Union[BoundingBox, _Mapping]] = ..., score: _Optional[float] = ..., area_px: _Optional[int] = ..., area_um2: _Optional[float] = ..., centroid_x_px: _Optional[float] = ..., centroid_y_px: _Optional[float] = ..., equivalent_diameter_px: _Optional[float] = ..., equivalent_diameter_um: _Optional[float] = ..., touches_border: bool = ..., mean_intensity: _Optional[float] = ..., rle: _Optional[_Union[RleMask, _Mapping]] = ..., extent: _Optional[_Union[Extent, _Mapping]] = ...) -> None: ...

class Extent(_message.Message):
    __slots__ = ("voxel_count", "volume_um3", "first_plane_index", "plane_count", "centroid_z")
    VOXEL_COUNT_FIELD_NUMBER: _ClassVar[int]
    VOLUME_UM3_FIELD_NUMBER: _ClassVar[int]
    FIRST_PLANE_INDEX_FIELD_NUMBER: _ClassVar[int]
    PLANE_COUNT_FIELD_NUMBER: _ClassVar[int]
    CENTROID_Z_FIELD_NUMBER: _ClassVar[int]
    voxel_count: int
    volume_um3: float
    first_plane_index: int
    plane_count: int
    centroid_z: float
    def __init__(self, voxel_count: _Optional[int] = ..., volume_um3: _Optional[float] = ..., first_plane_index: _Optional[int] = ..., plane_count: _Optional[int] = ..., centroid_z: _Optional[float] = ...) -> None: ...

class Array(_message.Message):
    __slots__ = ("name", "shape", "data")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    name: str
    shape: _containers.RepeatedScalarFieldContainer[int]
    data: bytes
    def __init__(self, name: _Optional[str] = ..., shape: _Optional[_Iterable[int]] = ..., data: _Optional[bytes] = ...) -> None: ...
