"""What the services that need no GPU take, at rest and under a bounded load: memory, cores, threads.

The requests of the manifests for Kubernetes come from these figures; see docs/capacity.md.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import hooke
from benchmarks.measure import Target
from deploy.process import ServiceProcess
from deploy.supervisor import Stack
from tests.fakes.openai import KEY, FakeOpenai

_SIZE_PX = 1024
_CALLERS, _CALLS = 8, 32
_QUESTIONS = 256
_SAMPLES = 12
_SUITE = f"""
name: resources
tasks:
  - name: nuclei
    kind: segmentation
    dataset: {{loader: simulated, images: {_SAMPLES}, seed: 1}}
"""
_LOOK_S = 0.1
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Row:
    """What one service took, with every process that it started.

    Attributes:
        rest_bytes, peak_bytes: of memory, at its start and at most; what processes share counts once.
        cpu_s: of one core, for each item of the load; on a busy machine as on a quiet one.
        threads: at most.
    """

    service: str
    load: str
    rest_bytes: int
    peak_bytes: int
    cpu_s: float
    threads: int


@dataclass(frozen=True, slots=True)
class Resources:
    """What was measured; nothing was promised."""

    rows: tuple[Row, ...]
    targets: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True)
class _Look:
    """What a service has at a moment."""

    pss_bytes: int
    cpu_s: float
    threads: int


def measure() -> Resources:
    """Measure all of them, one load after the other."""
    loads: Mapping[str, tuple[int, str, Callable[[hooke.Client], None]]] = {
        "classical": (_CALLS, f"images of {_SIZE_PX} x {_SIZE_PX}, {_CALLERS} at a time", _segment),
        "openai": (_QUESTIONS, f"questions, {4 * _CALLERS} at a time, of a fake provider", _ask),
        "evaluator": (_SAMPLES, "simulated images, and the report", _evaluate),
    }
    rows = []
    with _stack() as stack, hooke.Client(stack.address, timeout_s=120) as client:
        rest = {name: _look(process) for name, process in stack.processes.items()}
        for name, (count, text, load) in loads.items():
            before = {one: _look(process) for one, process in stack.processes.items()}
            peaks = _watched(stack.processes, lambda load=load: load(client))
            for one in ("gateway", name):
                cpu_s = (_look(stack.processes[one]).cpu_s - before[one].cpu_s) / count
                peak = peaks[one]
                rest_bytes = rest[one].pss_bytes
                rows.append(Row(one, f"{count} {text}", rest_bytes, peak.pss_bytes, cpu_s, peak.threads))
    return Resources(tuple(rows))


@contextmanager
def _stack() -> Iterator[Stack]:
    """The services of the compose file, with a provider that answers at once."""
    with tempfile.TemporaryDirectory(prefix="hooke-resources-") as folder, FakeOpenai() as provider:
        key = Path(folder, "key")
        key.write_text(KEY)
        variables = {
            "HOOKE_DATA_DIR": folder,
            "HOOKE_OPENAI_API_KEY_FILE": str(key),
            "HOOKE_OPENAI_BASE_URL": f"{provider.address}/v1",
        }
        with Stack(home=Path(folder), profiles=["openai"], variables=variables) as stack:
            yield stack


def _images(count: int) -> Iterator[np.ndarray]:
    """Images that differ, of 16 bits."""
    draw = np.random.default_rng(5)
    for _ in range(count):
        yield draw.integers(300, 4000, (_SIZE_PX, _SIZE_PX), dtype=np.uint16)


def _segment(client: hooke.Client) -> None:
    with ThreadPoolExecutor(_CALLERS) as callers:
        list(callers.map(client.segment, _images(_CALLS)))


def _ask(client: hooke.Client) -> None:
    (image,) = _images(1)
    with ThreadPoolExecutor(4 * _CALLERS) as callers:
        list(callers.map(lambda _: client.ask(image, "What is this?", model="openai"), range(_QUESTIONS)))


def _evaluate(client: hooke.Client) -> None:
    begun = client.create_evaluation(suite_yaml=_SUITE, models=["classical"])
    for _ in client.watch_evaluation(begun.evaluation_id):
        pass


def _watched(processes: Mapping[str, ServiceProcess], work: Callable[[], None]) -> Mapping[str, _Look]:
    """The most that each had while work was done."""
    peaks = {name: _look(process) for name, process in processes.items()}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_S):
            for name, process in processes.items():
                now, peak = _look(process), peaks[name]
                most = max(now.pss_bytes, peak.pss_bytes), now.cpu_s, max(now.threads, peak.threads)
                peaks[name] = _Look(*most)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        over.set()
        watcher.join()
    return peaks


def _look(process: ServiceProcess) -> _Look:
    """What a service and the processes of its group have now, as Linux tells."""
    looks = [look for path in Path("/proc").glob("[0-9]*") if (look := _look_at(path, process.pid))]
    return _Look(
        sum(look.pss_bytes for look in looks),
        sum(look.cpu_s for look in looks),
        sum(look.threads for look in looks),
    )


def _look_at(path: Path, group: int) -> _Look | None:
    """What one process has, if it is of the group and still there."""
    try:
        # After the name, which is in parentheses and may hold anything: proc_pid_stat(5) from field 3 on.
        fields = (path / "stat").read_text().rpartition(")")[2].split()
        if int(fields[2]) != group:
            return None
        pss = next(x for x in (path / "smaps_rollup").read_text().splitlines() if x.startswith("Pss:"))
    except (OSError, StopIteration):
        return None
    return _Look(int(pss.split()[1]) * 1024, (int(fields[11]) + int(fields[12])) / _TICKS, int(fields[17]))
