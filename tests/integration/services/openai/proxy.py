"""The OpenAI proxy between a client and a fake of its provider, for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hooke.aio import AsyncClient
from runtime.fakes import serving
from services.openai.model import OpenaiModel
from tests.fakes.openai import FakeOpenai
from tests.tiny.openai import settings_of


@asynccontextmanager
async def asking(fake: FakeOpenai, **settings: Any) -> AsyncIterator[AsyncClient]:
    """A client, which repeats nothing, of a proxy for this fake."""
    async with (
        serving(OpenaiModel, values=settings_of(fake, **settings)) as service,
        AsyncClient(f"127.0.0.1:{service.server.port}", retries=False) as client,
    ):
        yield client
