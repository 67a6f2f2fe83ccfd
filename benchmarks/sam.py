"""SAM as a service against the library alone, a second prompt against the first, many images against one.

The weights are random: they compute as long as real ones. What the service adds is measured on a small size,
where it shows; the second prompt on the smallest published size.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import hooke
from benchmarks.measure import Target, Times, interleaved, rates
from benchmarks.processes import BrokenError, module
from hooke import codecs
from hooke.images import Micrograph

if TYPE_CHECKING:
    from segment_anything.modeling import Sam

    from benchmarks.sam_library import Library

IN_FLIGHT = 8
_POINT = (100.0, 120.0)
_CLICK = hooke.SamParameters(points=[hooke.SamPoint(*_POINT)])
_FIRST_PROMPTS = 2
_SECOND_PROMPTS = 20
_MOST_OVERHEAD = 1.05
_LEAST_TIMES_FASTER = 50.0


@dataclass(frozen=True, slots=True)
class Row:
    """One way to segment what a point marks."""

    size: str
    """"small" or "vit_b"."""
    way: str
    """"library" and "service": an image that is new; "first" and "second prompt": on one image."""
    times: Times


@dataclass(frozen=True, slots=True)
class Rate:
    """New images per second, of the small size."""

    callers: int
    images_per_s: float


@dataclass(frozen=True, slots=True)
class SamFigures:
    """What was measured."""

    rows: tuple[Row, ...]
    rates: tuple[Rate, ...]
    targets: tuple[Target, ...]


def measure() -> SamFigures:
    """Measure all. Raises BrokenError where something does not start, or the two do not agree."""
    try:
        # PyTorch takes seconds to import, and the other parts need none.
        from benchmarks import sam_library  # noqa: PLC0415
    except ImportError as error:
        raise BrokenError(f"the library is not installed: {error}") from error
    times, speeds = _new_images(sam_library.Library(sam_library.small()))
    first, second = _prompts(sam_library.vit_b())
    targets = (
        Target(
            "sam: service against library, p50 of a point on a new image for one caller",
            times["service"].p50_s / times["library"].p50_s,
            _MOST_OVERHEAD,
            at_most=True,
        ),
        Target(
            "sam: first prompt on an image against the second, ViT-B on a CPU, p50",
            first.p50_s / second.p50_s,
            _LEAST_TIMES_FASTER,
            at_most=False,
        ),
    )
    return SamFigures(
        (
            *(Row("small", way, found) for way, found in times.items()),
            Row("vit_b", "first prompt", first),
            Row("vit_b", "second prompt", second),
        ),
        tuple(Rate(int(callers), speed) for callers, speed in speeds.items()),
        targets,
    )


def _new_images(library: Library) -> tuple[Mapping[str, Times], Mapping[str, float]]:
    """The times of one caller at the library and at the service, and what the service does under load."""
    images = _micrographs(512)
    with _service(library.sam) as client, ThreadPoolExecutor(IN_FLIGHT) as threads:

        def ask_library() -> float:
            return library.click(next(images).pixels, *_POINT)

        def ask(image: Micrograph) -> float:
            return _click(client, image)

        image = next(images)
        if ask(image) != np.clip(library.click(image.pixels, *_POINT), 0, 1):
            raise BrokenError("the service does not answer what the library answers")
        times = interleaved({"library": ask_library, "service": lambda: ask(next(images))}, rounds=6, burst=4)
        speeds = rates(
            {
                "1": lambda: len([ask(next(images)) for _ in range(IN_FLIGHT)]),
                str(IN_FLIGHT): lambda: len(list(threads.map(ask, itertools.islice(images, IN_FLIGHT)))),
            },
            rounds=3,
        )
    return times, speeds


def _prompts(sam: Sam) -> tuple[Times, Times]:
    """The times of the first prompts on images, and of further prompts on the last of them."""
    images = list(itertools.islice(_micrographs(1024), _FIRST_PROMPTS))
    with _service(sam) as client:
        first = [_timed(client, image) for image in images]
        second = [_timed(client, images[-1]) for _ in range(_SECOND_PROMPTS)]
    return Times(tuple(first)), Times(tuple(second))


def _timed(client: hooke.Client, image: Micrograph) -> float:
    started = time.perf_counter()
    _click(client, image)
    return time.perf_counter() - started


@contextmanager
def _service(sam: Sam) -> Iterator[hooke.Client]:
    """A service of these weights, and a client of it."""
    from benchmarks import sam_library  # noqa: PLC0415  (see above)

    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="hooke-sam-"))
        sam_library.write_checkpoint(sam, Path(folder, "random.pth"))
        address = stack.enter_context(
            module(
                "services.sam",
                HOOKE_WEIGHTS_DIR=folder,
                HOOKE_SAM_CHECKPOINT="random.pth",
                HOOKE_DEVICE="cpu",
                HOOKE_THREADS="1",
            )
        )
        yield stack.enter_context(hooke.Client(address, retries=False))


def _click(client: hooke.Client, image: Micrograph) -> float:
    found = client.segment(image, model="sam", mask_format="rle", parameters=_CLICK)
    score = found.instances[0].score
    assert score is not None, "SAM scores every mask"
    return score


def _micrographs(size_px: int) -> Iterator[Micrograph]:
    """Noise in 8-bit RGB, which both see as it is; every image is another."""
    for seed in itertools.count():
        pixels = np.random.default_rng(seed).integers(0, 256, (size_px, size_px, 3), np.uint8)
        yield codecs.from_array(pixels, axes="YXS")
