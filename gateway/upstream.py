"""A service behind the gateway: its connection, its health, its models."""

from __future__ import annotations

import asyncio
import enum
import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import structlog
from google.protobuf.descriptor import MethodDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway.settings import GatewaySettings
from hooke.v1 import image_service_pb2_grpc
from hooke.v1 import model_service_pb2 as pb
from hooke.v1 import model_service_pb2_grpc as pb_grpc

log = structlog.get_logger("hooke.gateway")

_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.2, 2.0
"""Shortest and longest pause before a lost watch is opened again."""
_DESCRIBE_S = 5.0
"""Deadline of one ListModels call."""
_RETURNS_S = 60.0
"""What served so many seconds ago is expected back: it crashed, or is being replaced."""


class Health(enum.Enum):
    """What is known of an upstream."""

    UNKNOWN = "not heard of yet"
    SERVING = "serving"
    NOT_SERVING = "reachable, but loading or draining"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Method:
    """One method that the gateway forwards."""

    service: str
    """Full name of the service."""
    name: str
    request_streaming: bool
    response_streaming: bool

    @classmethod
    def of(cls, descriptor: MethodDescriptor) -> Method:
        """Read the shape of a method off its descriptor."""
        return cls(
            descriptor.containing_service.full_name,
            descriptor.name,
            descriptor.client_streaming,
            descriptor.server_streaming,
        )

    @property
    def shape(self) -> str:
        """As grpc names it: `unary_unary`, `unary_stream`, `stream_unary` or `stream_stream`."""
        sides = (self.request_streaming, self.response_streaming)
        return "_".join("stream" if streaming else "unary" for streaming in sides)


class Upstream:
    """One replica of a service. Belongs to the running event loop.

    Args:
        address: host:port.
        settings: of the gateway, for the limits and TLS of the connection.
        name: in its certificate; None: the host of the address.
    """

    def __init__(self, address: str, settings: GatewaySettings, name: str | None = None) -> None:
        self.address = address
        self.health = Health.UNKNOWN
        self.retired = False
        """True once it is sent no further calls; its watch then ends with its connection."""
        self._served_until = -math.inf
        self.models: Mapping[str, pb.ModelInfo] = {}
        """What it said of its models when it was last seen serving."""
        credentials = _credentials(settings)
        options = _options(settings, name)
        self._channel = (
            grpc.aio.secure_channel(address, credentials, options)
            if credentials
            else grpc.aio.insecure_channel(address, options)
        )
        self.images = _stub(image_service_pb2_grpc.ImageServiceStub, self._channel)
        self._models = _stub(pb_grpc.ModelServiceStub, self._channel)
        self._health = _stub(health_pb2_grpc.HealthStub, self._channel)
        self._callables: dict[Method, Any] = {}

    @property
    def returns(self) -> bool:
        """True where it does not serve, and did so a moment ago."""
        return time.monotonic() - self._served_until < _RETURNS_S

    def callable(self, method: Method) -> Any:
        """The method as grpc.aio calls it, with bytes in and bytes out."""
        made = self._callables.get(method)
        if made is None:
            make = getattr(self._channel, method.shape)
            made = self._callables[method] = make(f"/{method.service}/{method.name}")
        return made

    async def watch(self, changed: Callable[[Upstream], None]) -> None:
        """Follow the health of the service, through every loss of the connection, until it is retired.

        Args:
            changed: called after every change of `health`, unless it is retired.
        """
        pause_s = _FIRST_PAUSE_S
        while not self.retired:
            try:
                async for answer in self._health.Watch(health_pb2.HealthCheckRequest()):
                    pause_s = _FIRST_PAUSE_S
                    serving = answer.status == health_pb2.HealthCheckResponse.SERVING
                    if serving:
                        await self._describe()
                    self._become(Health.SERVING if serving else Health.NOT_SERVING, changed)
            except grpc.aio.AioRpcError as error:
                log.debug("watch ended", upstream=self.address, code=error.code().name, text=error.details())
            except Exception:
                # A watch that ended would leave the upstream for ever what it was last.
                log.exception("it answers otherwise than a service of Hooke", upstream=self.address)
            self._become(Health.UNREACHABLE, changed)
            await asyncio.sleep(random.uniform(pause_s / 2, pause_s))  # noqa: S311  (spreads reconnections)
            pause_s = min(2 * pause_s, _LAST_PAUSE_S)

    async def close(self) -> None:
        """Close the connection; calls in flight are cancelled."""
        await self._channel.close()

    def _become(self, health: Health, changed: Callable[[Upstream], None]) -> None:
        if health is self.health:
            return
        log.info("upstream changed", upstream=self.address, was=self.health.name, now=health.name)
        if self.health is Health.SERVING:
            self._served_until = time.monotonic()
        self.health = health
        if not self.retired:
            changed(self)

    async def _describe(self) -> None:
        """Ask what models it has; keep what was known if it does not say."""
        models: dict[str, pb.ModelInfo] = {}
        token: str | None = ""
        try:
            while token is not None:
                request = pb.ListModelsRequest(page_token=token)
                page = await self._models.ListModels(request, timeout=_DESCRIBE_S)
                models.update((model.name, model) for model in page.models)
                token = page.next_page_token or None
            self.models = models
        except grpc.aio.AioRpcError as error:
            # The evaluator has no models and says so.
            if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                log.warning("models are unknown", upstream=self.address, code=error.code().name)


def _stub(kind: Any, channel: grpc.aio.Channel) -> Any:
    """Make a stub; generated ones have no types."""
    return kind(channel)


def _options(settings: GatewaySettings, name: str | None) -> list[tuple[str, int | str]]:
    return [
        *([("grpc.ssl_target_name_override", name)] if name else []),
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        # Retries belong to the client, or attempts would multiply.
        ("grpc.enable_retries", 0),
        # Services stand beside the gateway, never behind a web proxy.
        ("grpc.enable_http_proxy", 0),
        # A connection of its own, so that closing one upstream cannot disturb another.
        ("grpc.use_local_subchannel_pool", 1),
        # Notices a dead host within 40 s; Hooke's servers allow a ping every 10 s.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        # gRPC waits up to 2 min between attempts to connect; a service that restarts is back sooner.
        ("grpc.initial_reconnect_backoff_ms", int(_FIRST_PAUSE_S * 1000)),
        ("grpc.max_reconnect_backoff_ms", int(_LAST_PAUSE_S * 1000)),
        # A container that is made anew has another address; gRPC would ask for it every 30 s at most.
        ("grpc.dns_min_time_between_resolutions_ms", 1_000),
        # This is, in spite of its name, how long one attempt may take; 20 s would hold up its first calls.
        ("grpc.min_reconnect_backoff_ms", 5_000),
    ]


def _credentials(settings: GatewaySettings) -> grpc.ChannelCredentials | None:
    if settings.upstream_tls_ca_file is None:
        return None
    key, chain = (
        None if path is None else path.read_bytes()
        for path in (settings.upstream_tls_key_file, settings.upstream_tls_certificate_file)
    )
    return grpc.ssl_channel_credentials(settings.upstream_tls_ca_file.read_bytes(), key, chain)
