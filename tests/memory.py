"""How much memory a process holds."""

from __future__ import annotations

import gc
import os
from pathlib import Path


def resident_bytes(pid: int | None = None) -> int:
    """Bytes of main memory of a process; of this one, without what waits to be collected, by default."""
    if pid is None:
        gc.collect()
    pages = int(
        Path("/proc", "self" if pid is None else str(pid), "statm").read_text(encoding="ascii").split()[1]
    )
    return pages * os.sysconf("SC_PAGE_SIZE")
