"""What the process gives back of the memory that it was given."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Blocks of 8 MiB are freed below a small one, after a large one was freed, which the library learns from.
_PROGRAM = """
import resource
import sys
from pathlib import Path
import numpy as np
from runtime import memory

getattr(memory, sys.argv[1])()
np.ones(30 << 20, np.uint8)
blocks, small = [], []
for _ in range(20):
    blocks.append(np.ones(8 << 20, np.uint8))
    small.append(np.ones(64 << 10, np.uint8))

def resident_bytes():
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()

before = resident_bytes()
blocks.clear()
print(before - resident_bytes())
"""


def given_back(way: str) -> int:
    """Bytes that the kernel has back of 160 MiB."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, way], capture_output=True, text=True, timeout=60, check=True
    )
    return int(done.stdout)


# A server keeps what messages of megabytes need again and again; the evaluator gives arrays back.
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the GNU C library can be told")
def test_who_keeps_memory() -> None:
    assert given_back("return_large_memory") > 150 << 20
    assert given_back("keep_freed_memory") < 10 << 20
