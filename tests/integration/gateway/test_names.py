"""Replicas behind a name in the DNS, as a headless service of Kubernetes gives them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from gateway import places
from gateway.upstream import Health
from hooke import errors
from hooke.status import error_from
from hooke.v1 import inference_service_pb2 as pb
from hooke.v1 import inference_service_pb2_grpc as pb_grpc
from runtime.fakes import serving
from tests.identities import identity
from tests.integration.gateway.stage import Probe, echo, eventually, gateway, probe
from tests.raw_images import raw_image

NAME = "replicas.test"


class Dns:
    """What the resolver of the machine knows of one name; everything else it answers as always."""

    def __init__(self) -> None:
        self.hosts: list[str] = []
        self.error: int | None = None
        self.lookups = 0
        self._getaddrinfo = socket.getaddrinfo

    def __call__(self, host: str, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if host != NAME:
            return self._getaddrinfo(host, port, *args, **kwargs)
        self.lookups += 1
        if self.error or not self.hosts:
            raise socket.gaierror(self.error or socket.EAI_NONAME, "the resolver's words")
        return [entry for own in self.hosts for entry in self._getaddrinfo(own, port, *args, **kwargs)]

    async def looked_up(self) -> None:
        """Wait until what is known now has been asked for."""
        seen = self.lookups
        await eventually(lambda: self.lookups >= seen + 2)


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Dns:
    known = Dns()
    monkeypatch.setattr(socket, "getaddrinfo", known)
    monkeypatch.setattr(places, "_LOOK_S", 0.02)
    return known


@asynccontextmanager
async def replicas(count: int) -> AsyncIterator[list[Probe]]:
    """Several probes, all on one port, each at a loopback address of its own: 127.0.0.1, 127.0.0.2, ..."""
    async with AsyncExitStack() as stack:
        probes = [await stack.enter_async_context(probe())]
        port = probes[0].address.partition(":")[2]
        for number in range(2, count + 1):
            host = f"127.0.0.{number}"
            probes.append(await stack.enter_async_context(probe(host=host, port=int(port))))
            probes[-1].address = f"{host}:{port}"
        yield probes


def target(address: str) -> str:
    return f"dns:///{NAME}:{address.partition(':')[2]}"


async def test_every_address_of_a_name_is_a_replica(dns: Dns) -> None:
    """Calls take turns over them, those that come later included."""
    async with replicas(3) as probes:
        dns.hosts = ["127.0.0.1", "127.0.0.2"]
        async with gateway({"any": target(probes[0].address)}, wait=False) as stage:
            for one in probes[:2]:
                await eventually(lambda one=one: one.address in stage.gateway.fleet.upstreams)  # type: ignore[misc]
                await stage.until(one.address, Health.SERVING)
            for _ in range(4):
                await stage.call("Count")(b"", timeout=20)
            assert [len(one.requests) for one in probes] == [2, 2, 0]
            dns.hosts.append("127.0.0.3")
            await dns.looked_up()
            await stage.until(probes[2].address, Health.SERVING)
            assert stage.sample("hooke_gateway_serving_replicas", model="any") == 3
            for _ in range(6):
                await stage.call("Count")(b"", timeout=20)
            assert [len(one.requests) for one in probes] == [4, 4, 2]


async def test_calls_in_flight_outlive_the_name(dns: Dns) -> None:
    """A replica that the name has lost gets no new call, finishes those that it has, and is forgotten."""
    finish = asyncio.Event()

    async def wait(request: bytes, context: Any) -> bytes:
        await finish.wait()
        return await echo(request, context)

    async with AsyncExitStack() as leaving, probe(host="127.0.0.2") as staying:
        assert staying.server is not None
        port = staying.server.port
        gone = await leaving.enter_async_context(probe(wait, port=port))
        dns.hosts = ["127.0.0.1"]
        async with gateway({"any": target(gone.address)}, wait=False) as stage:
            await dns.looked_up()
            await stage.until(gone.address, Health.SERVING)
            call = asyncio.ensure_future(stage.call("Count")(b"kept", timeout=20))
            await gone.begun.wait()
            assert stage.sample("hooke_gateway_in_flight_calls", upstream=gone.address) == 1
            dns.hosts = ["127.0.0.2"]
            await dns.looked_up()
            await stage.until(f"127.0.0.2:{port}", Health.SERVING)
            for _ in range(3):
                await stage.call("Count")(b"", timeout=20)
            assert (len(gone.requests), len(staying.requests)) == (1, 3)
            finish.set()
            assert await call == b"kept"
            await leaving.aclose()
            for name in ("hooke_gateway_in_flight_calls", "hooke_gateway_upstream_serving"):
                samples = stage.gateway.metrics.registry.get_sample_value
                assert samples(name, {"upstream": gone.address}) is None


async def test_a_resolver_that_cannot_say_changes_nothing(dns: Dns) -> None:
    """Replicas that are known go on; a name that has no address any more loses them, and gets them back."""
    async with probe() as one:
        dns.hosts = ["127.0.0.1"]
        async with gateway({"any": target(one.address)}, wait=False) as stage:
            await dns.looked_up()
            await stage.until(one.address, Health.SERVING)
            dns.error = socket.EAI_AGAIN
            await dns.looked_up()
            assert await stage.call("Count")(b"1", timeout=20) == b"1"
            dns.error, dns.hosts = None, []
            await dns.looked_up()
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await stage.call("Count")(b"", timeout=20)
            error = error_from(failed.value)
            assert isinstance(error, errors.UpstreamFailedError)
            assert target(one.address) in str(error)
            dns.hosts = ["127.0.0.1"]
            await dns.looked_up()
            await stage.until(one.address, Health.SERVING)
            assert await stage.call("Count")(b"2", timeout=20) == b"2"


async def test_the_certificate_is_that_of_the_name(dns: Dns, tmp_path: Path) -> None:
    """Replicas are reached by address, and prove that they are the name."""
    named, other = identity(tmp_path, "named", NAME), identity(tmp_path, "other")
    dns.hosts = ["127.0.0.1"]
    for own, health in ((named, Health.SERVING), (other, Health.UNREACHABLE)):
        async with serving(tls_certificate_file=own.certificate, tls_key_file=own.key) as service:
            address = f"127.0.0.1:{service.server.port}"
            async with gateway(
                {"fake": target(address)}, wait=False, upstream_tls_ca_file=own.certificate
            ) as stage:
                await dns.looked_up()
                await stage.until(address, health)
                if health is Health.SERVING:
                    request = pb.SegmentRequest(image=raw_image())
                    stub = pb_grpc.InferenceServiceStub(stage.channel)
                    assert (await stub.Segment(request, timeout=20)).instances
