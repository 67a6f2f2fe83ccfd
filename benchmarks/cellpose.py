"""Cellpose as a service against a direct call of the library, with the tiny network of the tests."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc

from benchmarks.measure import Target, Times, interleaved, rates
from benchmarks.processes import OPTIONS, BrokenError, module
from hooke.v1 import image_pb2
from hooke.v1 import inference_service_pb2 as pb

if TYPE_CHECKING:
    import numpy as np

_SIZE_PX = 512
_SMALL_PX = 160
"""One tile."""
_OBJECTS = 60
_IN_FLIGHT = 8
_CALLS = 16
_TIMEOUT_S = 120.0
_MOST_OVERHEAD = 1.05


@dataclass(frozen=True, slots=True)
class Row:
    """One way to segment one image."""

    way: str
    times: Times


@dataclass(frozen=True, slots=True)
class Rate:
    """Throughput with so many callers: more help a GPU, which idles between the calls of one, not a CPU."""

    callers: int
    images_per_s: float


@dataclass(frozen=True, slots=True)
class Cellpose:
    """What was measured."""

    rows: tuple[Row, ...]
    rates: tuple[Rate, ...]
    targets: tuple[Target, ...]


def measure() -> Cellpose:
    """Measure both side by side. Raises BrokenError where something does not start."""
    try:
        # PyTorch takes seconds to import, and the other parts need none.
        import torch  # noqa: PLC0415

        from tests.tiny import cellpose as tiny  # noqa: PLC0415
    except ImportError as error:
        raise BrokenError(f"the library is not installed: {error}") from error
    torch.set_num_threads(1)  # as many as the service
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hooke-cellpose-")))
        tiny.write_checkpoint(folder / tiny.FILE_NAME)
        address = stack.enter_context(
            module(
                "services.cellpose",
                HOOKE_WEIGHTS_DIR=str(folder),
                HOOKE_CELLPOSE_CHECKPOINT=tiny.FILE_NAME,
                HOOKE_DEVICE="cpu",
                HOOKE_THREADS="1",
            )
        )
        channel = stack.enter_context(grpc.insecure_channel(address, OPTIONS))
        segment: Any = channel.unary_unary("/hooke.v1.InferenceService/Segment")
        library = tiny.library_model(folder / tiny.FILE_NAME)
        large = tiny.cells((_SIZE_PX, _SIZE_PX), count=_OBJECTS)
        body = _request(large)
        times = interleaved(
            {
                "library": lambda: library.eval(large, batch_size=1),  # faster on a CPU than its default
                "service": lambda: segment(body, timeout=_TIMEOUT_S),
            },
            rounds=6,
            burst=2,
        )
        small = [_request(tiny.cells((_SMALL_PX, _SMALL_PX), seed)) for seed in range(_CALLS)]
        found = rates(
            {
                str(count): _load(segment, small, stack.enter_context(ThreadPoolExecutor(count)))
                for count in (1, _IN_FLIGHT)
            },
            rounds=4,
        )
    overhead = times["service"].p50_s / times["library"].p50_s
    return Cellpose(
        rows=tuple(Row(way, taken) for way, taken in times.items()),
        rates=tuple(Rate(int(count), speed) for count, speed in found.items()),
        targets=(
            Target(
                "cellpose service against the library, one caller", overhead, _MOST_OVERHEAD, at_most=True
            ),
        ),
    )


def _load(segment: Any, bodies: list[bytes], threads: ThreadPoolExecutor) -> Callable[[], int]:
    def run() -> int:
        list(threads.map(lambda body: segment(body, timeout=_TIMEOUT_S), bodies))
        return len(bodies)

    return run


def _request(pixels: np.ndarray) -> bytes:
    image = image_pb2.Image(
        pixels=image_pb2.Pixels(
            data=pixels.tobytes(), shape=pixels.shape, pixel_type=image_pb2.PixelType.PIXEL_TYPE_UINT16
        ),
        axes="YX",
    )
    return pb.SegmentRequest(image=image).SerializeToString()
