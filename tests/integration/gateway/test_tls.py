"""TLS between the gateway and the services behind it."""

from __future__ import annotations

from pathlib import Path

from gateway.upstream import Health
from hooke.v1 import inference_service_pb2 as pb
from hooke.v1 import inference_service_pb2_grpc as pb_grpc
from runtime.fakes import serving
from tests.identities import identity
from tests.integration.gateway.stage import gateway
from tests.raw_images import raw_image


async def test_services_can_be_spoken_to_by_mutual_tls(tmp_path: Path) -> None:
    """With authority, certificate and key the gateway reaches a service that asks for all of them."""
    service_id, gateway_id = identity(tmp_path, "service"), identity(tmp_path, "gateway")
    async with serving(
        tls_certificate_file=service_id.certificate,
        tls_key_file=service_id.key,
        tls_client_ca_file=gateway_id.certificate,
    ) as service:
        address = f"localhost:{service.server.port}"
        async with gateway(
            {"fake": address},
            upstream_tls_ca_file=service_id.certificate,
            upstream_tls_certificate_file=gateway_id.certificate,
            upstream_tls_key_file=gateway_id.key,
        ) as stage:
            request = pb.SegmentRequest(image=raw_image())
            assert (await pb_grpc.InferenceServiceStub(stage.channel).Segment(request, timeout=20)).instances
        async with gateway({"fake": address}, wait=False) as stage:
            await stage.until(address, Health.UNREACHABLE)
