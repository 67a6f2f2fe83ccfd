"""Evaluations on the wire."""

from __future__ import annotations

from datetime import UTC

from google.protobuf.timestamp_pb2 import Timestamp

from hooke.types import Evaluation, SampleResult, TaskProgress
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
    )
