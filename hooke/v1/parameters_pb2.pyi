from hooke.v1 import conversation_pb2 as _conversation_pb2
from hooke.v1 import mask_pb2 as _mask_pb2
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

class SamPreset(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SAM_PRESET_UNSPECIFIED: _ClassVar[SamPreset]
    SAM_PRESET_DEFAULT: _ClassVar[SamPreset]
    SAM_PRESET_PAPER: _ClassVar[SamPreset]
    SAM_PRESET_MICROSCOPY: _ClassVar[SamPreset]

class CellposeVolumeMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CELLPOSE_VOLUME_MODE_UNSPECIFIED: _ClassVar[CellposeVolumeMode]
    CELLPOSE_VOLUME_MODE_STITCHED: _ClassVar[CellposeVolumeMode]
    CELLPOSE_VOLUME_MODE_FULL: _ClassVar[CellposeVolumeMode]

class LabelNormalization(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LABEL_NORMALIZATION_UNSPECIFIED: _ClassVar[LabelNormalization]
    LABEL_NORMALIZATION_TOKEN_MEAN: _ClassVar[LabelNormalization]
    LABEL_NORMALIZATION_NONE: _ClassVar[LabelNormalization]
    LABEL_NORMALIZATION_PRIOR: _ClassVar[LabelNormalization]

class OpenaiDetail(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OPENAI_DETAIL_UNSPECIFIED: _ClassVar[OpenaiDetail]
    OPENAI_DETAIL_LOW: _ClassVar[OpenaiDetail]
    OPENAI_DETAIL_HIGH: _ClassVar[OpenaiDetail]

class GeminiMediaResolution(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GEMINI_MEDIA_RESOLUTION_UNSPECIFIED: _ClassVar[GeminiMediaResolution]
    GEMINI_MEDIA_RESOLUTION_LOW: _ClassVar[GeminiMediaResolution]
    GEMINI_MEDIA_RESOLUTION_MEDIUM: _ClassVar[GeminiMediaResolution]
    GEMINI_MEDIA_RESOLUTION_HIGH: _ClassVar[GeminiMediaResolution]
POLARITY_UNSPECIFIED: Polarity
POLARITY_BRIGHT_ON_DARK: Polarity
POLARITY_DARK_ON_BRIGHT: Polarity
SAM_PRESET_UNSPECIFIED: SamPreset
SAM_PRESET_DEFAULT: SamPreset
SAM_PRESET_PAPER: SamPreset
SAM_PRESET_MICROSCOPY: SamPreset
CELLPOSE_VOLUME_MODE_UNSPECIFIED: CellposeVolumeMode
CELLPOSE_VOLUME_MODE_STITCHED: CellposeVolumeMode
CELLPOSE_VOLUME_MODE_FULL: CellposeVolumeMode
LABEL_NORMALIZATION_UNSPECIFIED: LabelNormalization
LABEL_NORMALIZATION_TOKEN_MEAN: LabelNormalization
LABEL_NORMALIZATION_NONE: LabelNormalization
LABEL_NORMALIZATION_PRIOR: LabelNormalization
OPENAI_DETAIL_UNSPECIFIED: OpenaiDetail
OPENAI_DETAIL_LOW: OpenaiDetail
OPENAI_DETAIL_HIGH: OpenaiDetail
GEMINI_MEDIA_RESOLUTION_UNSPECIFIED: GeminiMediaResolution
GEMINI_MEDIA_RESOLUTION_LOW: GeminiMediaResolution
GEMINI_MEDIA_RESOLUTION_MEDIUM: GeminiMediaResolution
GEMINI_MEDIA_RESOLUTION_HIGH: GeminiMediaResolution

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

class SamParameters(_message.Message):
    __slots__ = ("sam_preset", "prompts", "points_per_side", "points_per_batch", "pred_iou_thresh", "stability_score_thresh", "stability_score_offset", "box_nms_thresh", "crop_layer_count", "crop_nms_thresh", "crop_overlap_ratio", "crop_points_downscale_factor", "min_mask_region_area_px", "max_area_fraction", "session_id")
    SAM_PRESET_FIELD_NUMBER: _ClassVar[int]
    PROMPTS_FIELD_NUMBER: _ClassVar[int]
    POINTS_PER_SIDE_FIELD_NUMBER: _ClassVar[int]
    POINTS_PER_BATCH_FIELD_NUMBER: _ClassVar[int]
    PRED_IOU_THRESH_FIELD_NUMBER: _ClassVar[int]
    STABILITY_SCORE_THRESH_FIELD_NUMBER: _ClassVar[int]
    STABILITY_SCORE_OFFSET_FIELD_NUMBER: _ClassVar[int]
    BOX_NMS_THRESH_FIELD_NUMBER: _ClassVar[int]
    CROP_LAYER_COUNT_FIELD_NUMBER: _ClassVar[int]
    CROP_NMS_THRESH_FIELD_NUMBER: _ClassVar[int]
    CROP_OVERLAP_RATIO_FIELD_NUMBER: _ClassVar[int]
    CROP_POINTS_DOWNSCALE_FACTOR_FIELD_NUMBER: _ClassVar[int]
    MIN_MASK_REGION_AREA_PX_FIELD_NUMBER: _ClassVar[int]
    MAX_AREA_FRACTION_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    sam_preset: SamPreset
    prompts: SamPrompts
    points_per_side: int
    points_per_batch: int
    pred_iou_thresh: float
    stability_score_thresh: float
    stability_score_offset: float
    box_nms_thresh: float
    crop_layer_count: int
    crop_nms_thresh: float
    crop_overlap_ratio: float
    crop_points_downscale_factor: int
    min_mask_region_area_px: int
    max_area_fraction: float
    session_id: str
    def __init__(self, sam_preset: _Optional[_Union[SamPreset, str]] = ..., prompts: _Optional[_Union[SamPrompts, _Mapping]] = ..., points_per_side: _Optional[int] = ..., points_per_batch: _Optional[int] = ..., pred_iou_thresh: _Optional[float] = ..., stability_score_thresh: _Optional[float] = ..., stability_score_offset: _Optional[float] = ..., box_nms_thresh: _Optional[float] = ..., crop_layer_count: _Optional[int] = ..., crop_nms_thresh: _Optional[float] = ..., crop_overlap_ratio: _Optional[float] = ..., crop_points_downscale_factor: _Optional[int] = ..., min_mask_region_area_px: _Optional[int] = ..., max_area_fraction: _Optional[float] = ..., session_id: _Optional[str] = ...) -> None: ...

class SamPrompts(_message.Message):
    __slots__ = ("points", "boxes", "mask_logits", "multimask_output", "mask_logits_returned")
    POINTS_FIELD_NUMBER: _ClassVar[int]
    BOXES_FIELD_NUMBER: _ClassVar[int]
    MASK_LOGITS_FIELD_NUMBER: _ClassVar[int]
    MULTIMASK_OUTPUT_FIELD_NUMBER: _ClassVar[int]
    MASK_LOGITS_RETURNED_FIELD_NUMBER: _ClassVar[int]
    points: _containers.RepeatedCompositeFieldContainer[SamPoint]
    boxes: _containers.RepeatedCompositeFieldContainer[_mask_pb2.BoundingBox]
    mask_logits: _mask_pb2.Array
    multimask_output: bool
    mask_logits_returned: bool
    def __init__(self, points: _Optional[_Iterable[_Union[SamPoint, _Mapping]]] = ..., boxes: _Optional[_Iterable[_Union[_mask_pb2.BoundingBox, _Mapping]]] = ..., mask_logits: _Optional[_Union[_mask_pb2.Array, _Mapping]] = ..., multimask_output: bool = ..., mask_logits_returned: bool = ...) -> None: ...

class SamPoint(_message.Message):
    __slots__ = ("x_px", "y_px", "background")
    X_PX_FIELD_NUMBER: _ClassVar[int]
    Y_PX_FIELD_NUMBER: _ClassVar[int]
    BACKGROUND_FIELD_NUMBER: _ClassVar[int]
    x_px: float
    y_px: float
    background: bool
    def __init__(self, x_px: _Optional[float] = ..., y_px: _Optional[float] = ..., background: bool = ...) -> None: ...

class CellposeParameters(_message.Message):
    __slots__ = ("flow_threshold", "cell_probability_threshold", "min_area_px", "max_area_fraction", "low_percentile", "high_percentile", "normalization_skipped", "iteration_count", "tile_overlap", "cellpose_volume_mode", "stitch_threshold", "anisotropy", "flows_returned")
    FLOW_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    CELL_PROBABILITY_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    MIN_AREA_PX_FIELD_NUMBER: _ClassVar[int]
    MAX_AREA_FRACTION_FIELD_NUMBER: _ClassVar[int]
    LOW_PERCENTILE_FIELD_NUMBER: _ClassVar[int]
    HIGH_PERCENTILE_FIELD_NUMBER: _ClassVar[int]
    NORMALIZATION_SKIPPED_FIELD_NUMBER: _ClassVar[int]
    ITERATION_COUNT_FIELD_NUMBER: _ClassVar[int]
    TILE_OVERLAP_FIELD_NUMBER: _ClassVar[int]
    CELLPOSE_VOLUME_MODE_FIELD_NUMBER: _ClassVar[int]
    STITCH_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    ANISOTROPY_FIELD_NUMBER: _ClassVar[int]
    FLOWS_RETURNED_FIELD_NUMBER: _ClassVar[int]
    flow_threshold: float
    cell_probability_threshold: float
    min_area_px: int
    max_area_fraction: float
    low_percentile: float
    high_percentile: float
    normalization_skipped: bool
    iteration_count: int
    tile_overlap: float
    cellpose_volume_mode: CellposeVolumeMode
    stitch_threshold: float
    anisotropy: float
    flows_returned: bool
    def __init__(self, flow_threshold: _Optional[float] = ..., cell_probability_threshold: _Optional[float] = ..., min_area_px: _Optional[int] = ..., max_area_fraction: _Optional[float] = ..., low_percentile: _Optional[float] = ..., high_percentile: _Optional[float] = ..., normalization_skipped: bool = ..., iteration_count: _Optional[int] = ..., tile_overlap: _Optional[float] = ..., cellpose_volume_mode: _Optional[_Union[CellposeVolumeMode, str]] = ..., stitch_threshold: _Optional[float] = ..., anisotropy: _Optional[float] = ..., flows_returned: bool = ...) -> None: ...

class LlavaParameters(_message.Message):
    __slots__ = ("decoding", "label_normalization")
    DECODING_FIELD_NUMBER: _ClassVar[int]
    LABEL_NORMALIZATION_FIELD_NUMBER: _ClassVar[int]
    decoding: _conversation_pb2.Decoding
    label_normalization: LabelNormalization
    def __init__(self, decoding: _Optional[_Union[_conversation_pb2.Decoding, _Mapping]] = ..., label_normalization: _Optional[_Union[LabelNormalization, str]] = ...) -> None: ...

class OpenaiParameters(_message.Message):
    __slots__ = ("provider_model", "decoding", "openai_detail")
    PROVIDER_MODEL_FIELD_NUMBER: _ClassVar[int]
    DECODING_FIELD_NUMBER: _ClassVar[int]
    OPENAI_DETAIL_FIELD_NUMBER: _ClassVar[int]
    provider_model: str
    decoding: _conversation_pb2.Decoding
    openai_detail: OpenaiDetail
    def __init__(self, provider_model: _Optional[str] = ..., decoding: _Optional[_Union[_conversation_pb2.Decoding, _Mapping]] = ..., openai_detail: _Optional[_Union[OpenaiDetail, str]] = ...) -> None: ...

class GeminiParameters(_message.Message):
    __slots__ = ("provider_model", "decoding", "gemini_media_resolution")
    PROVIDER_MODEL_FIELD_NUMBER: _ClassVar[int]
    DECODING_FIELD_NUMBER: _ClassVar[int]
    GEMINI_MEDIA_RESOLUTION_FIELD_NUMBER: _ClassVar[int]
    provider_model: str
    decoding: _conversation_pb2.Decoding
    gemini_media_resolution: GeminiMediaResolution
    def __init__(self, provider_model: _Optional[str] = ..., decoding: _Optional[_Union[_conversation_pb2.Decoding, _Mapping]] = ..., gemini_media_resolution: _Optional[_Union[GeminiMediaResolution, str]] = ...) -> None: ...
