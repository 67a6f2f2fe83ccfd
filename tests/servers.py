"""Real servers on loopback for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc

from runtime.fakes import serving
from runtime.service import ModelService


@asynccontextmanager
async def connected(**settings: object) -> AsyncIterator[tuple[ModelService, grpc.aio.Channel]]:
    """A fake model service with these settings, and a channel to it."""
    async with (
        serving(**settings) as service,  # type: ignore[arg-type]
        grpc.aio.insecure_channel(f"127.0.0.1:{service.server.port}") as channel,
    ):
        yield service, channel
