"""The evaluator before a model that only says yes, against inspect_ai with its mock model.

Both read the same images, ask the same question about each, score the answers and keep them on disk. With the
evaluator every question is a call to a model service; the mock model of inspect_ai is a function of its own
process. The evaluator then writes a report with a page for each sample, which has a row of its own here: the
viewer of inspect_ai is another program.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import hooke
from benchmarks.measure import Target
from benchmarks.processes import BrokenError, cpu_s, module
from hooke.types import EvaluationState

_SAMPLES = (300, 2000)
_SIZE_PX = 128
_ROUNDS = 3
_LEAST_TIMES_FASTER = 5.0
_INSPECT_AI = "inspect_ai==0.3.285"
_ENVIRONMENT = Path(__file__).parents[1] / ".venv-inspect"
_SUITE = """
name: asked
tasks:
  - name: asked
    kind: vqa
    dataset: {loader: questions, table: questions.jsonl, image: "{image}", question: question, answer: answer}
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """Time and processor time from the start of an evaluation, in seconds."""

    seconds: float
    cpu_s: float


Run = Callable[[int], Mapping[str, Taken]]
"""Evaluates so many samples once, and says what which part of it took."""


@dataclass(frozen=True, slots=True)
class Row:
    """How fast one of the two is, the median over the rounds."""

    way: str
    samples: int
    samples_per_s: float
    cpu_ms_per_sample: float


@dataclass(frozen=True, slots=True)
class Evaluators:
    """What was measured; `load` is the mean number of processes that wanted a core in the minute before."""

    rows: tuple[Row, ...]
    load: float
    targets: tuple[Target, ...]


def measure() -> Evaluators:
    """Measure both. Raises BrokenError where one does not start, as inspect_ai without a network at first."""
    load = os.getloadavg()[0]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hooke-evaluators-")))
        table = _write_questions(folder / "data")
        runs = [
            stack.enter_context(_hooke(folder)),
            stack.enter_context(_inspect_ai(table, folder / "logs")),
        ]
        for run in runs:
            run(_SAMPLES[0])  # to warm up
        found: dict[tuple[str, int], list[Taken]] = defaultdict(list)
        for number in range(_ROUNDS):
            for samples in _SAMPLES:
                for run in runs[number % 2 :] + runs[: number % 2]:
                    for way, taken in run(samples).items():
                        found[way, samples].append(taken)
    rows = tuple(_row(*of, taken) for of, taken in sorted(found.items()))
    return Evaluators(rows, load, tuple(_target(rows, samples) for samples in _SAMPLES))


def _row(way: str, samples: int, taken: Sequence[Taken]) -> Row:
    seconds = statistics.median(each.seconds for each in taken)
    cpu_s = statistics.median(each.cpu_s for each in taken)
    return Row(way, samples, samples / seconds, 1e3 * cpu_s / samples)


def _target(rows: Sequence[Row], samples: int) -> Target:
    speeds = {row.way: row.samples_per_s for row in rows if row.samples == samples}
    return Target(
        f"samples / s of the evaluator against inspect_ai, {samples} samples, until all are scored",
        speeds["hooke"] / speeds["inspect_ai"],
        _LEAST_TIMES_FASTER,
        at_most=False,
    )


def _clock() -> Callable[[], Taken]:
    """Begin to take the time."""
    started, cpu_before_s = time.perf_counter(), cpu_s()
    return lambda: Taken(time.perf_counter() - started, cpu_s() - cpu_before_s)


def _write_questions(folder: Path) -> Path:
    """Write the images and the table of the questions; the path of the table."""
    folder.mkdir()
    random = np.random.default_rng(0)
    lines = []
    for number in range(max(_SAMPLES)):
        pixels = random.normal(100, 4, (_SIZE_PX, _SIZE_PX)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        row = {"image": f"{number}.png", "question": "Are there cells?", "answer": "yes"}
        lines.append(json.dumps(row))
    table = folder / "questions.jsonl"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


@contextmanager
def _hooke(folder: Path) -> Iterator[Run]:
    """Run the evaluator and a model service until the end of the block; the value evaluates once."""
    with ExitStack() as stack:
        model = stack.enter_context(module("benchmarks.yes"))
        settings = {
            "HOOKE_EVALUATOR_GATEWAY": model,
            "HOOKE_EVALUATOR_RUNS_DIR": str(folder / "runs"),
            "HOOKE_EVALUATOR_DATA_ROOT": str(folder / "data"),
        }
        client = stack.enter_context(hooke.Client(stack.enter_context(module("evaluator", **settings))))

        def run(samples: int) -> Mapping[str, Taken]:
            taken = _clock()
            scored = None
            begun = client.create_evaluation(
                suite_yaml=_SUITE, request_id=uuid.uuid4().hex, sample_limit=samples, reuse_answers=False
            )
            for evaluation in client.watch_evaluation(begun.evaluation_id):
                done = sum(task.done_count for task in evaluation.task_progress)
                if scored is None and done == samples:
                    scored = taken()
            if evaluation.state is not EvaluationState.SUCCEEDED:
                raise BrokenError(f"the evaluation {evaluation.state}: {evaluation.state_message}")
            assert scored is not None
            return {"hooke": scored, "hooke, with the report": taken()}

        yield run


@contextmanager
def _inspect_ai(table: Path, logs: Path) -> Iterator[Run]:
    """Run inspect_ai in its own environment until the end of the block; the value evaluates once."""
    script = Path(__file__).with_name("evaluator_inspect.py")
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [_interpreter(), str(script), str(table), str(logs)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        answers, orders = process.stdout, process.stdin

        def run(samples: int) -> Mapping[str, Taken]:
            taken = _clock()
            orders.write(f"{samples}\n")
            orders.flush()
            line = answers.readline()
            if not line:
                errors.seek(0)
                sys.stderr.write(errors.read()[-2000:])
                raise BrokenError("inspect_ai failed")
            return {"inspect_ai": taken()}

        try:
            yield run
        finally:
            orders.close()


def _interpreter() -> str:
    """The Python of an environment with inspect_ai, made if need be: its pins are not those of Hooke."""
    python = _ENVIRONMENT / "bin" / "python"
    stamp = _ENVIRONMENT / _INSPECT_AI
    if not stamp.exists():
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", _INSPECT_AI]
        for command in ([sys.executable, "-m", "venv", str(_ENVIRONMENT)], pip):
            done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
            if done.returncode:
                text = f"{_INSPECT_AI} cannot be installed into {_ENVIRONMENT.name}, which takes a network"
                raise BrokenError(text)
        stamp.touch()
    return str(python)
