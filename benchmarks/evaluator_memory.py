"""How much memory the evaluator takes for few samples and for many: while it reads, and for a whole run.

Reading lists a dataset, reads every sample and notes it. A whole run takes up a run whose samples are all
answered and scored, finds that nothing is left to ask, summarises and writes the report: all that a run holds
beside the few samples that are with models. Simulated are the answers, which another process has put into the
store before, and the images, of which there are none; store, intervals and report are the real ones. In a
checkout with changes every sample is scored again, since nobody knows by what code it was.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Target
from benchmarks.processes import BrokenError

_FEW, _MANY = 10_000, 1_000_000
_MOST_TIMES_LARGER = 1.3
_READING, _FILLING, _WHOLE = "reading", "filling", "whole run"
_TIMEOUT_S = 2 * 3600
_WELLS = 96
_AT_ONCE = 10_000
_RUNS, _RUN, _MODEL = "runs", "memory", "imported"
_TABLE, _ANSWERS = "counts.jsonl", "answers.jsonl"
_SUITE = f"""
name: memory
tasks:
  - name: counts
    kind: counting
    dataset: {{loader: table, table: {_TABLE}, row: name, truth: cells}}
    imported: [{{model: {_MODEL}, table: {_ANSWERS}, sample: name, answer: cells}}]
"""


@dataclass(frozen=True, slots=True)
class Row:
    """The most memory that one process took, with everything that is loaded in it, and for how long."""

    what: str
    samples: int
    peak_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Memory:
    """What was measured."""

    rows: tuple[Row, ...]
    targets: tuple[Target, ...]


def measure() -> Memory:
    """Measure all of it, each in a process of its own. Raises BrokenError where one fails."""
    few, many = _measure(_FEW), _measure(_MANY)
    targets = tuple(
        Target(
            f"peak memory of {fewer.what}, {more.samples:,} samples against {fewer.samples:,}",
            more.peak_bytes / fewer.peak_bytes,
            _MOST_TIMES_LARGER,
            at_most=True,
        )
        for fewer, more in zip(few, many, strict=True)
    )
    return Memory((*few, *many), targets)


def _measure(samples: int) -> list[Row]:
    with _folder(samples) as folder:
        rows = [_in_process(what, folder, samples) for what in (_READING, _FILLING, _WHOLE)]
    return [row for row in rows if row.what != _FILLING]


def _in_process(what: str, folder: Path, samples: int) -> Row:
    command = [sys.executable, "-m", __name__, what, str(folder), str(samples)]
    began = time.monotonic()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise BrokenError(f"{what} {samples} samples failed: {error}") from error
    return Row(what, samples, int(done.stdout.split()[-1]), time.monotonic() - began)


def _said(cells: int, number: int) -> int:
    return max(0, cells + number * 7 % 5 - 2)


@contextmanager
def _folder(samples: int) -> Iterator[Path]:
    """A folder with a table of counts, and one of answers that are off by up to two."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            (folder / _TABLE).open("w", encoding="utf-8") as counts,
            (folder / _ANSWERS).open("w", encoding="utf-8") as answers,
        ):
            for number in range(samples):
                plate, well = divmod(number, _WELLS)
                row, cells = f"plate {plate} well {well}", number % 300
                counts.write(json.dumps({"name": row, "cells": cells}) + "\n")
                answers.write(json.dumps({"name": row, "cells": _said(cells, number)}) + "\n")
        yield folder


def _read(folder: Path, samples: int) -> None:
    """List a dataset, read and note every sample as a run does."""
    # The whole evaluator is loaded, as where it runs.
    from evaluator.app import EvaluatorApp  # noqa: F401, PLC0415
    from evaluator.catalogue import truth_digest  # noqa: PLC0415
    from evaluator.datasets import open_dataset  # noqa: PLC0415
    from evaluator.datasets.specs import TableSpec  # noqa: PLC0415
    from evaluator.noted import NotedSamples  # noqa: PLC0415
    from evaluator.records import TaskKind  # noqa: PLC0415
    from evaluator.runs import KnownSample  # noqa: PLC0415

    spec = TableSpec(loader="table", table=_TABLE, row="name", truth="cells")
    dataset = open_dataset(spec, folder, TaskKind.COUNTING)
    noted = NotedSamples(len(dataset))
    for position, sample in enumerate(dataset):
        noted.note(KnownSample(position, sample.sample_id, truth_digest(sample.truth)))
    if len(dataset) != samples or noted.duplicate_count:
        raise RuntimeError(f"{len(dataset)} samples were read, {noted.duplicate_count} of them twice")


