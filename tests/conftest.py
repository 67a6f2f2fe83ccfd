"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import Postgres, binaries, serving


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real micrographs; tests that ask for it are skipped where there is none."""
    folder = os.environ.get("HOOKE_TEST_DATA", "")
    if not folder:
        pytest.skip("HOOKE_TEST_DATA does not name the folder of real micrographs")
    return Path(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server; tests that ask for it are skipped where none is installed."""
    bin_dir = binaries()
    if bin_dir is None:
        pytest.skip("neither Debian's package postgresql nor the wheel pgserver is installed")
    with serving(bin_dir) as server:
        yield server
