"""Through the gateway, against nginx `grpc_pass`, against no proxy at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from benchmarks.measure import Target, Times, interleaved, rates
from benchmarks.processes import NGINX, OPTIONS, module, nginx

KIB, MIB = 1024, 1024**2
_TIMEOUT_S = 60.0
_IN_FLIGHT = 8
_MODEL = "classical"
_METADATA = (("hooke-model", _MODEL), ("hooke-request-id", "benchmark"))
_MOST_TIMES_NGINX = 1.5

Segment = Any
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
    Effort(16 * MIB, rounds=8, burst=3, load=8, compared=False),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One way to the service at one size."""

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
    with ExitStack() as stack:
        service = stack.enter_context(module("benchmarks.echo"))
        ways = {"direct": service}
        if Path(NGINX).exists():
            ways["nginx"] = stack.enter_context(nginx(service))
        ways["gateway"] = stack.enter_context(
            module("gateway", HOOKE_GATEWAY_ADDRESSES=f"{_MODEL}={service}")
        )
        channels = {
            way: stack.enter_context(grpc.insecure_channel(address, OPTIONS)) for way, address in ways.items()
        }
        segments: dict[str, Segment] = {
            way: channel.unary_unary("/hooke.v1.InferenceService/Segment")
            for way, channel in channels.items()
        }
        for effort in EFFORTS:
            found = {row.way: row for row in _rows(segments, effort)}
            rows += found.values()
            if effort.compared and "nginx" in found:
                ratio = found["gateway"].times.p50_s / found["nginx"].times.p50_s
                text = f"p50 through the gateway against nginx, {effort.size_bytes // KIB} KiB"
                targets.append(Target(text, ratio, _MOST_TIMES_NGINX, at_most=True))
    return Forwarding(tuple(rows), tuple(targets))


def _rows(segments: dict[str, Segment], effort: Effort) -> Iterator[Row]:
    body = os.urandom(effort.size_bytes)

    def single(segment: Segment) -> Callable[[], object]:
        return lambda: segment(body, metadata=_METADATA, timeout=_TIMEOUT_S)

    def loaded(segment: Segment) -> Callable[[], int]:
        return lambda: _keep_in_flight(segment, body, effort.load)

    times = interleaved(
        {way: single(segment) for way, segment in segments.items()}, rounds=effort.rounds, burst=effort.burst
    )
    speeds = rates({way: loaded(segment) for way, segment in segments.items()}, rounds=5)
    for way in segments:
        yield Row(way, effort.size_bytes, times[way], speeds[way])


def _keep_in_flight(segment: Segment, body: bytes, count: int) -> int:
    """Make `count` calls, eight at a time."""
    waiting: list[Any] = []
    for _ in range(count):
        if len(waiting) == _IN_FLIGHT:
            waiting.pop(0).result()
        waiting.append(segment.future(body, metadata=_METADATA, timeout=_TIMEOUT_S))
    for future in waiting:
        future.result()
    return count
