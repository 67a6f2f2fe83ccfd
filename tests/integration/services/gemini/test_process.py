"""The Gemini proxy as a process of its own: what it logs, and what it keeps."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hooke import errors
from hooke.aio import AsyncClient
from tests.fakes import gemini
from tests.fakes.gemini import KEY, FakeGemini
from tests.fakes.http import Asked, Reply
from tests.integration.services.gemini.lab import provider
from tests.memory import resident_bytes

ROOT = Path(__file__).parents[4]
IMAGE = np.random.default_rng(0).integers(0, 4096, (64, 64), np.uint16)


@dataclass(frozen=True)
class Running:
    """A service that runs."""

    client: AsyncClient
    pid: int
    log: Path


@asynccontextmanager
async def running(fake: FakeGemini, folder: Path, **environment: str) -> AsyncIterator[Running]:
    """`python -m services.gemini` for this fake, with its key in a file."""
    (folder / "key").write_text(f"{KEY}\n")
    settings = {
        "HOOKE_PORT": "0",
        "HOOKE_GEMINI_BASE_URL": fake.address,
        "HOOKE_GEMINI_API_KEY_FILE": str(folder / "key"),
        **environment,
    }
    log = folder / "log"
    with log.open("wb") as stderr:
        started = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "services.gemini"),
            cwd=ROOT,
            env={**os.environ, **settings},
            stdout=stderr,
            stderr=stderr,
        )
    try:
        while '"event": "serving"' not in log.read_text():
            assert started.returncode is None, log.read_text()
            await asyncio.sleep(0.05)
        match = re.search(r'"port": (\d+)', log.read_text())
        assert match is not None
        async with AsyncClient(f"127.0.0.1:{match[1]}", retries=False) as client:
            yield Running(client, started.pid, log)
        started.terminate()
        assert await started.wait() == 0
    finally:
        if started.returncode is None:
            started.kill()
            await started.wait()


# Neither the key nor what is asked stands in any line of the log, whatever the provider quotes; that the
# service is not served does, as an error.
async def test_log(tmp_path: Path) -> None:
    quoting = f"Consumer 'api_key:{KEY}' has been suspended."
    script = [
        gemini.error(403, "PERMISSION_DENIED", quoting, gemini.error_info(f"API_KEY_{KEY}")),
        gemini.error(500, "INTERNAL", quoting),
        gemini.error(400, "INVALID_ARGUMENT", quoting),
        Reply(200, f"<html>{KEY}</html>"),
        Reply(200, {"candidates": [{"content": KEY}]}),
        Reply(200, gemini.generated(KEY, finish_reason="SAFETY")),
        Reply(cut=True),
    ]
    said: list[str] = []
    with provider(*script) as fake:
        async with running(fake, tmp_path, HOOKE_LOG_LEVEL="debug") as service:
            for _ in script:
                with pytest.raises(errors.HookeError) as caught:
                    await service.client.ask(IMAGE, "Where is Waldo?", timeout_s=20)
                said.append(f"{caught.value} {dict(caught.value.metadata)} {caught.value.violations}")
            answer = await service.client.ask(IMAGE, "Where is Waldo?", timeout_s=20)
        log = service.log.read_text()
    assert answer.text == gemini.TEXT
    assert len(fake.asked) == len(script) + 1
    assert not [text for text in said if KEY in text]
    assert KEY not in log
    assert "Waldo" not in log
    assert gemini.TEXT not in log
    assert fake.asked[0].json["contents"][0]["parts"][0]["inlineData"]["data"][:40] not in log
    events: list[dict[str, Any]] = [json.loads(line) for line in log.splitlines()]
    alarms = [event for event in events if event["level"] == "error"]
    assert [alarm["reason"] for alarm in alarms] == ["CREDENTIALS_REJECTED"]


class Forgetful(FakeGemini):
    """Keeps nothing of what it was asked."""

    def reply(self, asked: Asked) -> Reply:
        """As ever, then forget."""
        self.asked.clear()
        return super().reply(asked)


# A thousand questions leave the service no larger than a hundred did.
@pytest.mark.slow
async def test_memory(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    with Forgetful() as fake:
        async with running(fake, tmp_path) as service:

            async def ask(count: int) -> None:
                for _ in range(count):
                    image = noise.integers(0, 256, (256, 256), np.uint8)
                    await service.client.ask(image, "What is this?", timeout_s=60)

            await asyncio.gather(*(ask(25) for _ in range(4)))
            early = resident_bytes(service.pid)
            await asyncio.gather(*(ask(225) for _ in range(4)))
            assert resident_bytes(service.pid) < early * 1.05
