"""Takes the speed of one model with each kind of numbers, in batches and by the plain loop of its library."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.gpu.work import Work
from benchmarks.measure import rates
from hooke.errors import OutOfMemoryError
from runtime.accelerators import out_of_memory

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
BATCH_SIZES = (1, 2, 4, 8, 16)
ROUNDS = 3

Run = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Row:
    """Images per second of one model with one kind of numbers.

    Attributes:
        title: the model and its work.
        precision: the numbers.
        plain: by the library's loop; None: it does not fit into memory, or the library has no such numbers.
        batched: by size of the batch; sizes that do not fit are missing.
    """

    title: str
    precision: str
    plain: float | None
    batched: Mapping[int, float]


def measure(model: str, device: torch.device, *, tiny: bool) -> Iterator[Row]:
    """Measure a model of `benchmarks.gpu` with each kind of numbers; one at a time is in memory.

    Raises:
        ImportError: its library is not installed.
    """
    module: Any = importlib.import_module(f"benchmarks.gpu.{model}")
    for name, dtype in PRECISIONS.items():
        try:
            work: Work = module.load(device, dtype, tiny=tiny)
        except Exception as error:
            if not _does_not_fit(error):
                raise
            found: Mapping[str, float] = {}
        else:
            found = _speeds(work, rounds=1 if tiny else ROUNDS)
            del work
        gc.collect()
        torch.cuda.empty_cache()
        batched = {size: found[str(size)] for size in BATCH_SIZES if str(size) in found}
        yield Row(module.TITLE, name, found.get("plain"), batched)


def _speeds(work: Work, rounds: int) -> Mapping[str, float]:
    """Images per second of each way that fits into memory, taken side by side."""
    runs: dict[str, Run] = {str(size): _whole(lambda size=size: work.batched(size)) for size in BATCH_SIZES}
    if work.plain is not None:
        runs["plain"] = _whole(work.plain)
    return rates({name: run for name, run in runs.items() if _fits(run)}, rounds=rounds)


def _whole(run: Run) -> Run:
    """The same, until the GPU is done."""

    def whole() -> int:
        done = run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return done

    return whole


def _fits(run: Run) -> bool:
    """Whether memory is enough; also warms up."""
    try:
        run()
    except Exception as error:
        if not _does_not_fit(error):
            raise
    else:
        return True
    torch.cuda.empty_cache()
    return False


def _does_not_fit(error: Exception) -> bool:
    return isinstance(error, OutOfMemoryError) or out_of_memory(error)
