"""The chain that every forwarded call passes.

A policy is one link: it looks at the call, may refuse it by raising a `HookeError`, and hands it on by
awaiting `forward`, which returns when the call has ended. What a link holds while the call lasts, it holds in
a `with` around that. A link may hand the call on again as long as nothing was answered. All four call shapes
pass the same links.

Errors of an upstream come back through the chain as `grpc.aio.AioRpcError` and reach the caller unchanged;
cancellation comes as `asyncio.CancelledError`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import grpc

from gateway.fleet import Replicas
from gateway.upstream import Method, Upstream

Context = grpc.aio.ServicerContext[Any, Any]
Metadata = tuple[tuple[str, str | bytes], ...]

NO_MODEL = "unknown"
"""Label of calls in metrics whose model is not known, or not one of the routes."""


@dataclass(slots=True)
class Exchange:
    """One call on its way through the gateway."""

    method: Method
    request: bytes | AsyncIterator[bytes]
    """The message as it came, or the stream of them."""
    metadata: Metadata
    """What goes to the upstream with the call."""
    context: Context
    """For answers that are streams, trailing metadata and the time left."""
    label: str = NO_MODEL
    """Name of the route in metrics."""
    upstream: Upstream | None = None
    """Where the call goes; set by the link that chooses."""
    response: bytes | None = None
    """The answer of a call with a single one."""
    answered: bool = False
    """True once a part of the answer is on its way to the caller."""

    @property
    def size_bytes(self) -> int:
        """Size of the request; 0 for a stream, whose messages pass one by one."""
        return len(self.request) if isinstance(self.request, bytes) else 0

    def metadata_value(self, key: str) -> str:
        """Text under a metadata key; empty where there is none."""
        return next((value for name, value in self.metadata if name == key and isinstance(value, str)), "")

    @property
    def chosen(self) -> Upstream:
        """The upstream, once it was chosen."""
        assert self.upstream is not None, "the link that chooses the upstream stands before this one"
        return self.upstream

    def send_to(self, replicas: Replicas) -> None:
        """Choose one of these replicas."""
        self.label = replicas.name
        self.upstream = replicas.pick()


Forward = Callable[[Exchange], Awaitable[None]]
"""The rest of the chain."""


class Policy(Protocol):
    """One link of the chain."""

    async def handle(self, call: Exchange, forward: Forward) -> None:
        """Let a call pass, refuse it, or change it; see the module."""


def chain(policies: Sequence[Policy], last: Forward) -> Forward:
    """Put policies in front of what ends the chain, the first outermost."""
    for policy in reversed(policies):
        last = partial(policy.handle, forward=last)
    return last