def _fill(folder: Path, samples: int) -> None:
    """Put the answer to every sample, which is off by up to two, into the store, and its score."""
    from evaluator import database, provenance  # noqa: PLC0415
    from evaluator.catalogue import read_sample  # noqa: PLC0415
    from evaluator.journal import Entry, Journal  # noqa: PLC0415
    from evaluator.preparing import open_task, suite_of  # noqa: PLC0415
    from evaluator.records import Prediction, SampleRow  # noqa: PLC0415
    from evaluator.runs import RunSpec, TaskPlan  # noqa: PLC0415
    from evaluator.scoring import score  # noqa: PLC0415
    from evaluator.statements import Bundle, predicted, sampled, scored, statements  # noqa: PLC0415
    from evaluator.store import RunStore  # noqa: PLC0415
    from hooke.types import SampleOutcome  # noqa: PLC0415

    spec = RunSpec("memory", suite_yaml=_SUITE)
    (task,) = suite_of(spec).tasks
    opened = open_task(task, folder, None)
    dataset, (imported,) = opened.dataset, opened.imported
    tag = provenance.code_tag(provenance.code(), [opened])
    told = {"model_version": f"table {imported.digest[:16]}", "weights_digest": None}
    store = RunStore(folder / _RUNS)
    store.create(_RUN, spec, "memory").result()
    (record,) = store.open(_RUN, [_MODEL], [TaskPlan(task.name, task.digest, (_MODEL,))]).result()
    store.close()
    engine, journal = database.sqlite(folder / _RUNS / "runs.sqlite"), Journal(folder / _RUNS / _RUN)
    for start in range(0, samples, _AT_ONCE):
        reads = [read_sample(dataset, index) for index in range(start, min(start + _AT_ONCE, samples))]
        entries = [
            Entry(
                task.digest,
                Prediction(
                    task.name,
                    _MODEL,
                    read.sample.sample_id,
                    SampleOutcome.SCORED,
                    count=_said(read.sample.truth.count or 0, index),
                    provenance=told,
                ),
            )
            for index, read in enumerate(reads, start)
        ]
        with engine.connect().execution_options(writes=True) as connection, connection.begin():
            bundle = Bundle(connection, statements(connection.dialect))
            for index, (read, located) in enumerate(zip(reads, journal.append(entries), strict=True), start):
                row = SampleRow(read.sample.sample_id, index, read.sample.source, {}, None)
                bundle.add(sampled(record.number, row, read.truth_digest))
                bundle.add(predicted(record.number, located))
                result = score(task, read.sample, located.prediction, None)
                bundle.add(scored(record.number, result, tag))
            bundle.flush()


async def _conclude(folder: Path, samples: int) -> None:
    """Take the run up, with the memory of a process of the evaluator."""
    from evaluator.app import EvaluatorApp, limits_of  # noqa: F401, PLC0415
    from evaluator.control import Control  # noqa: PLC0415
    from evaluator.runner import Runner  # noqa: PLC0415
    from evaluator.settings import EvaluatorSettings  # noqa: PLC0415
    from evaluator.store import RunStore  # noqa: PLC0415
    from hooke import AsyncClient  # noqa: PLC0415
    from hooke.types import EvaluationState  # noqa: PLC0415
    from runtime.memory import return_large_memory  # noqa: PLC0415

    return_large_memory()
    settings = EvaluatorSettings(evaluator_gateway="127.0.0.1:1")  # nobody is asked
    store = RunStore(folder / _RUNS)
    client = AsyncClient(settings.evaluator_gateway, retries=False)
    with ThreadPoolExecutor(settings.evaluator_threads) as threads:
        run = store.get(_RUN)
        assert run is not None
        runner = Runner(store, client, folder, limits_of(settings), threads)
        ending = await runner.run(run, Control(lambda: None))
    await client.close()
    if ending is None or ending.state is not EvaluationState.SUCCEEDED:
        raise RuntimeError(f"the run ended as {ending}")
    (task,) = store.tasks(_RUN)
    if store.count_samples(task) != samples:
        raise RuntimeError(f"{store.count_samples(task)} samples were evaluated")
    store.close()


def _whole_run(folder: Path, samples: int) -> None:
    asyncio.run(_conclude(folder, samples))


_PARTS: Mapping[str, Callable[[Path, int], None]] = {_READING: _read, _FILLING: _fill, _WHOLE: _whole_run}


def _main(what: str, folder: Path, samples: int) -> None:
    """Do one part, and print this process's peak in bytes."""
    _PARTS[what](folder, samples)
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    print(int(line.split()[1]) * 1024)


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
