"""A real HTTP server of one file, which does to the connection what a test says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """What the server sends, and what it was asked.

    Attributes:
        content: the file.
        etag: what it calls this version of the file; empty: it does not say.
        ranges: whether it can send the rest of the file.
        cuts: after how many bytes it cuts each of the next answers; None: never.
        hang: whether it keeps the connection open where it cuts.
        status: 200, or the error that it answers.
        asked: header `Range` of every request so far.
    """

    content: bytes
    etag: str = '"v1"'
    ranges: bool = True
    cuts: list[int | None] = field(default_factory=list)
    hang: bool = False
    status: int = 200
    asked: list[str | None] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving_file(content: bytes) -> Iterator[FileServer]:
    """Serve a file on a free port of loopback."""
    file = FileServer(content)
    ending = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            file.asked.append(asked)
            if file.status != 200:
                self.send_error(file.status)
                return
            same = self.headers.get("If-Range", file.etag) == file.etag
            start = int(asked[6:-1]) if asked and file.ranges and same else None
            if start is not None and start >= len(file.content):
                self.send_error(416)
                return
            body = file.content[start or 0 :]
            self.send_response(200 if start is None else 206)
            if file.etag:
                self.send_header("ETag", file.etag)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            cut = file.cuts.pop(0) if file.cuts else None
            self.wfile.write(body[:cut])
            if cut is not None and file.hang:
                ending.wait()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    file.url = f"http://127.0.0.1:{server.server_port}/weights.pth"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield file
    finally:
        ending.set()
        server.shutdown()
        thread.join()
        server.server_close()
