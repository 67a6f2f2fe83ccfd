"""Channels: what can be called, how calls are retried, and the options of every connection.

Everything here is shared by the synchronous and the asynchronous client.
"""

from __future__ import annotations

import json
import math
import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2

from hooke.errors import InvalidRequestError
from hooke.v1 import evaluation_service_pb2, image_service_pb2, inference_service_pb2, model_service_pb2

DEFAULT_PORT = 50051
DEFAULT_ADDRESS = f"localhost:{DEFAULT_PORT}"
DEFAULT_TIMEOUT_S = 60.0
MODEL_KEY = "hooke-model"
REQUEST_ID_KEY = "hooke-request-id"
MAX_ATTEMPTS = 5
"""Attempts of one call, the first included; gRPC allows no more."""

_MIB = 1024**2
_NO_PORT = re.compile(r"(dns:///)?([\w.-]+|\[[\da-fA-F:.]+\])")
_LOOPBACK = re.compile(r"(dns:///)?(localhost|127\.[\d.]+|\[::1\])(:|$)|(ipv4:127\.|ipv6:\[::1\]|unix:)")
_FILES: Sequence[Any] = (  # of FileDescriptor, which two packages of type stubs name differently
    inference_service_pb2.DESCRIPTOR,
    image_service_pb2.DESCRIPTOR,
    model_service_pb2.DESCRIPTOR,
    evaluation_service_pb2.DESCRIPTOR,
    health_pb2.DESCRIPTOR,
)


@dataclass(frozen=True, slots=True)
class Method:
    """One method of a service, as its descriptor tells it."""

    service: str
    """Full name of the service, for example `hooke.v1.ImageService`."""
    name: str
    request_type: type[Message]
    response_type: type[Message]
    client_streaming: bool
    server_streaming: bool
    repeatable: bool
    """True if the proto file says that a repetition does no harm."""

    @property
    def shape(self) -> str:
        """Name of the channel's method that makes a callable of it, for example `unary_stream`."""
        sides = (self.client_streaming, self.server_streaming)
        return "_".join("stream" if streaming else "unary" for streaming in sides)


def _method(descriptor: MethodDescriptor) -> Method:
    return Method(
        service=descriptor.containing_service.full_name,
        name=descriptor.name,
        request_type=GetMessageClass(descriptor.input_type),
        response_type=GetMessageClass(descriptor.output_type),
        client_streaming=descriptor.client_streaming,
        server_streaming=descriptor.server_streaming,
        repeatable=descriptor.GetOptions().idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN,
    )


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        descriptor.name: _method(descriptor)
        for file in _FILES
        for service in file.services_by_name.values()
        for descriptor in service.methods
    }
)
"""Every method that Hooke's clients may call, by its name alone: no two services share one."""

SERVICES: tuple[str, ...] = tuple(
    service.full_name for file in _FILES[:-1] for service in file.services_by_name.values()
)
"""Full names of Hooke's own services."""


@dataclass(frozen=True, slots=True)
class Tls:
    """How to speak TLS with a server.

    Attributes:
        ca_file: PEM certificates of the authorities to trust; None: the well-known public ones.
        certificate_file, key_file: PEM certificate chain and private key of this client, both or none, for
            servers that ask for one (mTLS).
    """

    ca_file: str | Path | None = None
    certificate_file: str | Path | None = None
    key_file: str | Path | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """Read the files. Raises OSError where one cannot be read."""
        if (self.certificate_file is None) != (self.key_file is None):
            raise InvalidRequestError.of_field(
                "tls", "certificate_file and key_file belong together; give both or none"
            )
        files = (self.ca_file, self.key_file, self.certificate_file)
        ca, key, chain = (None if file is None else Path(file).read_bytes() for file in files)
        return grpc.ssl_channel_credentials(ca, key, chain)


def checked_address(address: str) -> str:
    """Return an address that gRPC understands.

    Raises:
        InvalidRequestError: it is a web address, or has no port, for which gRPC would quietly take 443.
    """
    if address.startswith(("http://", "https://")) or not address:
        text = f"{address!r} is no gRPC address; write host:port, for example {DEFAULT_ADDRESS}"
        raise InvalidRequestError.of_field("address", text)
    if _NO_PORT.fullmatch(address):
        raise InvalidRequestError.of_field("address", f"no port given; {address}:{DEFAULT_PORT}?")
    return address


