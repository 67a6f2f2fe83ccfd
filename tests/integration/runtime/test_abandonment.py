"""A model hears that a caller has left, whatever it was asked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import grpc
import pytest

from hooke import errors
from hooke.status import error_from
from hooke.v1 import inference_service_pb2 as pb
from hooke.v1 import inference_service_pb2_grpc as pb_grpc
from runtime.fakes import FakeModel, serving
from runtime.tasks import Classification, ClassifyTask, Segmentation, SegmentTask
from tests.raw_images import raw_image


class Patient(FakeModel):
    """Computes until nobody waits any more."""

    def __init__(self) -> None:
        super().__init__()
        self.left = threading.Semaphore(0)

    def segment(self, tasks: Sequence[SegmentTask]) -> Sequence[Segmentation]:
        self._wait_until_left(tasks)
        return super().segment(tasks)

    def classify(self, tasks: Sequence[ClassifyTask]) -> Sequence[Classification]:
        self._wait_until_left(tasks)
        return super().classify(tasks)

    def _wait_until_left(self, tasks: Sequence[SegmentTask | ClassifyTask]) -> None:
        pause = threading.Event()
        while not all(task.abandoned.is_set() for task in tasks):
            pause.wait(0.01)
        self.left.release()


# A deadline that passes while the model computes reaches the model, and the next caller is served.
@pytest.mark.parametrize("method", ["Segment", "Count", "Classify"])
async def test_a_deadline_reaches_the_model(method: str) -> None:
    model = Patient()
    request = {
        "Segment": pb.SegmentRequest(image=raw_image()),
        "Count": pb.CountRequest(image=raw_image()),
        "Classify": pb.ClassifyRequest(image=raw_image(), labels=["a", "b"]),
    }[method]
    async with (
        serving(factory=lambda: model) as service,
        grpc.aio.insecure_channel(f"127.0.0.1:{service.server.port}") as channel,
    ):
        call = getattr(pb_grpc.InferenceServiceStub(channel), method)
        for _ in range(2):
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await call(request, timeout=0.2)
            assert isinstance(error_from(failed.value), errors.DeadlineExceededError)
            assert await asyncio.to_thread(model.left.acquire, timeout=20)
