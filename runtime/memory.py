"""How the process holds on to memory."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping

from runtime.settings import MIB

# Numbers of mallopt(3) in the GNU C library.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_M_ARENA_MAX = -8
_KEPT_BYTES = 256 * MIB
_STEP_BYTES = 16 * MIB
_LARGEST_POOLED_BYTES = 32 * MIB  # the most that the library allows
_LARGE_BYTES = 4 * MIB


def keep_freed_memory() -> bool:
    """Tell the C library to keep up to 256 MiB of freed memory instead of giving it back at once.

    Messages of megabytes come and go with every call; taken from the kernel each time, page by page, they
    cost more than all else that happens to them (a call with 1 MiB takes about 1.5 times as long).

    Returns:
        True if the C library is one that can be told.
    """
    return _tell(
        {
            _M_TRIM_THRESHOLD: _KEPT_BYTES,
            _M_TOP_PAD: _STEP_BYTES,
            _M_MMAP_THRESHOLD: _LARGEST_POOLED_BYTES,
        }
    )


def return_large_memory() -> bool:
    """Tell the C library to give back blocks of 4 MiB and more as soon as they are freed.

    Without being told it learns from the first that are freed to keep them, up to 32 MiB each, and arrays of
    many sizes leave holes that nothing fits: numbers of a million samples took 1.5 times the memory.

    Returns:
        True if the C library is one that can be told.
    """
    return _tell({_M_MMAP_THRESHOLD: _LARGE_BYTES, _M_ARENA_MAX: 2})


def _tell(options: Mapping[int, int]) -> bool:
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return False
    return all(mallopt(option, value) == 1 for option, value in options.items())
