"""How much memory the evaluator takes to list a dataset and go through it, for few samples and for many.

This is what a run holds while it sends samples. Its summary, at the end, holds the score of every sample.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Target
from benchmarks.processes import BrokenError

_FEW, _MANY = 10_000, 1_000_000
_MOST_TIMES_LARGER = 1.3
_TIMEOUT_S = 600
_WELLS = 96
_TABLE = "counts.jsonl"


@dataclass(frozen=True, slots=True)
class Row:
    """The most memory that one process took, with everything that is loaded in it."""

    samples: int
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class Memory:
    """What was measured."""

    rows: tuple[Row, ...]
    targets: tuple[Target, ...]


def measure() -> Memory:
    """Measure both, each in a process of its own. Raises BrokenError where one fails."""
    rows = tuple(_measure(samples) for samples in (_FEW, _MANY))
    target = Target(
        f"peak memory of listing and reading {_MANY:,} samples against {_FEW:,}",
        rows[1].peak_bytes / rows[0].peak_bytes,
        _MOST_TIMES_LARGER,
        at_most=True,
    )
    return Memory(rows, (target,))


def _measure(samples: int) -> Row:
    command = [sys.executable, "-m", __name__, str(samples)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise BrokenError(f"reading {samples} samples failed: {error}") from error
    return Row(samples, int(done.stdout))


@contextmanager
def _folder(samples: int) -> Iterator[Path]:
    """A folder with a table of counts; there are no images, so that reading a sample decodes nothing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (folder / _TABLE).open("w", encoding="utf-8") as file:
            for number in range(samples):
                plate, well = divmod(number, _WELLS)
                file.write(json.dumps({"name": f"plate {plate} well {well}", "cells": number % 300}) + "\n")
        yield folder


def _read(samples: int) -> None:
    """List a dataset, read and note every sample as a run does, and print this process's peak in bytes."""
    # The whole evaluator is loaded, as where it runs.
    from evaluator.app import EvaluatorApp  # noqa: F401, PLC0415
    from evaluator.catalogue import truth_digest  # noqa: PLC0415
    from evaluator.datasets import open_dataset  # noqa: PLC0415
    from evaluator.datasets.specs import TableSpec  # noqa: PLC0415
    from evaluator.noted import NotedSamples  # noqa: PLC0415
    from evaluator.records import TaskKind  # noqa: PLC0415
    from evaluator.runs import KnownSample  # noqa: PLC0415

    with _folder(samples) as folder:
        spec = TableSpec(loader="table", table=_TABLE, row="name", truth="cells")
        dataset = open_dataset(spec, folder, TaskKind.COUNTING)
        noted = NotedSamples(len(dataset))
        for position, sample in enumerate(dataset):
            noted.note(KnownSample(position, sample.sample_id, truth_digest(sample.truth)))
    if len(dataset) != samples or noted.duplicate_count:
        raise RuntimeError(f"{len(dataset)} samples were read, {noted.duplicate_count} of them twice")
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    print(int(line.split()[1]) * 1024)


if __name__ == "__main__":
    _read(int(sys.argv[1]))
