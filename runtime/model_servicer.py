"""ModelService over one hosted model."""

from __future__ import annotations

from typing import Any

import grpc

from hooke import wire
from hooke.v1 import model_service_pb2 as pb
from hooke.v1 import model_service_pb2_grpc as pb_grpc
from runtime.hosting import HostedModel
from runtime.paging import page_of

NAME = pb.DESCRIPTOR.services_by_name["ModelService"].full_name

Context = grpc.aio.ServicerContext[Any, Any]


class ModelServicer(pb_grpc.ModelServiceServicer):
    """Describes the one model of a model service."""

    def __init__(self, model: HostedModel) -> None:
        self._model = model

    async def ListModels(  # noqa: N802
        self, request: pb.ListModelsRequest, context: Context
    ) -> pb.ListModelsResponse:
        """The one model, or MODEL_LOADING."""
        del context
        page = page_of(
            [self._model.info],
            request.page_size if request.HasField("page_size") else None,
            request.page_token,
        )
        return pb.ListModelsResponse(
            models=[wire.model_info_to_proto(info) for info in page.items], next_page_token=page.next_token
        )

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:  # noqa: N802
        """The one model by its name."""
        del context
        self._model.require_name(request.model)
        return pb.GetModelResponse(model=wire.model_info_to_proto(self._model.info))
