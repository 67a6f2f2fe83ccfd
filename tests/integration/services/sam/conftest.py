"""A tiny SAM behind our model, and the same weights in the library's hands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from segment_anything.modeling import Sam

from services.sam.model import SamModel
from services.sam.settings import SamSettings
from tests.tiny import sam as tiny


@pytest.fixture
def settings(tmp_path: Path) -> SamSettings:
    """Settings of a service with tiny weights."""
    return tiny.settings(tmp_path)


@pytest.fixture
def model(settings: SamSettings) -> Iterator[SamModel]:
    """Our model, loaded."""
    model = SamModel(settings)
    model.load()
    yield model
    model.close()


@pytest.fixture(scope="session")
def library() -> Sam:
    """The same weights as the library builds them, not loaded by us."""
    return tiny.build()
