"""A model service without a model: `python -m benchmarks.echo`.

It is everything that a model service is (the runtime's server with all its interceptors, health, images),
except that it computes nothing, so that what is measured is the way there and back. Classify returns the
bytes it got; Count, which reads its request as every model service does, returns the size of the image.
"""

from __future__ import annotations

from typing import Any

import grpc

from hooke.v1 import image_service_pb2_grpc, inference_service_pb2
from runtime import image_servicer
from runtime.image_store import ImageStore
from runtime.metrics import Metrics
from runtime.server import Server, main, run
from runtime.settings import MIB, ServerSettings

NAME = inference_service_pb2.DESCRIPTOR.services_by_name["InferenceService"].full_name


def _inference(images: ImageStore) -> grpc.GenericRpcHandler:
    async def classify(request: bytes, _context: Any) -> bytes:
        return request

    async def count(
        request: inference_service_pb2.CountRequest, _context: Any
    ) -> inference_service_pb2.CountResponse:
        image = request.image
        data = images.get(image.sha256) if image.WhichOneof("source") == "sha256" else image.encoded
        return inference_service_pb2.CountResponse(count=len(data))

    handlers = {
        "Classify": grpc.unary_unary_rpc_method_handler(classify),
        "Count": grpc.unary_unary_rpc_method_handler(
            count,
            inference_service_pb2.CountRequest.FromString,
            inference_service_pb2.CountResponse.SerializeToString,
        ),
    }
    return grpc.method_handlers_generic_handler(NAME, handlers)


async def serve(settings: ServerSettings) -> None:
    """Serve until SIGTERM."""
    images = ImageStore(512 * MIB)
    servicer = image_servicer.ImageServicer(images, 512 * MIB)
    server = Server(settings, "echo", Metrics())
    server.add(NAME, lambda made: made.add_generic_rpc_handlers((_inference(images),)))
    register: Any = image_service_pb2_grpc.add_ImageServiceServicer_to_server
    server.add(image_servicer.NAME, lambda made: register(servicer, made))

    async def nothing() -> None:
        pass

    await run(server, nothing, nothing)


if __name__ == "__main__":
    main(ServerSettings, serve)
