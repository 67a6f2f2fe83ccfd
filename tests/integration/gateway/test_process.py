"""`python -m gateway` as a process."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc

from tests.integration.gateway.stage import probe

ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def process(**environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The gateway with these settings; killed at the end if it is still there."""
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        cwd=ROOT,
        env={**os.environ, "HOOKE_PORT": "0", **environment},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def _line(started: asyncio.subprocess.Process, pattern: str) -> re.Match[bytes]:
    """The next line of its log that matches."""
    assert started.stderr is not None
    async for line in started.stderr:
        if match := re.search(pattern.encode(), line):
            return match
    raise AssertionError(f"it ended without {pattern!r}")


async def test_wrong_routes_end_it_at_once(tmp_path: Path) -> None:
    """Exit code 2 and one line with file, line and field, before any port opens."""
    routes = tmp_path / "routes.yaml"
    routes.write_text("default_model: a\nmodels:\n  a: nowhere\n")
    async with process(HOOKE_GATEWAY_ROUTES=str(routes)) as started:
        _, said = await started.communicate()
        assert started.returncode == 2
        assert f"{routes}:3: models.a.0: " in said.decode()
        assert "listening" not in said.decode()


async def test_sigterm_loses_no_call() -> None:
    """A call in flight is answered after SIGTERM, then the process ends well."""
    go = asyncio.Event()

    async def answer(request: bytes, _context: object) -> bytes:
        await go.wait()
        return request

    async with (
        probe(answer) as upstream,
        process(HOOKE_GATEWAY_ADDRESSES=f"classical={upstream.address}") as started,
    ):
        port = int((await _line(started, r'"port": (\d+)'))[1])
        await _line(started, '"event": "serving"')
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary("/hooke.v1.InferenceService/Count")(b"x", timeout=60)
            asking = asyncio.ensure_future(call.code())
            await upstream.begun.wait()
            started.send_signal(signal.SIGTERM)
            await _line(started, '"event": "stopping"')
            go.set()
            assert await call == b"x"
            assert await asking is grpc.StatusCode.OK
        await started.communicate()
        assert started.returncode == 0


async def test_sigterm_before_anything_serves() -> None:
    """A gateway that waits for its first service ends at once when told to."""
    async with process(HOOKE_GATEWAY_ADDRESSES="classical=127.0.0.1:1") as started:
        await _line(started, '"event": "listening"')
        started.send_signal(signal.SIGTERM)
        await started.communicate()
        assert started.returncode == 0