def checked_timeout(timeout_s: float) -> float:
    """Return a deadline in seconds. Raises InvalidRequestError unless it is finite and above 0."""
    if not (math.isfinite(timeout_s) and timeout_s > 0):
        text = f"{timeout_s} is no deadline; it must be a finite number of seconds above 0"
        raise InvalidRequestError.of_field("timeout_s", text)
    return timeout_s


class Deadline:
    """The moment at which a piece of work, with all its calls, must be over.

    Args:
        timeout_s: seconds until then.
        clock: tells the seconds.
    """

    def __init__(self, timeout_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + checked_timeout(timeout_s)

    def left_s(self) -> float:
        """Seconds left; just above 0 when it has passed, so that the next call fails with the right code."""
        return max(self._end - self._clock(), 1e-3)

    def passed(self) -> bool:
        """True if nothing is left."""
        return self._clock() >= self._end


def new_request_id() -> str:
    """An id by which a call can be found in the logs of every server that it passed."""
    return uuid.uuid4().hex


def call_metadata(request_id: str, model: str) -> tuple[tuple[str, str], ...]:
    """Metadata of a call; the model is left out where the server is to choose it."""
    metadata = ((REQUEST_ID_KEY, request_id),)
    return (*metadata, (MODEL_KEY, model)) if model else metadata


def service_config(*, retries: bool = True) -> str:
    """Balancing and retries, as gRPC's JSON service config.

    Every method whose `idempotency_level` allows it is retried on UNAVAILABLE and RESOURCE_EXHAUSTED, after
    a delay with jitter, or the one that the server asks for; and on CANCELLED, which a server says of calls
    that reach it in the moment in which it ends. Uploads are left to the client: they outgrow
    the buffer out of which gRPC repeats a request.
    """
    retried = [
        {"service": method.service, "method": method.name}
        for method in METHODS.values()
        if method.repeatable and not method.client_streaming
    ]
    policy = {
        "maxAttempts": MAX_ATTEMPTS,
        "initialBackoff": "0.2s",
        "maxBackoff": "5s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "CANCELLED"],
    }
    return json.dumps(
        {
            "loadBalancingConfig": [{"round_robin": {}}],
            "methodConfig": [{"name": retried, "retryPolicy": policy}] if retries else [],
        }
    )


def channel_options(address: str, *, retries: bool = True) -> list[tuple[str, Any]]:
    """Options of a channel to an address; `retries` as for the clients."""
    return [
        # gRPC asks the proxies of the environment even for this machine, where they never help.
        ("grpc.enable_http_proxy", int(_LOOPBACK.match(address) is None)),
        ("grpc.service_config", service_config(retries=retries)),
        # A connection of its own: one shared with an earlier client of this address may just be waiting to
        # try again after that one's server had gone.
        ("grpc.use_local_subchannel_pool", 1),
        # Without this, gRPC silently does not repeat requests above 256 KiB: most micrographs.
        ("grpc.per_rpc_retry_buffer_size", 16 * _MIB),
        # What is larger goes by PutImage; answers may hold a large label image.
        ("grpc.max_send_message_length", 16 * _MIB),
        ("grpc.max_receive_message_length", 512 * _MIB),
        # Notices a dead peer within 40 s and keeps firewalls from forgetting an idle connection; Hooke's
        # servers allow a ping every 10 s.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        # gRPC waits up to 2 min between attempts to connect; a server that restarts is back sooner.
        ("grpc.max_reconnect_backoff_ms", 5_000),
        # One whose container was made anew has another address; gRPC would ask for it every 30 s at most.
        ("grpc.dns_min_time_between_resolutions_ms", 1_000),
    ]


def callables(channel: Any) -> Mapping[str, Any]:
    """What can be called on a channel, of grpc or of grpc.aio, by the name of the method."""
    return {
        name: getattr(channel, method.shape)(
            f"/{method.service}/{method.name}",
            request_serializer=method.request_type.SerializeToString,
            response_deserializer=method.response_type.FromString,
        )
        for name, method in METHODS.items()
    }
