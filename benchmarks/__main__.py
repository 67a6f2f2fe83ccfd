"""`python -m benchmarks`: prints ratios, each target with PASS or MISS; `--json FILE` keeps every figure."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import (
    cellpose,
    evaluator,
    evaluator_memory,
    forwarding,
    llava,
    metrics,
    proxies,
    resources,
    sam,
    uploads,
    workers,
)
from benchmarks.measure import Target, Times
from benchmarks.processes import BrokenError

MIB = 1024**2


def _table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Table:
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < 2 else "right")
    for row in rows:
        table.add_row(*(f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row))
    return table


def _size(size_bytes: int) -> str:
    return f"{size_bytes // MIB} MiB" if size_bytes >= MIB else f"{size_bytes // 1024} KiB"


def _forwarding_table(found: forwarding.Forwarding) -> Table:
    direct = {(row.service, row.size_bytes): row.times for row in found.rows if row.way == "direct"}
    return _table(
        "Through a proxy (one call at a time; throughput with 8 in flight)",
        ("service", "way", "message", "p50 ms", "p99 ms", "p50 / direct", "calls / s"),
        (
            (
                row.service,
                row.way,
                _size(row.size_bytes),
                row.times.p50_s * 1e3,
                row.times.p99_s * 1e3,
                row.times.p50_s / direct[row.service, row.size_bytes].p50_s,
                row.calls_per_s,
            )
            for row in found.rows
        ),
    )


def _uploads_table(found: uploads.Uploads) -> Table:
    return _table(
        "Sending an image",
        ("image", "way", "through", "p50 ms"),
        ((_size(row.size_bytes), row.way, row.through, row.times.p50_s * 1e3) for row in found.rows),
    )


def _workers_table(found: workers.Workers) -> Table:
    return _table(
        "classical under load",
        ("model", "worker processes", "images / s"),
        (("classical", row.workers, row.images_per_s) for row in found.rows),
    )


def _proxies_table(found: proxies.Proxies) -> Table:
    direct = {row.provider: row for row in found.rows if row.way == "library"}
    return _table(
        f"Asking a provider that takes {proxies.WAIT_S:g} s (one call at a time; throughput with 64)",
        ("provider", "way", "p50 ms", "p99 ms", "p50 / library", "calls / s"),
        (
            (
                row.provider,
                row.way,
                row.times.p50_s * 1e3,
                row.times.p99_s * 1e3,
                row.times.p50_s / direct[row.provider].times.p50_s,
                row.calls_per_s,
            )
            for row in found.rows
        ),
    )


def _llava_table(found: llava.Llava) -> Table:
    library = next(row.times for row in found.rows if row.way == "library")
    speeds = ", ".join(f"{rate.answers_per_s:.2f} / s with {rate.callers} in flight" for rate in found.rates)
    return _table(
        f"Asking LLaVA for {llava.TOKENS} tokens (one call at a time; {speeds})",
        ("model", "way", "p50 ms", "p99 ms", "p50 / library"),
        (
            ("llava", row.way, row.times.p50_s * 1e3, row.times.p99_s * 1e3, row.times.p50_s / library.p50_s)
            for row in found.rows
        ),
    )


def _sam_table(found: sam.SamFigures) -> Table:
    base = {row.size: row.times for row in reversed(found.rows)}
    speeds = ", ".join(f"{rate.images_per_s:.2f} / s with {rate.callers} in flight" for rate in found.rates)
    return _table(
        f"Pointing SAM at an object (one call at a time; new images, small: {speeds})",
        ("size", "way", "p50 ms", "p99 ms", "p50 / first row of the size"),
        (
            (
                row.size,
                row.way,
                row.times.p50_s * 1e3,
                row.times.p99_s * 1e3,
                row.times.p50_s / base[row.size].p50_s,
            )
            for row in found.rows
        ),
    )


def _cellpose_table(found: cellpose.Cellpose) -> Table:
    library = next(row.times for row in found.rows if row.way == "library")
    speeds = ", ".join(f"{rate.images_per_s:.2f} / s with {rate.callers} in flight" for rate in found.rates)
    return _table(
        f"Segmenting with Cellpose (one call at a time; small images: {speeds})",
        ("model", "way", "p50 ms", "p99 ms", "p50 / library"),
        (
            (
                "cellpose",
                row.way,
                row.times.p50_s * 1e3,
                row.times.p99_s * 1e3,
                row.times.p50_s / library.p50_s,
            )
            for row in found.rows
        ),
    )


def _metrics_table(found: metrics.Metrics) -> Table:
    return _table(
        f"Scoring a segmentation of {metrics.OBJECTS} objects at {metrics.SIZE_PX} x {metrics.SIZE_PX}",
        ("what", "by", "p50 ms", "p99 ms"),
        ((row.way, row.by, row.times.p50_s * 1e3, row.times.p99_s * 1e3) for row in found.rows),
    )


def _evaluator_memory_table(found: evaluator_memory.Memory) -> Table:
    return _table(
        "The evaluator at few samples and at many",
        ("", "samples", "peak MiB", "seconds"),
        ((row.what, f"{row.samples:,}", row.peak_bytes / MIB, row.seconds) for row in found.rows),
    )


def _resources_table(found: resources.Resources) -> Table:
    return _table(
        "What services take",
        ("", "load", "MiB at rest", "MiB at most", "CPU ms each", "threads"),
        (
            (row.service, row.load, row.rest_bytes / MIB, row.peak_bytes / MIB, row.cpu_s * 1e3, row.threads)
            for row in found.rows
        ),
    )


def _evaluator_table(found: evaluator.Evaluators) -> Table:
    return _table(
        f"Evaluating questions about images (load average {found.load:.1f})",
        ("", "way", "samples", "samples / s", "CPU ms / sample"),
        (
            ("evaluator", row.way, f"{row.samples:,}", row.samples_per_s, row.cpu_ms_per_sample)
            for row in found.rows
        ),
    )


PARTS: Mapping[str, tuple[Callable[[], Any], Callable[[Any], Table]]] = {
    "forwarding": (forwarding.measure, _forwarding_table),
    "uploads": (uploads.measure, _uploads_table),
    "proxies": (proxies.measure, _proxies_table),
    "workers": (workers.measure, _workers_table),
    "evaluator-memory": (evaluator_memory.measure, _evaluator_memory_table),
    "resources": (resources.measure, _resources_table),
    "cellpose": (cellpose.measure, _cellpose_table),
    "llava": (llava.measure, _llava_table),
    "sam": (sam.measure, _sam_table),
    "metrics": (metrics.measure, _metrics_table),
    "evaluator": (evaluator.measure, _evaluator_table),  # last: at first it takes a network
}


def _targets_table(targets: Iterable[Target]) -> Table:
    return _table(
        "Targets",
        ("", "what", "measured", "target"),
        (
            (
                "PASS" if target.met else "MISS",
                target.text,
                target.figure,
                f"at {'most' if target.at_most else 'least'} {target.bound:g}",
            )
            for target in targets
        ),
    )


def _plain(value: Any) -> Any:
    """What JSON can hold; of times, the percentiles and their number."""
    if isinstance(value, Times):
        return {"p50_s": value.p50_s, "p99_s": value.p99_s, "count": len(value.seconds)}
    if isinstance(value, Target):
        return {**dataclasses.asdict(value), "met": value.met}
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def main() -> int:
    """Measure and print; 0 unless something broke."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - PARTS.keys():
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    console = Console()
    targets: list[Target] = []
    figures: dict[str, Any] = {"cores": os.cpu_count()}
    for name in arguments.parts or PARTS:
        measure, table = PARTS[name]
        with console.status(f"Measuring {name} ..."):
            try:
                found = measure()
            except BrokenError as error:
                console.print(f"{name}: {error}")
                return 1
        console.print(table(found))
        targets += found.targets
        figures[name] = _plain(found)
    console.print(_targets_table(targets))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
