"""Fixtures of the tests of the OpenAI proxy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fakes.openai import FakeOpenai


@pytest.fixture
def fake() -> Iterator[FakeOpenai]:
    with FakeOpenai() as server:
        yield server


@pytest.fixture(params=["responses", "chat"])
def api(request: pytest.FixtureRequest) -> str:
    """Each of the two APIs."""
    return str(request.param)


@pytest.fixture
def image() -> NDArray[np.uint16]:
    """A ramp of 12 bits."""
    return np.arange(48 * 64, dtype=np.uint16).reshape(48, 64)
