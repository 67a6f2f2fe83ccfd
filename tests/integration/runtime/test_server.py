"""What every server does around its calls."""

from __future__ import annotations

import asyncio
import functools
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from hooke import errors, status
from hooke.v1 import inference_service_pb2 as pb
from hooke.v1 import inference_service_pb2_grpc as pb_grpc
from runtime.fakes import FakeModel
from runtime.hosting import LOADING_RETRY_S
from runtime.service import ModelService
from runtime.tasks import Segmentation, SegmentTask
from tests.identities import identity
from tests.raw_images import raw_image
from tests.servers import connected


def metric(service: ModelService, name: str, **labels: str) -> float:
    return service.metrics.registry.get_sample_value(name, labels) or 0.0


async def test_health_is_watched(segment_request: pb.SegmentRequest) -> None:
    """A watcher sees every change as it happens, for the server and for each of its services."""
    async with connected() as (service, channel):
        stub = health_pb2_grpc.HealthStub(channel)
        states = health_pb2.HealthCheckResponse
        for name in ("", "hooke.v1.InferenceService", "hooke.v1.ImageService", "hooke.v1.ModelService"):
            await service.server.set_serving(True)
            watch = stub.Watch(health_pb2.HealthCheckRequest(service=name), timeout=20)
            assert (await watch.read()).status == states.SERVING
            await service.server.set_serving(False)
            assert (await watch.read()).status == states.NOT_SERVING
            watch.cancel()


async def test_a_live_process_says_so_while_its_model_loads() -> None:
    """The health service itself serves, whatever the model does: who asks for that restarts nobody early."""
    async with connected() as (service, channel):
        stub = health_pb2_grpc.HealthStub(channel)
        await service.server.set_serving(False)
        for name, wanted in (("", "NOT_SERVING"), ("grpc.health.v1.Health", "SERVING")):
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=20)
            assert health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status) == wanted


async def test_health_has_a_port_without_tls(tmp_path: Path, segment_request: pb.SegmentRequest) -> None:
    """Probes that speak no TLS, and have no certificate, learn the health of a server, and nothing else."""
    own = identity(tmp_path, "server")
    tls = {"tls_certificate_file": own.certificate, "tls_key_file": own.key}
    async with (
        connected(**tls, tls_client_ca_file=own.certificate, health_port=0) as (service, _channel),
        grpc.aio.insecure_channel(f"127.0.0.1:{service.server.health_port}") as probe,
    ):
        stub = health_pb2_grpc.HealthStub(probe)
        for serving in (True, False):
            await service.server.set_serving(serving)
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=20)
            assert (answer.status == health_pb2.HealthCheckResponse.SERVING) is serving
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await pb_grpc.InferenceServiceStub(probe).Segment(segment_request, timeout=20)
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_reflection_lists_the_services() -> None:
    """grpcurl and its kin work without the proto files."""
    async with connected() as (_service, channel):
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        call = stub.ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=20
        )
        answer = await call.read()
        names = {entry.name for entry in answer.list_services_response.service}
        assert {"hooke.v1.InferenceService", "grpc.health.v1.Health"} <= names


async def test_metrics_are_served_with_the_promised_names(segment_request: pb.SegmentRequest) -> None:
    """Prometheus finds every promised series after one request."""
    async with connected(metrics_port=0) as (service, channel):
        await pb_grpc.InferenceServiceStub(channel).Segment(segment_request, timeout=20)
        address = f"http://127.0.0.1:{service.server.metrics_port}/metrics"
        page = await asyncio.to_thread(lambda: urllib.request.urlopen(address, timeout=10).read().decode())
    for line in (
        'hooke_inference_requests_total{code="OK",model="fake",reason="",task="segment"} 1.0',
        'hooke_inference_deadline_used_ratio_count{model="fake",task="segment"} 1.0',
        'hooke_inference_ready{model="fake"} 1.0',
        'hooke_inference_queue_limit{model="fake"} 64.0',
        'hooke_inference_request_duration_seconds_count{model="fake",task="segment"} 1.0',
        'hooke_inference_queue_duration_seconds_count{model="fake",task="segment"} 1.0',
        'hooke_inference_compute_duration_seconds_count{model="fake",task="segment"} 1.0',
        'hooke_inference_batch_size_count{model="fake",task="segment"} 1.0',
        'hooke_inference_queue_depth{model="fake"} 0.0',
        'hooke_inference_in_flight{model="fake"} 0.0',
        'grpc_server_handled_total{grpc_code="OK",grpc_method="Segment",'
        'grpc_service="hooke.v1.InferenceService",grpc_type="unary"} 1.0',
    ):
        assert line in page
    assert "grpc_server_started_total" in page
    assert "grpc_server_handling_seconds_bucket" in page
    assert "# TYPE hooke_inference_rejected_total counter" in page


