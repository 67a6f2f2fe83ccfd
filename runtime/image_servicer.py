"""ImageService over an image store; the gateway and every model service serve it."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from typing import Any

import grpc

from hooke import errors
from hooke.v1 import image_service_pb2 as pb
from hooke.v1 import image_service_pb2_grpc as pb_grpc
from runtime.image_store import ImageStore

NAME = pb.DESCRIPTOR.services_by_name["ImageService"].full_name
_SHA256 = re.compile(r"[0-9a-f]{64}")

invalid = errors.InvalidRequestError.of_field

Context = grpc.aio.ServicerContext[Any, Any]


class ImageServicer(pb_grpc.ImageServiceServicer):
    """Takes uploads into a store.

    Args:
        store: where they go. Uploads under way together declare at most as many bytes as it holds.
        max_image_bytes: largest file taken.
    """

    def __init__(self, store: ImageStore, max_image_bytes: int) -> None:
        self._store = store
        self._max_image_bytes = min(max_image_bytes, store.max_bytes)
        self._arriving_bytes = 0

    async def PutImage(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.PutImageRequest], context: Context
    ) -> pb.PutImageResponse:
        """Check size and hash while the chunks arrive, then keep the file."""
        del context
        header: pb.ImageHeader | None = None
        try:
            chunks: list[bytes] = []
            received = 0
            digest = hashlib.sha256()
            async for message in request_iterator:
                part = message.WhichOneof("part")
                if header is None:
                    if part != "header":
                        raise invalid("header", "the first message of an upload carries the header")
                    self._check(message.header)
                    header = message.header
                    self._arriving_bytes += header.size_bytes
                    continue
                if part != "chunk":
                    raise invalid("part", "every message after the first carries a chunk")
                if not message.chunk:
                    raise invalid("chunk", "is empty")
                received += len(message.chunk)
                if received > header.size_bytes:
                    raise invalid("chunk", f"more bytes than the {header.size_bytes} announced")
                digest.update(message.chunk)
                chunks.append(message.chunk)
            if header is None:
                raise invalid("header", "the upload is empty")
            if received != header.size_bytes:
                raise invalid("chunk", f"{received} bytes came, {header.size_bytes} were announced")
            if digest.hexdigest() != header.sha256:
                raise invalid("header.sha256", f"the bytes hash to {digest.hexdigest()}")
            # Half a second for the largest file, too long for the event loop.
            data = await asyncio.to_thread(b"".join, chunks)
            self._store.put(header.sha256, data)
            return pb.PutImageResponse(sha256=header.sha256, size_bytes=received)
        finally:
            if header is not None:
                self._arriving_bytes -= header.size_bytes

    async def HasImage(self, request: pb.HasImageRequest, context: Context) -> pb.HasImageResponse:  # noqa: N802
        """Look into the store."""
        del context
        if not _SHA256.fullmatch(request.sha256):
            raise invalid("sha256", "64 lower-case hexadecimal digits are expected")
        return pb.HasImageResponse(held=request.sha256 in self._store)

    def _check(self, header: pb.ImageHeader) -> None:
        if not _SHA256.fullmatch(header.sha256):
            raise invalid("header.sha256", "64 lower-case hexadecimal digits are expected")
        if header.size_bytes < 1:
            raise invalid("header.size_bytes", "must be greater than 0")
        if header.size_bytes > self._max_image_bytes:
            raise errors.ImageTooLargeError(
                f"the image has {header.size_bytes} bytes; the server takes {self._max_image_bytes}"
            )
        if self._arriving_bytes and self._arriving_bytes + header.size_bytes > self._store.max_bytes:
            raise errors.QueueFullError("too many uploads at once", retry_after_s=1.0)
