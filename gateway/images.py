"""One upload serves many models: the gateway puts images to the services that lack them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import grpc
import structlog

from gateway.forwarding import explanation_of
from gateway.metrics import GatewayMetrics
from gateway.policy import Exchange, Forward
from gateway.upstream import Upstream
from hooke import errors, status
from hooke.v1 import image_service_pb2 as pb
from runtime.image_store import ImageStore

log = structlog.get_logger("hooke.gateway")

_CHUNK_BYTES = 1024**2


class PushMissingImages:
    """Answers IMAGE_NOT_FOUND of an upstream by putting the image there and sending the call once more.

    Calls that wait for the same image at the same upstream wait for one upload.

    Args:
        store: the images that were put to the gateway.
        max_pushes: most images for one call.
        timeout_s: deadline of one upload, in seconds.
        metrics: of the gateway.
    """

    def __init__(self, store: ImageStore, max_pushes: int, timeout_s: float, metrics: GatewayMetrics) -> None:
        self._store = store
        self._max_pushes = max_pushes
        self._timeout_s = timeout_s
        self._metrics = metrics
        self._under_way: dict[tuple[Upstream, str], asyncio.Task[None]] = {}

    async def handle(self, call: Exchange, forward: Forward) -> None:
        """Hand the call on, again after each image that was missing; the same image is put only once.

        Raises:
            ImageNotFoundError: the gateway does not hold the image either, as grpc.aio.AioRpcError.
            UpstreamFailedError, DeadlineExceededError: the upload failed.
        """
        pushed: set[str] = set()
        while True:
            try:
                await forward(call)
            except grpc.aio.AioRpcError as error:
                sha256 = _missing_image(error)
                repeatable = isinstance(call.request, bytes) and not call.answered
                if not repeatable or sha256 in pushed or sha256 not in self._store:
                    raise
                if len(pushed) >= self._max_pushes:
                    raise
                pushed.add(sha256)
            else:
                return
            await self._push(call.chosen, sha256, call.label)

    async def close(self) -> None:
        """Give up the uploads under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _push(self, upstream: Upstream, sha256: str, label: str) -> None:
        key = (upstream, sha256)
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._put(upstream, sha256, label))
            self._under_way[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        # Whoever waits may go away; the upload is for the others too.
        await asyncio.shield(task)

    def _forget(self, key: tuple[Upstream, str], task: asyncio.Task[None]) -> None:
        del self._under_way[key]
        if not task.cancelled():
            task.exception()  # told to whoever waited; that nobody did is no fault

    async def _put(self, upstream: Upstream, sha256: str, label: str) -> None:
        data = self._store.get(sha256)
        code = grpc.StatusCode.OK
        try:
            await upstream.images.PutImage(_upload(sha256, data), timeout=self._timeout_s)
        except grpc.aio.AioRpcError as error:
            code = error.code()
            explanation = explanation_of(label, error)
            if explanation is None:
                raise
            raise explanation from error
        finally:
            self._metrics.image_pushes.labels(upstream.address, code.name).inc()
        log.debug("image put", upstream=upstream.address, sha256=sha256, size_bytes=len(data))


def _missing_image(error: grpc.aio.AioRpcError) -> str:
    """Hash of the image that an upstream says it lacks; empty for every other error."""
    if error.code() is not grpc.StatusCode.NOT_FOUND:
        return ""
    reason = status.error_from(error)
    return reason.metadata.get("sha256", "") if isinstance(reason, errors.ImageNotFoundError) else ""


def _upload(sha256: str, data: bytes) -> Iterator[pb.PutImageRequest]:
    yield pb.PutImageRequest(header=pb.ImageHeader(sha256=sha256, size_bytes=len(data)))
    for start in range(0, len(data), _CHUNK_BYTES):
        yield pb.PutImageRequest(chunk=data[start : start + _CHUNK_BYTES])
