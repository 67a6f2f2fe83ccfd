"""What an address of the routes stands for: one replica, or every replica that a name in the DNS has."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import structlog

from gateway.routes import DNS
from gateway.upstream import Upstream

log = structlog.get_logger("hooke.gateway")

_LOOK_S = 5.0
"""Seconds between two lookups of a name: about what a cluster's DNS keeps an answer for."""
_NO_ADDRESS = (socket.EAI_NONAME, socket.EAI_NODATA)
"""What a resolver says of a name that has no address. Everything else means that it could not say."""


class Connect(Protocol):
    """Makes an upstream."""

    def __call__(self, address: str, *, name: str | None = None) -> Upstream:
        """Make one: host:port, and the name in its certificate where that is another than the host."""


class Place:
    """One address of the routes, with the upstreams that are there. Belongs to the running event loop.

    A name is looked up again and again, and each of its addresses is an upstream of its own: calls take turns
    over them, the health of each is known, and an image is put where the call that needs it goes. gRPC's own
    balancing would hide which replica a call reaches.

    Args:
        target: host:port, or dns:///host:port.
        connect: makes an upstream.
        changed: called after every change of an upstream's health, and when one has been retired.
    """

    def __init__(self, target: str, connect: Connect, changed: Callable[[Upstream], None]) -> None:
        self.target = target
        self._connect = connect
        self._changed = changed
        self._tasks: set[asyncio.Task[None]] = set()
        self.upstreams: dict[str, Upstream] = {}
        """By host:port; calls may go to any of them."""
        if not target.startswith(DNS):
            self.upstreams[target] = connect(target)

    def start(self) -> None:
        """Begin to follow the name, and the health of every upstream."""
        for upstream in self.upstreams.values():
            self._spawn(self._look_after(upstream))
        if self.target.startswith(DNS):
            self._spawn(self._follow_name(*self.target.removeprefix(DNS).rsplit(":", 1)))

    async def close(self) -> None:
        """Stop following and close every connection; calls in flight are cancelled."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for upstream in self.upstreams.values():
            await upstream.close()

    async def _follow_name(self, host: str, port: str) -> None:
        """Keep the upstreams those that the name has, until cancelled."""
        while True:
            try:
                found = await _addresses(host, port)
            except (OSError, UnicodeError) as error:
                # Nothing is known of the replicas, so they stay; their own health says whether they serve.
                log.warning("name cannot be looked up", name=host, text=str(error))
            else:
                for address in found - self.upstreams.keys():
                    upstream = self.upstreams[address] = self._connect(address, name=host)
                    self._spawn(self._look_after(upstream))
                for address in self.upstreams.keys() - found:
                    self._retire(self.upstreams.pop(address))
            await asyncio.sleep(_LOOK_S)

    def _retire(self, upstream: Upstream) -> None:
        """Send no further call there. Its connection stays for the calls in flight until its service ends."""
        log.info("upstream is named no longer", upstream=upstream.address, name=self.target)
        upstream.retired = True
        self._changed(upstream)

    async def _look_after(self, upstream: Upstream) -> None:
        await upstream.watch(self._changed)
        await upstream.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _addresses(host: str, port: str) -> set[str]:
    """Every address of a name, as host:port; none where it does not exist.

    Of one family: a replica with an IPv4 and an IPv6 address is one replica.

    Raises:
        OSError: the resolver cannot say.
        UnicodeError: it is no name.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno in _NO_ADDRESS:
            return set()
        raise
    v4 = {f"{address[0]}:{port}" for family, *_, address in found if family == socket.AF_INET}
    return v4 or {f"[{address[0]}]:{port}" for *_, address in found}
