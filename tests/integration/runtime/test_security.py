"""TLS, mutual TLS and traces."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from hooke.v1 import inference_service_pb2 as pb
from hooke.v1 import inference_service_pb2_grpc as pb_grpc
from runtime.fakes import serving
from tests.identities import identity
from tests.raw_images import raw_image
from tests.servers import connected


async def segment(port: int, credentials: grpc.ChannelCredentials) -> pb.SegmentResponse:
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
        stub = pb_grpc.InferenceServiceStub(channel)
        answer: pb.SegmentResponse = await stub.Segment(pb.SegmentRequest(image=raw_image()), timeout=10)
        return answer


async def test_tls_is_a_matter_of_configuration(tmp_path: Path) -> None:
    """With a certificate the server speaks TLS and nothing else."""
    server = identity(tmp_path, "server")
    async with serving(tls_certificate_file=server.certificate, tls_key_file=server.key) as service:
        trusting = grpc.ssl_channel_credentials(server.certificate.read_bytes())
        assert (await segment(service.server.port, trusting)).instances
        async with grpc.aio.insecure_channel(f"localhost:{service.server.port}") as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await pb_grpc.InferenceServiceStub(channel).Segment(
                    pb.SegmentRequest(image=raw_image()), timeout=5
                )


async def test_mutual_tls_knows_its_clients(tmp_path: Path) -> None:
    """With a client authority, a client needs a certificate of it."""
    server, client, stranger = (identity(tmp_path, name) for name in ("server", "client", "stranger"))
    async with serving(
        tls_certificate_file=server.certificate,
        tls_key_file=server.key,
        tls_client_ca_file=client.certificate,
    ) as service:
        trusted = server.certificate.read_bytes()
        known = grpc.ssl_channel_credentials(trusted, *client.key_pair())
        assert (await segment(service.server.port, known)).instances
        for unknown in (
            grpc.ssl_channel_credentials(trusted),
            grpc.ssl_channel_credentials(trusted, *stranger.key_pair()),
        ):
            with pytest.raises(grpc.aio.AioRpcError):
                await segment(service.server.port, unknown)


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """An OTLP collector over HTTP that keeps what it is sent."""
    bodies: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", bodies
    server.shutdown()
    thread.join()
    server.server_close()


async def test_traces_join_those_of_the_caller(collector: tuple[str, list[bytes]]) -> None:
    """A span for each call arrives at the collector, under the caller's trace id."""
    endpoint, bodies = collector
    trace = "0af7651916cd43dd8448eb211c80319c"
    async with connected(otlp_endpoint=endpoint) as (_service, channel):
        await pb_grpc.InferenceServiceStub(channel).Segment(
            pb.SegmentRequest(image=raw_image()),
            metadata=(("traceparent", f"00-{trace}-b7ad6b7169203331-01"),),
            timeout=10,
        )
    spans = [
        span
        for body in bodies
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert [(span.name, span.trace_id.hex()) for span in spans] == [
        ("hooke.v1.InferenceService/Segment", trace)
    ]
