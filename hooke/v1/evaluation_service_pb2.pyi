import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReportFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REPORT_FORMAT_UNSPECIFIED: _ClassVar[ReportFormat]
    REPORT_FORMAT_JSON: _ClassVar[ReportFormat]
    REPORT_FORMAT_MARKDOWN: _ClassVar[ReportFormat]
    REPORT_FORMAT_HTML_ZIP: _ClassVar[ReportFormat]

class EvaluationState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVALUATION_STATE_UNSPECIFIED: _ClassVar[EvaluationState]
    EVALUATION_STATE_QUEUED: _ClassVar[EvaluationState]
    EVALUATION_STATE_RUNNING: _ClassVar[EvaluationState]
    EVALUATION_STATE_CANCELLING: _ClassVar[EvaluationState]
    EVALUATION_STATE_SUCCEEDED: _ClassVar[EvaluationState]
    EVALUATION_STATE_PARTIALLY_SUCCEEDED: _ClassVar[EvaluationState]
    EVALUATION_STATE_FAILED: _ClassVar[EvaluationState]
    EVALUATION_STATE_CANCELLED: _ClassVar[EvaluationState]

class SampleOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SAMPLE_OUTCOME_UNSPECIFIED: _ClassVar[SampleOutcome]
    SAMPLE_OUTCOME_SCORED: _ClassVar[SampleOutcome]
    SAMPLE_OUTCOME_ABSTAINED: _ClassVar[SampleOutcome]
    SAMPLE_OUTCOME_UNPARSED: _ClassVar[SampleOutcome]
    SAMPLE_OUTCOME_FAILED: _ClassVar[SampleOutcome]
REPORT_FORMAT_UNSPECIFIED: ReportFormat
REPORT_FORMAT_JSON: ReportFormat
REPORT_FORMAT_MARKDOWN: ReportFormat
REPORT_FORMAT_HTML_ZIP: ReportFormat
EVALUATION_STATE_UNSPECIFIED: EvaluationState
EVALUATION_STATE_QUEUED: EvaluationState
EVALUATION_STATE_RUNNING: EvaluationState
EVALUATION_STATE_CANCELLING: EvaluationState
EVALUATION_STATE_SUCCEEDED: EvaluationState
EVALUATION_STATE_PARTIALLY_SUCCEEDED: EvaluationState
EVALUATION_STATE_FAILED: EvaluationState
EVALUATION_STATE_CANCELLED: EvaluationState
SAMPLE_OUTCOME_UNSPECIFIED: SampleOutcome
SAMPLE_OUTCOME_SCORED: SampleOutcome
SAMPLE_OUTCOME_ABSTAINED: SampleOutcome
SAMPLE_OUTCOME_UNPARSED: SampleOutcome
SAMPLE_OUTCOME_FAILED: SampleOutcome

class CreateEvaluationRequest(_message.Message):
    __slots__ = ("request_id", "suite_name", "suite_yaml", "models", "data_dir", "sample_limit", "limits", "reuse_answers")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SUITE_NAME_FIELD_NUMBER: _ClassVar[int]
    SUITE_YAML_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    DATA_DIR_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_LIMIT_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    REUSE_ANSWERS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    suite_name: str
    suite_yaml: str
    models: _containers.RepeatedScalarFieldContainer[str]
    data_dir: str
    sample_limit: int
    limits: EvaluationLimits
    reuse_answers: bool
    def __init__(self, request_id: _Optional[str] = ..., suite_name: _Optional[str] = ..., suite_yaml: _Optional[str] = ..., models: _Optional[_Iterable[str]] = ..., data_dir: _Optional[str] = ..., sample_limit: _Optional[int] = ..., limits: _Optional[_Union[EvaluationLimits, _Mapping]] = ..., reuse_answers: bool = ...) -> None: ...

