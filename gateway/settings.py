"""Settings of the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_settings import NoDecode

from gateway.routes import Addresses
from runtime.settings import MIB, PREFIX, ServerSettings


def _by_name(value: object) -> object:
    """Read `name=address,name=address`."""
    if not isinstance(value, str):
        return value
    addresses: dict[str, list[str]] = {}
    for entry in value.split(","):
        name, equals, address = entry.strip().partition("=")
        if not equals:
            raise ValueError(f"{entry!r} is not name=host:port")
        addresses.setdefault(name, []).append(address)
    return addresses


class GatewaySettings(ServerSettings):
    """What the gateway needs to know beside its routes."""

    gateway_routes: Path = Path(__file__).with_name("routes.yaml")
    """File that says which models there are and where. The one that comes with the gateway fits one
    machine."""
    gateway_addresses: Annotated[Mapping[str, Addresses], NoDecode, BeforeValidator(_by_name)] = {}
    """Addresses that take the place of those in the routes file, for where they are known only at the start:
    `classical=host:port,evaluator=host:port`. The same name again is another replica."""
    gateway_max_calls: Annotated[int, Field(ge=1)] = 512
    """Most calls in flight; one more is QUEUE_FULL. More than all models together queue, so that the model
    that is full says so itself."""
    gateway_max_bytes: Annotated[int, Field(ge=MIB)] = 1024 * MIB
    """Most bytes of requests in flight, which the gateway holds in memory; one call alone is always taken."""
    gateway_max_calls_per_upstream: Annotated[int, Field(ge=1)] = 256
    """Most calls in flight to one model service: a slow model must not take every place."""
    gateway_max_bytes_per_upstream: Annotated[int, Field(ge=MIB)] = 512 * MIB
    """Most bytes of requests in flight to one model service."""
    gateway_max_image_pushes: Annotated[int, Field(ge=0, le=1024)] = 64
    """Most images that one request may make the gateway put to a model service that lacks them. Enough for
    the examples of a Classify request; each costs the request a round trip."""
    image_store_bytes: Annotated[int, Field(ge=MIB)] = 1024 * MIB
    """Bytes of put images that are kept, least recently used dropped first."""
    max_image_bytes: Annotated[int, Field(ge=1)] = 512 * MIB
    """Largest image file, in bytes."""
    upstream_tls_ca_file: Path | None = None
    """PEM certificates of the authorities that the services behind the gateway are signed by. Absent: they
    are spoken to without TLS."""
    upstream_tls_certificate_file: Path | None = None
    """PEM certificate chain that the gateway shows to them (mTLS). Absent: none."""
    upstream_tls_key_file: Path | None = None
    """PEM private key of that certificate."""

    @model_validator(mode="after")
    def _upstream_tls_is_whole(self) -> Self:
        pair = (self.upstream_tls_certificate_file, self.upstream_tls_key_file)
        if (pair[0] is None) != (pair[1] is None):
            both = f"{PREFIX}UPSTREAM_TLS_CERTIFICATE_FILE and {PREFIX}UPSTREAM_TLS_KEY_FILE"
            raise ValueError(f"{both} belong together: set both")
        if pair[0] is not None and self.upstream_tls_ca_file is None:
            raise ValueError(f"{PREFIX}UPSTREAM_TLS_CERTIFICATE_FILE needs {PREFIX}UPSTREAM_TLS_CA_FILE")
        for path in (self.upstream_tls_ca_file, *pair):
            if path is not None and not path.is_file():
                raise ValueError(f"{path} is not a file")
        return self
