"""Asks a server whether it serves: `python -m deploy.health HOST:PORT` exits 0 if it does."""

from __future__ import annotations

import sys

import grpc
from grpc_health.v1 import health_pb2


def serves(address: str, timeout_s: float = 1.0) -> bool:
    """Say whether the server at `address` answers SERVING for itself as a whole."""
    with grpc.insecure_channel(address) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = check(health_pb2.HealthCheckRequest(), timeout=timeout_s)
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


if __name__ == "__main__":
    sys.exit(0 if serves(sys.argv[1]) else 1)