class EvaluationLimits(_message.Message):
    __slots__ = ("model_limits", "max_cost_micro_usd", "max_failed_count", "max_failed_fraction", "max_sending_duration")
    MODEL_LIMITS_FIELD_NUMBER: _ClassVar[int]
    MAX_COST_MICRO_USD_FIELD_NUMBER: _ClassVar[int]
    MAX_FAILED_COUNT_FIELD_NUMBER: _ClassVar[int]
    MAX_FAILED_FRACTION_FIELD_NUMBER: _ClassVar[int]
    MAX_SENDING_DURATION_FIELD_NUMBER: _ClassVar[int]
    model_limits: _containers.RepeatedCompositeFieldContainer[ModelLimit]
    max_cost_micro_usd: int
    max_failed_count: int
    max_failed_fraction: float
    max_sending_duration: _duration_pb2.Duration
    def __init__(self, model_limits: _Optional[_Iterable[_Union[ModelLimit, _Mapping]]] = ..., max_cost_micro_usd: _Optional[int] = ..., max_failed_count: _Optional[int] = ..., max_failed_fraction: _Optional[float] = ..., max_sending_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ModelLimit(_message.Message):
    __slots__ = ("model", "max_in_flight", "requests_per_minute")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MAX_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    model: str
    max_in_flight: int
    requests_per_minute: int
    def __init__(self, model: _Optional[str] = ..., max_in_flight: _Optional[int] = ..., requests_per_minute: _Optional[int] = ...) -> None: ...

class CreateEvaluationResponse(_message.Message):
    __slots__ = ("evaluation",)
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    evaluation: Evaluation
    def __init__(self, evaluation: _Optional[_Union[Evaluation, _Mapping]] = ...) -> None: ...

class EstimateEvaluationRequest(_message.Message):
    __slots__ = ("evaluation_request",)
    EVALUATION_REQUEST_FIELD_NUMBER: _ClassVar[int]
    evaluation_request: CreateEvaluationRequest
    def __init__(self, evaluation_request: _Optional[_Union[CreateEvaluationRequest, _Mapping]] = ...) -> None: ...

class EstimateEvaluationResponse(_message.Message):
    __slots__ = ("task_estimates",)
    TASK_ESTIMATES_FIELD_NUMBER: _ClassVar[int]
    task_estimates: _containers.RepeatedCompositeFieldContainer[TaskEstimate]
    def __init__(self, task_estimates: _Optional[_Iterable[_Union[TaskEstimate, _Mapping]]] = ...) -> None: ...

class TaskEstimate(_message.Message):
    __slots__ = ("task", "model", "sample_count", "kept_count", "reused_count", "call_count", "known_answer_count", "input_token_count", "output_token_count", "cost_micro_usd", "shortest_duration", "longest_duration")
    TASK_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    KEPT_COUNT_FIELD_NUMBER: _ClassVar[int]
    REUSED_COUNT_FIELD_NUMBER: _ClassVar[int]
    CALL_COUNT_FIELD_NUMBER: _ClassVar[int]
    KNOWN_ANSWER_COUNT_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    COST_MICRO_USD_FIELD_NUMBER: _ClassVar[int]
    SHORTEST_DURATION_FIELD_NUMBER: _ClassVar[int]
    LONGEST_DURATION_FIELD_NUMBER: _ClassVar[int]
    task: str
    model: str
    sample_count: int
    kept_count: int
    reused_count: int
    call_count: int
    known_answer_count: int
    input_token_count: int
    output_token_count: int
    cost_micro_usd: int
    shortest_duration: _duration_pb2.Duration
    longest_duration: _duration_pb2.Duration
    def __init__(self, task: _Optional[str] = ..., model: _Optional[str] = ..., sample_count: _Optional[int] = ..., kept_count: _Optional[int] = ..., reused_count: _Optional[int] = ..., call_count: _Optional[int] = ..., known_answer_count: _Optional[int] = ..., input_token_count: _Optional[int] = ..., output_token_count: _Optional[int] = ..., cost_micro_usd: _Optional[int] = ..., shortest_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., longest_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class RescoreEvaluationRequest(_message.Message):
    __slots__ = ("evaluation_id",)
    EVALUATION_ID_FIELD_NUMBER: _ClassVar[int]
    evaluation_id: str
    def __init__(self, evaluation_id: _Optional[str] = ...) -> None: ...

class RescoreEvaluationResponse(_message.Message):
    __slots__ = ("evaluation",)
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    evaluation: Evaluation
    def __init__(self, evaluation: _Optional[_Union[Evaluation, _Mapping]] = ...) -> None: ...

class GetEvaluationRequest(_message.Message):
    __slots__ = ("evaluation_id",)
    EVALUATION_ID_FIELD_NUMBER: _ClassVar[int]
    evaluation_id: str
    def __init__(self, evaluation_id: _Optional[str] = ...) -> None: ...

class GetEvaluationResponse(_message.Message):
    __slots__ = ("evaluation",)
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    evaluation: Evaluation
    def __init__(self, evaluation: _Optional[_Union[Evaluation, _Mapping]] = ...) -> None: ...

class ListEvaluationsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListEvaluationsResponse(_message.Message):
    __slots__ = ("evaluations", "next_page_token")
    EVALUATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    evaluations: _containers.RepeatedCompositeFieldContainer[Evaluation]
    next_page_token: str
    def __init__(self, evaluations: _Optional[_Iterable[_Union[Evaluation, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WatchEvaluationRequest(_message.Message):
    __slots__ = ("evaluation_id",)
    EVALUATION_ID_FIELD_NUMBER: _ClassVar[int]
    evaluation_id: str
    def __init__(self, evaluation_id: _Optional[str] = ...) -> None: ...

class WatchEvaluationResponse(_message.Message):
    __slots__ = ("evaluation",)
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    evaluation: Evaluation
    def __init__(self, evaluation: _Optional[_Union[Evaluation, _Mapping]] = ...) -> None: ...

class CancelEvaluationRequest(_message.Message):
    __slots__ = ("evaluation_id",)
    EVALUATION_ID_FIELD_NUMBER: _ClassVar[int]
    evaluation_id: str
    def __init__(self, evaluation_id: _Optional[str] = ...) -> None: ...

class CancelEvaluationResponse(_message.Message):
    __slots__ = ("evaluation",)
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    evaluation: Evaluation
    def __init__(self, evaluation: _Optional[_Union[Evaluation, _Mapping]] = ...) -> None: ...

class ListSampleResultsRequest(_message.Message):
    __slots__ = ("evaluation_id", "task", "model", "page_size", "page_token")
    EVALUATION_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    evaluation_id: str
    task: str
    model: str
    page_size: int
    page_token: str
    def __init__(self, evaluation_id: _Optional[str] = ..., task: _Optional[str] = ..., model: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSampleResultsResponse(_message.Message):
    __slots__ = ("sample_results", "next_page_token")
    SAMPLE_RESULTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    sample_results: _containers.RepeatedCompositeFieldContainer[SampleResult]
    next_page_token: str
    def __init__(self, sample_results: _Optional[_Iterable[_Union[SampleResult, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetReportRequest(_message.Message):
    __slots__ = ("evaluation_id", "report_format", "compared_to_evaluation_id")
    EVALUATION_ID_FIELD_NUMBER: _ClassVar[int]
    REPORT_FORMAT_FIELD_NUMBER: _ClassVar[int]
    COMPARED_TO_EVALUATION_ID_FIELD_NUMBER: _ClassVar[int]
    evaluation_id: str
    report_format: ReportFormat
    compared_to_evaluation_id: str
    def __init__(self, evaluation_id: _Optional[str] = ..., report_format: _Optional[_Union[ReportFormat, str]] = ..., compared_to_evaluation_id: _Optional[str] = ...) -> None: ...

class GetReportResponse(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    def __init__(self, chunk: _Optional[bytes] = ...) -> None: ...

class Evaluation(_message.Message):
    __slots__ = ("evaluation_id", "request_id", "suite_name", "models", "state", "task_progress", "create_time", "end_time", "state_message")
    EVALUATION_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SUITE_NAME_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TASK_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    STATE_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    evaluation_id: str
    request_id: str
    suite_name: str
    models: _containers.RepeatedScalarFieldContainer[str]
    state: EvaluationState
    task_progress: _containers.RepeatedCompositeFieldContainer[TaskProgress]
    create_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    state_message: str
    def __init__(self, evaluation_id: _Optional[str] = ..., request_id: _Optional[str] = ..., suite_name: _Optional[str] = ..., models: _Optional[_Iterable[str]] = ..., state: _Optional[_Union[EvaluationState, str]] = ..., task_progress: _Optional[_Iterable[_Union[TaskProgress, _Mapping]]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., state_message: _Optional[str] = ...) -> None: ...

class TaskProgress(_message.Message):
    __slots__ = ("task", "model", "sample_count", "scored_count", "abstained_count", "unparsed_count", "failed_count")
    TASK_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    SCORED_COUNT_FIELD_NUMBER: _ClassVar[int]
    ABSTAINED_COUNT_FIELD_NUMBER: _ClassVar[int]
    UNPARSED_COUNT_FIELD_NUMBER: _ClassVar[int]
    FAILED_COUNT_FIELD_NUMBER: _ClassVar[int]
    task: str
    model: str
    sample_count: int
    scored_count: int
    abstained_count: int
    unparsed_count: int
    failed_count: int
    def __init__(self, task: _Optional[str] = ..., model: _Optional[str] = ..., sample_count: _Optional[int] = ..., scored_count: _Optional[int] = ..., abstained_count: _Optional[int] = ..., unparsed_count: _Optional[int] = ..., failed_count: _Optional[int] = ...) -> None: ...

class SampleResult(_message.Message):
    __slots__ = ("sample_id", "task", "model", "sample_outcome", "metric_values", "answer", "truth", "error_reason", "repeat")
    SAMPLE_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_OUTCOME_FIELD_NUMBER: _ClassVar[int]
    METRIC_VALUES_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    TRUTH_FIELD_NUMBER: _ClassVar[int]
    ERROR_REASON_FIELD_NUMBER: _ClassVar[int]
    REPEAT_FIELD_NUMBER: _ClassVar[int]
    sample_id: str
    task: str
    model: str
    sample_outcome: SampleOutcome
    metric_values: _containers.RepeatedCompositeFieldContainer[MetricValue]
    answer: str
    truth: str
    error_reason: str
    repeat: int
    def __init__(self, sample_id: _Optional[str] = ..., task: _Optional[str] = ..., model: _Optional[str] = ..., sample_outcome: _Optional[_Union[SampleOutcome, str]] = ..., metric_values: _Optional[_Iterable[_Union[MetricValue, _Mapping]]] = ..., answer: _Optional[str] = ..., truth: _Optional[str] = ..., error_reason: _Optional[str] = ..., repeat: _Optional[int] = ...) -> None: ...

class MetricValue(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: float
    def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