async def test_the_text_of_a_foreign_exception_stays_inside() -> None:
    """The caller gets INTERNAL and the request id, the log has the rest."""
    async with connected() as (_service, channel):
        request = pb.SegmentRequest(image=raw_image(first=FakeModel.FAIL))
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await pb_grpc.InferenceServiceStub(channel).Segment(
                request, metadata=(("hooke-request-id", "my-id-1"),), timeout=20
            )
        error = status.error_from(failed.value)
        assert isinstance(error, errors.InternalError)
        assert "my-id-1" in error.message
        assert "secret" not in str(failed.value)
        trailers = dict(failed.value.trailing_metadata() or ())
        assert trailers["hooke-request-id"] == "my-id-1"
        assert (
            await pb_grpc.InferenceServiceStub(channel).Segment(pb.SegmentRequest(image=raw_image()))
        ).instances


async def test_every_answer_carries_a_request_id(segment_request: pb.SegmentRequest) -> None:
    """An unsound id of the caller is replaced, never echoed."""
    async with connected() as (_service, channel):
        stub = pb_grpc.InferenceServiceStub(channel)
        for given in ("lab-42", "with space", "x" * 129):
            call = stub.Segment(segment_request, metadata=(("hooke-request-id", given),), timeout=20)
            await call
            echoed = dict(await call.trailing_metadata())["hooke-request-id"]
            assert (echoed == given) is (given == "lab-42")
            assert echoed


async def test_running_out_of_memory_is_typed() -> None:
    """The answer suggests what would fit, and the metrics say the reason."""
    async with connected() as (service, channel):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await pb_grpc.InferenceServiceStub(channel).Segment(
                pb.SegmentRequest(image=raw_image(first=FakeModel.EXHAUST)), timeout=20
            )
        error = status.error_from(failed.value)
        assert isinstance(error, errors.OutOfMemoryError)
        assert error.metadata["imagePixels"] == "64"
        assert int(error.metadata["suggestedMaxPixels"]) < 64
        labels = {"code": "RESOURCE_EXHAUSTED", "reason": "OUT_OF_MEMORY"}
        name = "hooke_inference_requests_total"
        assert metric(service, name, model="fake", task="segment", **labels) == 1


