"""`python -m benchmarks.gpu`: how much Hooke's batches gain on an NVIDIA GPU, as a table in Markdown.

All figures of a row are taken side by side, with those of the plain loop of the library: the same images one
after the other, as its documentation shows. Weights are random, which costs as much as trained ones.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from benchmarks.measure import Target

if TYPE_CHECKING:
    from benchmarks.gpu.measuring import Row

MODELS = ("sam", "cellpose", "llava")
LEAST_TIMES_FASTER = 2.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0 also where there is no GPU, which is said."""
    options = _options(arguments)
    try:
        torch = importlib.import_module("torch")
        measuring = importlib.import_module("benchmarks.gpu.measuring")
    except ImportError as error:
        print(f"PyTorch is not installed, so nothing can be measured: {error}")
        return 0
    on_gpu = torch.cuda.is_available()
    if not on_gpu and not options.tiny:
        print("This machine has no NVIDIA GPU that PyTorch can use, so there is nothing to measure.")
        return 0
    device = torch.device("cuda" if on_gpu else "cpu")
    print(f"## {torch.cuda.get_device_name(device) if on_gpu else 'CPU'}, PyTorch {torch.__version__}\n")
    if options.tiny:
        print("Tiny models: this shows that everything runs. The figures mean nothing.\n")
    rows: list[Row] = []
    for model in options.models or MODELS:
        try:
            rows += measuring.measure(model, device, tiny=options.tiny)
        except ImportError as error:
            print(f"{model} is left out: {error}\n")
    print("\n".join(_table(rows, measuring.BATCH_SIZES)), end="\n\n")
    for target in _targets(rows):
        verdict = "PASS" if target.met else "MISS"
        print(f"- {verdict}: {target.text}: {target.figure:.1f} times (target: at least {target.bound:g})")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"of {', '.join(MODELS)}; all by default")
    parser.add_argument("--tiny", action="store_true", help="tiny models, on a CPU too: tries the script")
    options = parser.parse_args(arguments)
    if unknown := set(options.models) - set(MODELS):
        parser.error(f"there is no model {', '.join(sorted(unknown))}")
    return options


def _table(rows: Iterable[Row], sizes: Sequence[int]) -> Iterator[str]:
    """Images per second in Markdown; a dash where something does not fit, or the library cannot do it."""
    yield f"| images / s | numbers | plain loop | {' | '.join(f'batch {size}' for size in sizes)} |"
    yield f"|---|---|{'---:|' * (len(sizes) + 1)}"
    for row in rows:
        speeds = [row.plain, *(row.batched.get(size) for size in sizes)]
        cells = ["-" if speed is None else f"{speed:.2f}" for speed in speeds]
        yield f"| {row.title} | {row.precision} | {' | '.join(cells)} |"


def _targets(rows: Sequence[Row]) -> Iterator[Target]:
    """For each model its fastest way against the plain loop, in float32 where that fits."""
    for title in dict.fromkeys(row.title for row in rows):
        own = [row for row in rows if row.title == title]
        loop = next((row for row in own if row.plain is not None), None)
        if loop is None or not loop.plain:
            continue
        best = max(speed for row in own for speed in row.batched.values())
        text = f"{title}, fastest against the plain loop in {loop.precision}"
        yield Target(text, best / loop.plain, LEAST_TIMES_FASTER, at_most=False)


if __name__ == "__main__":
    sys.exit(main())
