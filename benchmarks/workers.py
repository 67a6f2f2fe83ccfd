"""The classical model with one worker process against two."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np

from benchmarks.measure import Target, rates
from benchmarks.processes import OPTIONS, module
from hooke.v1 import image_pb2
from hooke.v1 import inference_service_pb2 as pb

_SIZE_PX = 512
_OBJECTS = 60
_IN_FLIGHT = 4
_CALLS = 24
_TIMEOUT_S = 120.0
_LEAST_TIMES_FASTER = 1.7


@dataclass(frozen=True, slots=True)
class Row:
    """Throughput with so many worker processes."""

    workers: int
    images_per_s: float


@dataclass(frozen=True, slots=True)
class Workers:
    """What was measured."""

    rows: tuple[Row, ...]
    targets: tuple[Target, ...]


def measure() -> Workers:
    """Measure both under the same load. Raises BrokenError where something does not start."""
    body = pb.SegmentRequest(image=_micrograph()).SerializeToString()
    with ExitStack() as stack:
        runs = {}
        for workers in (1, 2):
            address = stack.enter_context(module("services.classical", HOOKE_WORKERS=str(workers)))
            channel = stack.enter_context(grpc.insecure_channel(address, OPTIONS))
            runs[str(workers)] = _load(channel, body, stack.enter_context(ThreadPoolExecutor(_IN_FLIGHT)))
        for run in runs.values():
            run()
        found = rates(runs, rounds=4)
    rows = tuple(Row(int(workers), speed) for workers, speed in found.items())
    target = Target(
        "classical with 2 worker processes against 1, images per second",
        found["2"] / found["1"],
        _LEAST_TIMES_FASTER,
        at_most=False,
    )
    return Workers(rows, (target,))


def _load(channel: grpc.Channel, body: bytes, threads: ThreadPoolExecutor) -> Callable[[], int]:
    segment: Any = channel.unary_unary("/hooke.v1.InferenceService/Segment")

    def run() -> int:
        list(threads.map(lambda _: segment(body, timeout=_TIMEOUT_S), range(_CALLS)))
        return _CALLS

    return run


def _micrograph() -> image_pb2.Image:
    """Bright discs on a dark, noisy background: work for the model, the same in every run."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:_SIZE_PX, :_SIZE_PX]
    pixels = random.normal(300, 20, (_SIZE_PX, _SIZE_PX))
    for row, column, radius in zip(
        random.uniform(0, _SIZE_PX, _OBJECTS),
        random.uniform(0, _SIZE_PX, _OBJECTS),
        random.uniform(8, 16, _OBJECTS),
        strict=True,
    ):
        pixels[(rows - row) ** 2 + (columns - column) ** 2 < radius**2] += 800
    return image_pb2.Image(
        pixels=image_pb2.Pixels(
            data=pixels.clip(0, 65535).astype("<u2").tobytes(),
            shape=pixels.shape,
            pixel_type=image_pb2.PixelType.PIXEL_TYPE_UINT16,
        ),
        axes="YX",
    )
