"""ModelService over every model behind the gateway."""

from __future__ import annotations

from typing import Any

import grpc

from gateway.fleet import Fleet, Replicas
from gateway.upstream import Health
from hooke import errors
from hooke.v1 import model_service_pb2 as pb
from hooke.v1 import model_service_pb2_grpc as pb_grpc
from runtime.paging import page_of

NAME = pb.DESCRIPTOR.services_by_name["ModelService"].full_name

Context = grpc.aio.ServicerContext[Any, Any]


class ModelServicer(pb_grpc.ModelServiceServicer):
    """Describes the models of the routes as their services described them when they were last seen.

    A model whose service cannot be reached is UNAVAILABLE, and says where that was looked for. One that was
    never seen is listed by its name alone, without tasks, so that a lab sees what is missing.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    async def ListModels(  # noqa: N802
        self, request: pb.ListModelsRequest, context: Context
    ) -> pb.ListModelsResponse:
        """Every model of the routes, by name."""
        del context
        page = page_of(
            sorted(self._fleet.models),
            request.page_size if request.HasField("page_size") else None,
            request.page_token,
        )
        models = [described(self._fleet.models[name]) for name in page.items]
        return pb.ListModelsResponse(models=models, next_page_token=page.next_token)

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:  # noqa: N802
        """One model."""
        del context
        if not request.model:
            raise errors.InvalidRequestError.of_field("model", "the name of a model is required")
        return pb.GetModelResponse(model=described(self._fleet.model(request.model)))


def described(replicas: Replicas) -> pb.ModelInfo:
    """What is known of a model; of several replicas, one that serves speaks for all."""
    seen = [upstream for upstream in replicas.upstreams if replicas.name in upstream.models]
    seen.sort(key=lambda upstream: upstream.health is not Health.SERVING)
    info = pb.ModelInfo(name=replicas.name)
    if seen:
        info.CopyFrom(seen[0].models[replicas.name])
        if seen[0].health is Health.SERVING:
            return info
    healths = {upstream.health for upstream in replicas.upstreams}
    info.state = pb.MODEL_STATE_UNAVAILABLE
    if Health.SERVING in healths:
        info.state_message = f"the service at {replicas.addresses} says nothing of this model"
    elif Health.NOT_SERVING in healths:
        info.state = pb.MODEL_STATE_UNAVAILABLE if seen else pb.MODEL_STATE_LOADING
        info.state_message = "its service is loading, or shutting down"
    else:
        info.state_message = replicas.absence
    return info
