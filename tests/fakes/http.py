"""A web server on loopback that says what a test tells it to, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered to one request.

    Attributes:
        body: sent whole; anything but bytes and text is sent as JSON.
        chunks: sent one by one instead, as a server that streams does.
        wait_s: seconds before the first byte, and between chunks.
        cut: whether the connection is dropped after what is to be sent: without a byte where that is nothing,
            else in the middle of the answer.
    """

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: Sequence[str] | None = None
    wait_s: float = 0.0
    cut: bool = False


class FakeServer:
    """The server; a context manager that runs it on a thread and an event loop of its own.

    Replies in `script` are given in order of arrival, whatever is asked; after the last one, and without any,
    `reply` decides.
    """

    def __init__(self) -> None:
        self.script: deque[Reply] = deque()
        self.asked: list[Asked] = []
        self.arrived = threading.Semaphore(0)
        """Released once for each request."""
        self.left = threading.Semaphore(0)
        """Released once for each caller who left before the answer was there."""
        self.most_at_once = 0
        """Most requests that were being answered at the same time."""
        self._at_once = 0
        self._port = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def reply(self, asked: Asked) -> Reply:
        """The answer to a request that the script says nothing about."""
        return Reply(404, {"error": {"message": f"nothing is at {asked.path}"}})

    @property
    def address(self) -> str:
        """Where the server listens, without a path."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=2**20, backlog=512)
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopping.wait()
        server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (asked := await _read(reader)) is not None:
                self.asked.append(asked)
                self.arrived.release()
                self._at_once += 1
                self.most_at_once = max(self.most_at_once, self._at_once)
                try:
                    if not await self._answer(asked, reader, writer):
                        return
                finally:
                    self._at_once -= 1
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left.release()
        finally:
            writer.close()

    async def _answer(self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; false if the connection is over."""
        reply = self.script.popleft() if self.script else self.reply(asked)
        if not await self._wait(reply.wait_s, reader):
            return False
        if reply.chunks is None:
            body = _bytes(reply.body)
            if body or not reply.cut:
                writer.write(_head(reply, {"content-length": str(len(body) + reply.cut)}) + body)
        else:
            writer.write(_head(reply, {"transfer-encoding": "chunked", "content-type": "text/event-stream"}))
            for number, chunk in enumerate(reply.chunks):
                if number and not await self._wait(reply.wait_s, reader):
                    return False
                data = chunk.encode()
                writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                await writer.drain()
            if not reply.cut:
                writer.write(b"0\r\n\r\n")
        await writer.drain()
        return not reply.cut

    async def _wait(self, seconds: float, reader: asyncio.StreamReader) -> bool:
        """Wait; false if the caller leaves meanwhile."""
        if not seconds:
            return True
        gone = asyncio.ensure_future(reader.read(1))  # a caller that waits sends nothing more
        try:
            await asyncio.wait_for(asyncio.shield(gone), seconds)
        except TimeoutError:
            gone.cancel()
            await asyncio.wait([gone])  # nobody else may read before it has let go
            return True
        self.left.release()
        return False


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    """The next request of a connection; None if it ends."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, path, headers, body)


def _head(reply: Reply, headers: Mapping[str, str]) -> bytes:
    kind = "text/html" if isinstance(reply.body, str) else "application/json"
    lines = [
        f"{name}: {value}" for name, value in ({"content-type": kind} | {**headers, **reply.headers}).items()
    ]
    return "\r\n".join([f"HTTP/1.1 {reply.status} Fake", *lines, "", ""]).encode("latin-1")


def _bytes(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()