async def test_a_full_queue_tells_when_to_come_back() -> None:
    """RESOURCE_EXHAUSTED with RetryInfo for people and push-back for gRPC's own retries."""
    slow = functools.partial(FakeModel, compute_s=0.3)
    async with connected(factory=slow, max_queue=1, max_batch_size=1) as (service, channel):
        stub = pb_grpc.InferenceServiceStub(channel)
        calls = [stub.Segment(pb.SegmentRequest(image=raw_image(8 + n)), timeout=20) for n in range(8)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        refused = [result for result in results if isinstance(result, grpc.aio.AioRpcError)]
        assert refused
        assert len(refused) < 8
        for failed in refused:
            assert failed.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            error = status.error_from(failed)
            assert isinstance(error, errors.QueueFullError)
            assert error.retry_after_s
            assert int(dict(failed.trailing_metadata() or ())["grpc-retry-pushback-ms"]) > 0
        assert metric(
            service, "hooke_inference_rejected_total", model="fake", task="segment", reason="QUEUE_FULL"
        ) == len(refused)


async def test_an_expired_request_is_never_computed() -> None:
    """Neither when its deadline passes in the queue, nor when its caller goes away."""
    model = FakeModel(compute_s=0.4)
    async with connected(factory=lambda: model, max_batch_size=1) as (service, channel):
        stub = pb_grpc.InferenceServiceStub(channel)
        first = asyncio.ensure_future(stub.Segment(pb.SegmentRequest(image=raw_image(8)), timeout=20))
        await asyncio.sleep(0.1)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stub.Segment(pb.SegmentRequest(image=raw_image(9)), timeout=0.1)
        assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        gone = stub.Segment(pb.SegmentRequest(image=raw_image(10)), timeout=20)
        await asyncio.sleep(0.05)
        gone.cancel()
        await first
        await stub.Segment(pb.SegmentRequest(image=raw_image(11)), timeout=20)
        assert len(model.seen) == 2
        handled = functools.partial(
            metric,
            service,
            "grpc_server_handled_total",
            grpc_type="unary",
            grpc_service="hooke.v1.InferenceService",
            grpc_method="Segment",
        )
        assert handled(grpc_code="OK") == 2
        assert handled(grpc_code="DEADLINE_EXCEEDED") == 1
        assert handled(grpc_code="CANCELLED") == 1


async def test_a_caller_that_cancels_mid_batch_harms_nobody() -> None:
    """Its batch-mates get their answers."""
    model = FakeModel(compute_s=0.3)
    async with connected(factory=lambda: model) as (_service, channel):
        stub = pb_grpc.InferenceServiceStub(channel)
        first = asyncio.ensure_future(stub.Segment(pb.SegmentRequest(image=raw_image()), timeout=20))
        await asyncio.sleep(0.1)
        calls = [stub.Segment(pb.SegmentRequest(image=raw_image(first=n)), timeout=20) for n in (2, 3, 4)]
        await first
        await asyncio.sleep(0.1)
        calls[1].cancel()
        answers = [await call for call in (calls[0], calls[2])]
        assert [len(answer.instances) for answer in answers] == [1, 1]
        assert model.batch_sizes == [1, 3]
        assert [answer.cost.batch_size for answer in answers] == [3, 3]


async def test_a_call_without_deadline_gets_one() -> None:
    """Nobody holds a place for ever."""
    slow = functools.partial(FakeModel, compute_s=1.0)
    async with connected(factory=slow, default_deadline_s=0.2) as (_service, channel):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await pb_grpc.InferenceServiceStub(channel).Segment(pb.SegmentRequest(image=raw_image()))
        assert isinstance(status.error_from(failed.value), errors.DeadlineExceededError)


async def test_a_timeout_of_the_model_is_not_the_deadline() -> None:
    """A TimeoutError that the model raises is a fault of the server, whatever the deadline."""

    class Late(FakeModel):
        def segment(self, tasks: Sequence[SegmentTask]) -> Sequence[Segmentation]:
            raise TimeoutError(f"no licence server for {len(tasks)} tasks")

    async with connected(factory=Late) as (_service, channel):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await pb_grpc.InferenceServiceStub(channel).Segment(pb.SegmentRequest(image=raw_image()))
        assert isinstance(status.error_from(failed.value), errors.InternalError)


async def test_a_model_that_is_loading_says_so() -> None:
    """Requests and the list of models answer MODEL_LOADING with a delay until it is there."""
    async with connected() as (service, channel):
        service.model._card = None
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await pb_grpc.InferenceServiceStub(channel).Segment(pb.SegmentRequest(image=raw_image()))
        error = status.error_from(failed.value)
        assert isinstance(error, errors.ModelLoadingError)
        assert error.retry_after_s == LOADING_RETRY_S


async def test_a_worker_process_that_dies_fails_one_request() -> None:
    """The service goes on with a new process."""
    async with connected(workers=1) as (_service, channel):
        stub = pb_grpc.InferenceServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stub.Segment(pb.SegmentRequest(image=raw_image(first=FakeModel.DIE)), timeout=60)
        assert isinstance(status.error_from(failed.value), errors.InternalError)
        assert (await stub.Segment(pb.SegmentRequest(image=raw_image()), timeout=60)).instances


async def test_what_a_caller_sends_cannot_outgrow_the_trailers() -> None:
    """An error that quotes the request arrives as that error, however long the quotation is."""
    async with connected() as (_service, channel):
        stub = pb_grpc.InferenceServiceStub(channel)
        image = raw_image()
        image.sha256 = "x" * 100_000
        for request, error in (
            (pb.SegmentRequest(model="x" * 100_000, image=raw_image()), errors.UnknownModelError),
            (pb.SegmentRequest(image=image), errors.ImageNotFoundError),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await stub.Segment(request, timeout=20)
            assert type(status.error_from(failed.value)) is error
