"""Work that would hold up the event loop."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar

T = TypeVar("T")


async def on(threads: Executor, function: Callable[..., T], *arguments: Any) -> T:
    """Run a function on one of some threads and wait for what it returns or raises."""
    call = functools.partial(function, *arguments)
    return await asyncio.get_running_loop().run_in_executor(threads, call)
