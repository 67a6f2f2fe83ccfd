"""How the process holds on to memory."""

from __future__ import annotations

import ctypes
import sys

from runtime.settings import MIB

# Numbers of mallopt(3) in the GNU C library.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_KEPT_BYTES = 256 * MIB
_STEP_BYTES = 16 * MIB
_LARGEST_POOLED_BYTES = 32 * MIB  # the most that the library allows


def keep_freed_memory() -> bool:
    """Tell the C library to keep up to 256 MiB of freed memory instead of giving it back at once.

    Messages of megabytes come and go with every call; taken from the kernel each time, page by page, they
    cost more than all else that happens to them (a call with 1 MiB takes about 1.5 times as long).

    Returns:
        True if the C library is one that can be told.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return False
    options = {
        _M_TRIM_THRESHOLD: _KEPT_BYTES,
        _M_TOP_PAD: _STEP_BYTES,
        _M_MMAP_THRESHOLD: _LARGEST_POOLED_BYTES,
    }
    return all(mallopt(option, value) == 1 for option, value in options.items())
