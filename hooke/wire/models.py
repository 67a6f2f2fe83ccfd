"""Models on the wire."""

from __future__ import annotations

from hooke.types import Licences, ModelInfo
from hooke.v1 import model_service_pb2
from hooke.wire.enums import MODEL_STATES, TASKS


def model_info_to_proto(info: ModelInfo) -> model_service_pb2.ModelInfo:
    """The message of a model."""
    licences = info.licences
    return model_service_pb2.ModelInfo(
        name=info.name,
        version=info.version,
        description=info.description,
        tasks=sorted(TASKS.number(task) for task in info.tasks),
        state=MODEL_STATES.number(info.state),
        weights_digest=info.weights_digest,
        licences=model_service_pb2.Licences(
            code=licences.code, weights=licences.weights, training_data=licences.training_data
        ),
        max_image_pixels=info.max_image_pixels,
        score_meaning=info.score_meaning,
        device=info.device,
        max_channel_count=info.max_channel_count,
        examples_required=info.examples_required,
        code_version=info.code_version,
        state_message=info.state_message,
        remote=info.remote,
    )


def model_info_from_proto(message: model_service_pb2.ModelInfo) -> ModelInfo:
    """A model; tasks that this version cannot ask for are left out."""
    licences = message.licences
    return ModelInfo(
        name=message.name,
        version=message.version,
        description=message.description,
        tasks=frozenset(TASKS.member(task) for task in message.tasks if TASKS.known(task)),
        state=MODEL_STATES.member(message.state),
        weights_digest=message.weights_digest if message.HasField("weights_digest") else None,
        licences=Licences(licences.code, licences.weights, licences.training_data),
        max_image_pixels=message.max_image_pixels,
        score_meaning=message.score_meaning,
        device=message.device,
        max_channel_count=message.max_channel_count,
        examples_required=message.examples_required,
        code_version=message.code_version,
        state_message=message.state_message,
        remote=message.remote,
    )
