"""Embeddings of images that are kept, so that the next prompt on an image skips the encoder."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray


class Sized(Protocol):
    """What knows how much memory it takes; tensors and arrays do."""

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""


T = TypeVar("T", bound=Sized)


def embedding_key(pixels: NDArray[np.uint8], model: str) -> bytes:
    """What an embedding is kept under: it depends on nothing else.

    The pixels are those that the model sees, so that the file, its view, the channels and the stretch of the
    intensities are all in the key, and one image can never be answered for another.

    Args:
        pixels: H x W x 3.
        model: says which weights and which precision encode.
    """
    digest = hashlib.blake2b(f"{model} {pixels.shape}".encode(), digest_size=32)
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.digest()


@dataclass(slots=True)
class _Pin:
    key: bytes
    last_used: float


class EmbeddingCache(Generic[T]):
    """Embeddings by key, bounded in bytes; what sessions work on is dropped last.

    A session pins the image of its last prompt, until it prompts on another one, was idle for long, or more
    sessions than allowed came after it. The bound on bytes holds all the same: where pinned embeddings alone
    exceed it, the least recently used of them goes.

    Args:
        max_bytes: most bytes kept; larger embeddings are not kept at all.
        max_sessions: most sessions that pin.
        idle_s: seconds after its last prompt for which a session pins.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        max_bytes: int,
        max_sessions: int,
        idle_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_bytes = max_bytes
        self._max_sessions = max_sessions
        self._idle_s = idle_s
        self._clock = clock
        self._kept: OrderedDict[bytes, T] = OrderedDict()
        self._pins: OrderedDict[str, _Pin] = OrderedDict()
        self.nbytes = 0
        """Bytes kept now."""

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, key: bytes) -> bool:
        return key in self._kept

    def get(self, key: bytes) -> T | None:
        """The embedding kept under a key, which is then the most recently used; None if there is none."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key]

    def put(self, key: bytes, embedding: T) -> None:
        """Keep an embedding, and drop what no longer fits; one that is kept already stays as it is."""
        if key in self._kept or embedding.nbytes > self._max_bytes:
            return
        self._kept[key] = embedding
        self.nbytes += embedding.nbytes
        while self.nbytes > self._max_bytes:
            self.nbytes -= self._kept.pop(self._least_needed()).nbytes

    def pin(self, session: str, key: bytes) -> None:
        """Let a session work on the image of this key, and no longer on another one."""
        self._pins.pop(session, None)
        self._pins[session] = _Pin(key, self._clock())
        while len(self._pins) > self._max_sessions:
            self._pins.popitem(last=False)

    def pinned(self) -> frozenset[bytes]:
        """The keys that sessions work on now; sessions that were idle for too long are ended."""
        oldest = self._clock() - self._idle_s
        while self._pins and next(iter(self._pins.values())).last_used < oldest:
            self._pins.popitem(last=False)
        return frozenset(pin.key for pin in self._pins.values())

    def _least_needed(self) -> bytes:
        pinned = self.pinned()
        return next((key for key in self._kept if key not in pinned), next(iter(self._kept)))
