"""An image put in chunks and named by its hash, against the same image in one message."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import grpc

from benchmarks.measure import Target, Times, interleaved
from benchmarks.processes import OPTIONS, gateway, module
from hooke.v1 import image_pb2, image_service_pb2
from hooke.v1 import inference_service_pb2 as pb

MIB = 1024**2
SIZES_MIB = (8, 32, 128)
_CHUNK_BYTES = MIB
_TIMEOUT_S = 120.0
_METADATA = (("hooke-model", "fake"),)
_LEAST_TIMES_FASTER = 3.0


@dataclass(frozen=True, slots=True)
class Row:
    """One way of sending at one size, by one address."""

    way: str
    through: str
    size_bytes: int
    times: Times


@dataclass(frozen=True, slots=True)
class Uploads:
    """What was measured."""

    rows: tuple[Row, ...]
    targets: tuple[Target, ...]


class Sender:
    """Sends an image both ways; every time another one, so that no server has it yet."""

    def __init__(self, channel: grpc.Channel, size_bytes: int) -> None:
        self._count = channel.unary_unary(
            "/hooke.v1.InferenceService/Count",
            pb.CountRequest.SerializeToString,
            pb.CountResponse.FromString,
        )
        self._put = channel.stream_unary(
            "/hooke.v1.ImageService/PutImage",
            image_service_pb2.PutImageRequest.SerializeToString,
            image_service_pb2.PutImageResponse.FromString,
        )
        self._rest = os.urandom(size_bytes - 16)

    def in_one_message(self) -> None:
        """Ask with the whole image inside the request."""
        image = image_pb2.Image(encoded=os.urandom(16) + self._rest)
        self._count(pb.CountRequest(image=image), metadata=_METADATA, timeout=_TIMEOUT_S)

    def put(self) -> None:
        """Hash, put in chunks, then ask with the hash."""
        data = os.urandom(16) + self._rest
        sha256 = hashlib.sha256(data).hexdigest()
        self._put(_parts(sha256, data), timeout=_TIMEOUT_S)
        image = image_pb2.Image(sha256=sha256)
        self._count(pb.CountRequest(image=image), metadata=_METADATA, timeout=_TIMEOUT_S)


def _parts(sha256: str, data: bytes) -> Iterator[image_service_pb2.PutImageRequest]:
    header = image_service_pb2.ImageHeader(sha256=sha256, size_bytes=len(data))
    yield image_service_pb2.PutImageRequest(header=header)
    for start in range(0, len(data), _CHUNK_BYTES):
        yield image_service_pb2.PutImageRequest(chunk=data[start : start + _CHUNK_BYTES])


def measure() -> Uploads:
    """Measure both ways, directly and through the gateway. Raises BrokenError where something fails."""
    rows: list[Row] = []
    targets: list[Target] = []
    with ExitStack() as stack:
        service = stack.enter_context(module("benchmarks.echo"))
        proxy = stack.enter_context(gateway(service))
        channels = {
            "direct": stack.enter_context(grpc.insecure_channel(service, OPTIONS)),
            "gateway": stack.enter_context(grpc.insecure_channel(proxy, OPTIONS)),
        }
        for size_mib in SIZES_MIB:
            calls = {}
            for through, channel in channels.items():
                sender = Sender(channel, size_mib * MIB)
                calls[f"one message,{through}"] = sender.in_one_message
                calls[f"put + hash,{through}"] = sender.put
            found = interleaved(calls, rounds=5, burst=3 if size_mib < 100 else 1)
            for name, times in found.items():
                way, _, through = name.partition(",")
                rows.append(Row(way, through, size_mib * MIB, times))
            for through in channels:
                ratio = found[f"one message,{through}"].p50_s / found[f"put + hash,{through}"].p50_s
                text = f"put + hash against one message, {size_mib} MiB, {through}"
                targets.append(Target(text, ratio, _LEAST_TIMES_FASTER, at_most=False))
    return Uploads(tuple(rows), tuple(targets))
