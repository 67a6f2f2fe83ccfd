"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real micrographs; tests that ask for it are skipped where there is none."""
    folder = os.environ.get("HOOKE_TEST_DATA", "")
    if not folder:
        pytest.skip("HOOKE_TEST_DATA does not name the folder of real micrographs")
    return Path(folder)
