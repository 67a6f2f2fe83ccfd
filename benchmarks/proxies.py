"""The proxies before a provider on loopback, against the provider's own library alone."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import hooke
from benchmarks.fake_provider import WAIT_S
from benchmarks.measure import Target, Times, interleaved, rates
from benchmarks.processes import module
from tests.fakes import gemini as gemini_fake
from tests.fakes import openai as openai_fake

_SIZE_PX = 512
_QUESTION = "How many cells are there?"
_IN_FLIGHT = 64
_CALLS = 256
_MOST_OVERHEAD = 1.05
_TIMEOUT_S = 60.0

Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Row:
    """One way to ask one provider."""

    provider: str
    way: str
    """Either "library", the provider's alone, or "proxy", Hooke's client and service before it."""
    times: Times
    calls_per_s: float


@dataclass(frozen=True, slots=True)
class Proxies:
    """What was measured."""

    rows: tuple[Row, ...]
    targets: tuple[Target, ...]


def measure() -> Proxies:
    """Measure each proxy beside its library. Raises BrokenError where something does not start."""
    rows: list[Row] = []
    targets = []
    for name, library in LIBRARIES.items():
        with ExitStack() as stack:
            provider = stack.enter_context(_fake(name))
            proxy = stack.enter_context(module(f"services.{name}", **_settings(name, provider)))
            client = stack.enter_context(hooke.Client(proxy, retries=False))
            picture = _micrograph()
            calls: Mapping[str, Call] = {
                "library": stack.enter_context(library(provider, _png(picture))),
                "proxy": lambda client=client, picture=picture: client.ask(picture, _QUESTION),
            }
            threads = stack.enter_context(ThreadPoolExecutor(_IN_FLIGHT))
            runs = {way: _load(call, threads) for way, call in calls.items()}
            for run in runs.values():  # also until the proxy has found out how much the provider takes
                run()
            times = interleaved(calls, rounds=6, burst=5)
            speeds = rates(runs, rounds=4)
        rows += [Row(name, way, times[way], speeds[way]) for way in calls]
        targets.append(
            Target(
                f"{name}: proxy against library, p50 of one caller, provider takes {WAIT_S:g} s",
                times["proxy"].p50_s / times["library"].p50_s,
                _MOST_OVERHEAD,
                at_most=True,
            )
        )
    return Proxies(tuple(rows), tuple(targets))


def _load(call: Call, threads: ThreadPoolExecutor) -> Callable[[], int]:
    def run() -> int:
        list(threads.map(lambda _: call(), range(_CALLS)))
        return _CALLS

    return run


@contextmanager
def _fake(name: str) -> Iterator[str]:
    """Run the fake of a provider until the end of the block; the value is its address."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.fake_provider", name],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()


def _settings(name: str, provider: str) -> dict[str, str]:
    if name == "openai":
        return {"HOOKE_OPENAI_BASE_URL": f"{provider}/v1", "HOOKE_OPENAI_API_KEY": openai_fake.KEY}
    return {"HOOKE_GEMINI_BASE_URL": provider, "HOOKE_GEMINI_API_KEY": gemini_fake.KEY}


@contextmanager
def _openai(provider: str, png: bytes) -> Iterator[Call]:
    import openai  # noqa: PLC0415  (only who measures it needs it)

    url = "data:image/png;base64," + base64.b64encode(png).decode()
    content: Any = [
        {"type": "input_image", "image_url": url, "detail": "auto"},
        {"type": "input_text", "text": _QUESTION},
    ]
    with openai.OpenAI(
        api_key=openai_fake.KEY, base_url=f"{provider}/v1", max_retries=0, timeout=_TIMEOUT_S
    ) as client:
        yield lambda: client.responses.create(
            model="gpt-6-luna", input=[{"role": "user", "content": content}], store=False
        )


@contextmanager
def _gemini(provider: str, png: bytes) -> Iterator[Call]:
    from google import genai  # noqa: PLC0415
    from google.genai import types  # noqa: PLC0415

    options = types.HttpOptions(base_url=provider, api_version="v1")
    client = genai.Client(vertexai=False, api_key=gemini_fake.KEY, http_options=options)
    contents: Any = [types.Part.from_bytes(data=png, mime_type="image/png"), _QUESTION]
    config = types.GenerateContentConfig(temperature=0.0)
    yield lambda: client.models.generate_content(
        model=gemini_fake.MODEL_VERSION, contents=contents, config=config
    )
    client.close()


LIBRARIES = {"openai": _openai, "gemini": _gemini}


def _micrograph() -> NDArray[np.uint8]:
    """A noisy field of smooth blobs; 8 bits, so that both ways send the same samples."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:_SIZE_PX, :_SIZE_PX]
    field = 100 + 60 * np.sin(rows / 20) * np.sin(columns / 20) + random.normal(0, 4, rows.shape)
    return field.clip(0, 255).astype(np.uint8)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
