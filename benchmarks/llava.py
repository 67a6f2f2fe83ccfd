"""LLaVA as a service against the library alone, and many callers at once against one.

The checkpoint has random weights and is small: 60 million parameters, a step of some ten milliseconds on a
core of a CPU. The real one takes as long for a step on a GPU, and writes more of them.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import hooke
from benchmarks.measure import Target, Times, interleaved, rates
from benchmarks.processes import BrokenError, module
from hooke import codecs
from hooke.images import Micrograph

TOKENS = 32
IN_FLIGHT = 8
_QUESTION = "What is in the image?"
_MOST_OVERHEAD = 1.05
_LEAST_TIMES_FASTER = 2.0


@dataclass(frozen=True, slots=True)
class Row:
    """One way to ask for one answer."""

    way: str
    """"library": transformers alone; "service": Hooke's client and service, by gRPC on loopback."""
    times: Times


@dataclass(frozen=True, slots=True)
class Rate:
    """Answers per second of the service."""

    callers: int
    answers_per_s: float


@dataclass(frozen=True, slots=True)
class Llava:
    """What was measured."""

    rows: tuple[Row, ...]
    rates: tuple[Rate, ...]
    targets: tuple[Target, ...]


def measure() -> Llava:
    """Measure both. Raises BrokenError where something does not start, or the two do not agree."""
    try:
        # PyTorch takes seconds to import, and the other parts need none.
        from benchmarks import llava_library  # noqa: PLC0415
    except ImportError as error:
        raise BrokenError(f"the library is not installed: {error}") from error
    picture = _micrograph()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hooke-llava-")))
        llava_library.write_checkpoint(folder)
        library = llava_library.Library.load(folder).asking(picture.pixels, _QUESTION, TOKENS)
        service = stack.enter_context(
            module(
                "services.llava",
                HOOKE_LLAVA_CHECKPOINT=str(folder),
                HOOKE_DEVICE="cpu",
                HOOKE_THREADS="1",
                HOOKE_LLAVA_MAX_OUTPUT_TOKEN_COUNT=str(TOKENS),
            )
        )
        client = stack.enter_context(hooke.Client(service, retries=False))
        if client.ask(picture, _QUESTION).text != library():
            raise BrokenError("the service does not write what the library writes")
        threads = stack.enter_context(ThreadPoolExecutor(IN_FLIGHT))

        def ask(_: object = None) -> object:
            return client.ask(picture, _QUESTION)

        times = interleaved({"library": library, "service": ask}, rounds=4, burst=3)
        speeds = rates(
            {
                "1": lambda: len([ask() for _ in range(IN_FLIGHT)]),
                str(IN_FLIGHT): lambda: len(list(threads.map(ask, range(IN_FLIGHT)))),
            },
            rounds=3,
        )
    targets = (
        Target(
            f"llava: service against library, p50 of {TOKENS} tokens for one caller",
            times["service"].p50_s / times["library"].p50_s,
            _MOST_OVERHEAD,
            at_most=True,
        ),
        Target(
            f"llava: answers per second, {IN_FLIGHT} callers at once against one",
            speeds[str(IN_FLIGHT)] / speeds["1"],
            _LEAST_TIMES_FASTER,
            at_most=False,
        ),
    )
    return Llava(
        tuple(Row(way, found) for way, found in times.items()),
        tuple(Rate(int(callers), speed) for callers, speed in speeds.items()),
        targets,
    )


def _micrograph() -> Micrograph:
    """Noise in 8-bit RGB, which both see as it is."""
    pixels = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
    return codecs.from_array(pixels, axes="YXS")
