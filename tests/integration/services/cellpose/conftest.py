"""The tiny Cellpose behind a real server, and the library's own model of the same file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cellpose.models import CellposeModel as LibraryModel

from hooke.aio import AsyncClient
from runtime.fakes import serving
from services.cellpose.model import CellposeModel
from services.cellpose.settings import CellposeSettings
from tests.tiny import cellpose as tiny


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> CellposeSettings:
    # Eight tiles in a pass, as on a GPU, or requests would share none.
    return tiny.settings(tmp_path_factory.mktemp("weights"), cellpose_tile_batch_size=8)


@pytest.fixture(scope="session")
def checkpoint(settings: CellposeSettings) -> Path:
    return settings.weights_dir / settings.cellpose_checkpoint


@pytest.fixture(scope="session")
def library(checkpoint: Path) -> LibraryModel:
    return tiny.library_model(checkpoint)


@pytest.fixture
async def client(settings: CellposeSettings) -> AsyncIterator[AsyncClient]:
    async with (
        serving(CellposeModel, values=settings) as service,
        AsyncClient(f"127.0.0.1:{service.server.port}") as connected,
    ):
        yield connected


@pytest.fixture
async def fine_client(tmp_path: Path) -> AsyncIterator[AsyncClient]:
    """Of a network of small tiles, for volumes: each of their planes along three axes is a tile at least."""
    async with (
        serving(CellposeModel, values=tiny.settings(tmp_path, tile_px=64)) as service,
        AsyncClient(f"127.0.0.1:{service.server.port}") as connected,
    ):
        yield connected
