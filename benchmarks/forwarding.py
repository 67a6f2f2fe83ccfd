"""Through the gateway, against nginx `grpc_pass`, against no proxy at all.

Two services stand behind them: a model service whose model does nothing, which is what a caller meets, and an
echo, which is nothing but the way there and back and shows what the proxies themselves cost.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from benchmarks.measure import Target, Times, interleaved, rates
from benchmarks.processes import NGINX, OPTIONS, gateway, module, nginx
from hooke.v1 import image_pb2
from hooke.v1 import inference_service_pb2 as pb

KIB, MIB = 1024, 1024**2
SERVICES = {"model": "benchmarks.fake", "echo": "benchmarks.echo"}
_TIMEOUT_S = 60.0
_IN_FLIGHT = 8
_METADATA = (("hooke-model", "fake"), ("hooke-request-id", "benchmark"))
_MOST_TIMES_NGINX = 1.5

Method = Any
"""A method of a channel, with bytes in and bytes out."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured at one size of message."""

    size_bytes: int
    rounds: int
    burst: int
    load: int
    """Calls of one turn of the measurement of throughput."""
    compared: bool
    """True where the target holds."""


EFFORTS = (
    Effort(64 * KIB, rounds=24, burst=20, load=160, compared=True),
    Effort(MIB, rounds=18, burst=10, load=48, compared=True),
    Effort(16 * MIB, rounds=6, burst=3, load=8, compared=False),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One way to one service at one size."""

    service: str
    way: str
    size_bytes: int
    times: Times
    calls_per_s: float


@dataclass(frozen=True, slots=True)
class Forwarding:
    """What was measured."""

    rows: tuple[Row, ...]
    targets: tuple[Target, ...]


def measure() -> Forwarding:
    """Measure every way at every size. Raises BrokenError where something does not start."""
    rows: list[Row] = []
    targets: list[Target] = []
    for service, name in SERVICES.items():
        with ExitStack() as stack:
            methods = _methods(name, stack)
            for effort in EFFORTS:
                found = {row.way: row for row in _rows(service, methods, effort)}
                rows += found.values()
                if effort.compared and "nginx" in found:
                    ratio = found["gateway"].times.p50_s / found["nginx"].times.p50_s
                    text = f"p50 through the gateway against nginx: {service}, {effort.size_bytes // KIB} KiB"
                    targets.append(Target(text, ratio, _MOST_TIMES_NGINX, at_most=True))
    return Forwarding(tuple(rows), tuple(targets))


def _methods(name: str, stack: ExitStack) -> Mapping[str, Method]:
    """Start a service with all that stands before it; what to call for each way."""
    service = stack.enter_context(module(name))
    ways = {"direct": service}
    if Path(NGINX).exists():
        ways["nginx"] = stack.enter_context(nginx(service))
    ways["gateway"] = stack.enter_context(gateway(service))
    return {
        way: stack.enter_context(grpc.insecure_channel(address, OPTIONS)).unary_unary(
            "/hooke.v1.InferenceService/Classify"
        )
        for way, address in ways.items()
    }


def _rows(service: str, methods: Mapping[str, Method], effort: Effort) -> Iterator[Row]:
    body = _request(effort.size_bytes)

    def single(method: Method) -> Callable[[], object]:
        return lambda: method(body, metadata=_METADATA, timeout=_TIMEOUT_S)

    def loaded(method: Method) -> Callable[[], int]:
        return lambda: _keep_in_flight(method, body, effort.load)

    times = interleaved(
        {way: single(method) for way, method in methods.items()}, rounds=effort.rounds, burst=effort.burst
    )
    speeds = rates({way: loaded(method) for way, method in methods.items()}, rounds=5)
    for way in methods:
        yield Row(service, way, effort.size_bytes, times[way], speeds[way])


def _request(size_bytes: int) -> bytes:
    """A Classify request with a raw image of so many bytes; two classes, so that the answer is short."""
    pixels = image_pb2.Pixels(
        data=os.urandom(size_bytes),
        shape=(256, size_bytes // 256),
        pixel_type=image_pb2.PixelType.PIXEL_TYPE_UINT8,
    )
    image = image_pb2.Image(pixels=pixels, axes="YX")
    return pb.ClassifyRequest(model="fake", image=image, labels=["one", "other"]).SerializeToString()


def _keep_in_flight(method: Method, body: bytes, count: int) -> int:
    """Make `count` calls, eight at a time."""
    waiting: list[Any] = []
    for _ in range(count):
        if len(waiting) == _IN_FLIGHT:
            waiting.pop(0).result()
        waiting.append(method.future(body, metadata=_METADATA, timeout=_TIMEOUT_S))
    for future in waiting:
        future.result()
    return count
