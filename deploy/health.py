"""Asks a server whether it serves: `python -m deploy.health HOST:PORT` exits 0 if it does.

Run where the server runs, as the health check of its container, it finds the server's own certificate in the
same settings, and speaks TLS where the server does. Where that asks its clients for a certificate, the
server's own is shown: one that its authorities have signed for both ends. `HOOKE_HEALTH_PORT` is for others.
"""

from __future__ import annotations

import os
import socket
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import grpc
from grpc_health.v1 import health_pb2


@dataclass(frozen=True, slots=True)
class OwnTls:
    """The certificate of a server that is asked where it runs: the one to trust, and the one to show."""

    certificate_file: Path
    key_file: Path

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self | None:
        """That of a server with these settings; None: it speaks without TLS."""
        files = [environment.get(f"HOOKE_TLS_{part}_FILE") for part in ("CERTIFICATE", "KEY")]
        return cls(*map(Path, filter(None, files))) if all(files) else None

    def credentials(self) -> grpc.ChannelCredentials:
        """Read the files. Raises OSError where one cannot be read."""
        chain = self.certificate_file.read_bytes()
        return grpc.ssl_channel_credentials(chain, self.key_file.read_bytes(), chain)


def serves(address: str, timeout_s: float = 1.0, tls: OwnTls | None = None) -> bool:
    """Say whether the server at `address` answers SERVING for itself as a whole.

    Args:
        address: host:port.
        timeout_s: seconds that it may take.
        tls: how that is spoken to; None: without TLS.
    """
    try:
        with _channel(address, timeout_s, tls) as channel:
            check = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            answer = check(health_pb2.HealthCheckRequest(), timeout=timeout_s)
    except (grpc.RpcError, OSError):
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def _channel(address: str, timeout_s: float, tls: OwnTls | None) -> grpc.Channel:
    if tls is None:
        return grpc.insecure_channel(address)
    name = _certified_name(address, timeout_s, tls)
    return grpc.secure_channel(address, tls.credentials(), [("grpc.ssl_target_name_override", name)])


def _certified_name(address: str, timeout_s: float, tls: OwnTls) -> str:
    """A name that the server's certificate is for: it is asked at an address, which it need not be for."""
    context = ssl.create_default_context(cafile=tls.certificate_file)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # trusted itself, whoever has signed it
    context.load_cert_chain(tls.certificate_file, tls.key_file)
    context.set_alpn_protocols(["h2"])
    host, _, port = address.rpartition(":")
    with (
        socket.create_connection((host.strip("[]"), int(port)), timeout_s) as connection,
        context.wrap_socket(connection) as secured,
    ):
        certificate = secured.getpeercert() or {}
    names = [str(entry[1]) for entry in certificate.get("subjectAltName", ())]
    return names[0].replace("*", "any") if names else host


if __name__ == "__main__":
    sys.exit(0 if serves(sys.argv[1], tls=OwnTls.of(os.environ)) else 1)
