"""Evaluations on the wire."""

from __future__ import annotations

from datetime import UTC

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from hooke.types import Evaluation, EvaluationLimits, SampleResult, TaskEstimate, TaskProgress
from hooke.v1 import evaluation_service_pb2
from hooke.wire.enums import EVALUATION_STATES, SAMPLE_OUTCOMES


def evaluation_to_proto(evaluation: Evaluation) -> evaluation_service_pb2.Evaluation:
    """The message of an evaluation; times must be aware of their zone."""
    message = evaluation_service_pb2.Evaluation(
        evaluation_id=evaluation.evaluation_id,
        request_id=evaluation.request_id,
        suite_name=evaluation.suite_name,
        models=evaluation.models,
        state=EVALUATION_STATES.number(evaluation.state),
        task_progress=[
            evaluation_service_pb2.TaskProgress(
                task=progress.task,
                model=progress.model,
                sample_count=progress.sample_count,
                scored_count=progress.scored_count,
                abstained_count=progress.abstained_count,
                unparsed_count=progress.unparsed_count,
                failed_count=progress.failed_count,
            )
            for progress in evaluation.task_progress
        ],
        state_message=evaluation.state_message,
    )
    message.create_time.FromDatetime(evaluation.create_time)
    if evaluation.end_time is not None:
        message.end_time.FromDatetime(evaluation.end_time)
    return message


def evaluation_from_proto(message: evaluation_service_pb2.Evaluation) -> Evaluation:
    """An evaluation, its times in UTC."""
    end_time: Timestamp | None = message.end_time if message.HasField("end_time") else None
    return Evaluation(
        evaluation_id=message.evaluation_id,
        request_id=message.request_id,
        suite_name=message.suite_name,
        models=tuple(message.models),
        state=EVALUATION_STATES.member(message.state),
        task_progress=tuple(
            TaskProgress(
                task=progress.task,
                model=progress.model,
                sample_count=progress.sample_count if progress.HasField("sample_count") else None,
                scored_count=progress.scored_count,
                abstained_count=progress.abstained_count,
                unparsed_count=progress.unparsed_count,
                failed_count=progress.failed_count,
            )
            for progress in message.task_progress
        ),
        create_time=message.create_time.ToDatetime(tzinfo=UTC),
        end_time=None if end_time is None else end_time.ToDatetime(tzinfo=UTC),
        state_message=message.state_message,
    )


def sample_result_to_proto(result: SampleResult) -> evaluation_service_pb2.SampleResult:
    """The message of a sample's result."""
    return evaluation_service_pb2.SampleResult(
        sample_id=result.sample_id,
        task=result.task,
        model=result.model,
        sample_outcome=SAMPLE_OUTCOMES.number(result.outcome),
        metric_values=[
            evaluation_service_pb2.MetricValue(name=name, value=value)
            for name, value in result.metrics.items()
        ],
        answer=result.answer,
        truth=result.truth,
        error_reason=result.error_reason,
        repeat=result.repeat,
    )


def sample_result_from_proto(message: evaluation_service_pb2.SampleResult) -> SampleResult:
    """A sample's result."""
    return SampleResult(
        sample_id=message.sample_id,
        task=message.task,
        model=message.model,
        outcome=SAMPLE_OUTCOMES.member(message.sample_outcome),
        metrics={metric.name: metric.value for metric in message.metric_values},
        answer=message.answer,
        truth=message.truth,
        error_reason=message.error_reason,
        repeat=message.repeat,
    )


def evaluation_limits_to_proto(limits: EvaluationLimits) -> evaluation_service_pb2.EvaluationLimits:
    """The message of limits; models in the order of their names."""
    message = evaluation_service_pb2.EvaluationLimits(
        model_limits=[
            evaluation_service_pb2.ModelLimit(
                model=model,
                max_in_flight=limits.max_in_flight.get(model),
                requests_per_minute=limits.requests_per_minute.get(model),
            )
            for model in sorted({*limits.max_in_flight, *limits.requests_per_minute})
        ],
        max_cost_micro_usd=limits.max_cost_micro_usd,
        max_failed_count=limits.max_failed_count,
        max_failed_fraction=limits.max_failed_fraction,
    )
    if limits.max_sending_s is not None:
        message.max_sending_duration.FromNanoseconds(round(limits.max_sending_s * 1e9))
    return message


def evaluation_limits_from_proto(message: evaluation_service_pb2.EvaluationLimits) -> EvaluationLimits:
    """Limits, of which a server has to check the values."""
    duration: Duration | None = (
        message.max_sending_duration if message.HasField("max_sending_duration") else None
    )
    return EvaluationLimits(
        max_in_flight={
            limit.model: limit.max_in_flight
            for limit in message.model_limits
            if limit.HasField("max_in_flight")
        },
        requests_per_minute={
            limit.model: limit.requests_per_minute
            for limit in message.model_limits
            if limit.HasField("requests_per_minute")
        },
        max_cost_micro_usd=message.max_cost_micro_usd if message.HasField("max_cost_micro_usd") else None,
        max_failed_count=message.max_failed_count if message.HasField("max_failed_count") else None,
        max_failed_fraction=message.max_failed_fraction if message.HasField("max_failed_fraction") else None,
        max_sending_s=None if duration is None else duration.ToNanoseconds() / 1e9,
    )


def task_estimate_to_proto(estimate: TaskEstimate) -> evaluation_service_pb2.TaskEstimate:
    """The message of an estimate."""
    message = evaluation_service_pb2.TaskEstimate(
        task=estimate.task,
        model=estimate.model,
        sample_count=estimate.sample_count,
        kept_count=estimate.kept_count,
        reused_count=estimate.reused_count,
        call_count=estimate.call_count,
        known_answer_count=estimate.known_answer_count,
        input_token_count=estimate.input_token_count,
        output_token_count=estimate.output_token_count,
        cost_micro_usd=estimate.cost_micro_usd,
    )
    if estimate.shortest_s is not None:
        message.shortest_duration.FromNanoseconds(round(estimate.shortest_s * 1e9))
    if estimate.longest_s is not None:
        message.longest_duration.FromNanoseconds(round(estimate.longest_s * 1e9))
    return message


def task_estimate_from_proto(message: evaluation_service_pb2.TaskEstimate) -> TaskEstimate:
    """An estimate."""
    shortest: Duration | None = message.shortest_duration if message.HasField("shortest_duration") else None
    longest: Duration | None = message.longest_duration if message.HasField("longest_duration") else None
    return TaskEstimate(
        task=message.task,
        model=message.model,
        sample_count=message.sample_count,
        kept_count=message.kept_count,
        reused_count=message.reused_count,
        call_count=message.call_count,
        known_answer_count=message.known_answer_count,
        input_token_count=message.input_token_count if message.HasField("input_token_count") else None,
        output_token_count=message.output_token_count if message.HasField("output_token_count") else None,
        cost_micro_usd=message.cost_micro_usd if message.HasField("cost_micro_usd") else None,
        shortest_s=None if shortest is None else shortest.ToNanoseconds() / 1e9,
        longest_s=None if longest is None else longest.ToNanoseconds() / 1e9,
    )
