"""The cache of embeddings: bounded, and never one image for another."""

from __future__ import annotations

import numpy as np
import pytest

from services.sam.embeddings import EmbeddingCache, embedding_key

KIB = np.zeros(1024, np.uint8)


class Clock:
    """Time that tests move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def cache_of(clock: Clock, count: int = 3, sessions: int = 2) -> EmbeddingCache[np.ndarray]:
    """A cache for so many embeddings of 1 KiB."""
    return EmbeddingCache(count * KIB.nbytes, sessions, idle_s=60, clock=clock)


def keys(cache: EmbeddingCache[np.ndarray]) -> set[bytes]:
    return {key for key in (bytes([number]) for number in range(256)) if cache.get(key) is not None}


# The key tells apart every pixel, shape and model, and nothing else: not where the pixels lie in memory.
def test_keys() -> None:
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    other = pixels.copy()
    other[3, 4, 2] += 1
    different = [
        embedding_key(pixels, "a"),
        embedding_key(other, "a"),
        embedding_key(pixels.reshape(5, 4, 3), "a"),
        embedding_key(pixels, "b"),
    ]
    assert len(set(different)) == 4
    flipped = np.ascontiguousarray(pixels[:, ::-1])[:, ::-1]
    assert embedding_key(flipped, "a") == different[0]


# The least recently used goes first; looking one up is using it.
def test_the_least_recently_used_goes_first(clock: Clock) -> None:
    cache = cache_of(clock)
    for key in (b"\1", b"\2", b"\3"):
        cache.put(key, KIB)
    cache.get(b"\1")
    cache.put(b"\4", KIB)
    assert keys(cache) == {b"\1", b"\3", b"\4"}
    assert cache.nbytes == 3 * 1024


# However much is put in, the bound holds; what is larger than the bound is not kept and drives nothing out.
def test_the_bound_holds(clock: Clock) -> None:
    cache = cache_of(clock)
    rng = np.random.default_rng(0)
    for number in range(500):
        cache.put(bytes([number % 256]), KIB[: rng.integers(1, 1024)])
        cache.pin(f"session {number % 7}", bytes([number % 256]))
        assert cache.nbytes <= 3 * 1024
    assert len(cache) >= 3
    cache.put(b"large", np.zeros(4096, np.uint8))
    assert cache.get(b"large") is None
    assert len(cache) >= 3


# A cache of no bytes keeps nothing.
def test_no_cache(clock: Clock) -> None:
    cache = cache_of(clock, count=0)
    cache.put(b"\1", KIB)
    assert cache.get(b"\1") is None


# What a session works on outlives what was used later; another image of the session takes its place.
def test_sessions_pin(clock: Clock) -> None:
    cache = cache_of(clock)
    cache.pin("a", b"\1")
    for key in (b"\1", b"\2", b"\3", b"\4", b"\5"):
        cache.put(key, KIB)
    assert keys(cache) == {b"\1", b"\4", b"\5"}
    cache.pin("a", b"\5")
    assert cache.pinned() == {b"\5"}
    cache.put(b"\6", KIB)
    assert b"\1" not in keys(cache)


# A session that is idle for too long pins no more; each prompt begins its time anew.
def test_idle_sessions_end(clock: Clock) -> None:
    cache = cache_of(clock)
    cache.pin("a", b"\1")
    clock.now = 50
    cache.pin("b", b"\2")
    clock.now = 70
    assert cache.pinned() == {b"\2"}
    cache.pin("b", b"\2")
    clock.now = 120
    assert cache.pinned() == {b"\2"}
    clock.now = 131
    assert cache.pinned() == frozenset()


# More sessions than allowed: the one idle for longest ends.
def test_sessions_are_bounded(clock: Clock) -> None:
    cache = cache_of(clock)
    for number, session in enumerate("abac", 1):
        cache.pin(session, bytes([number]))
    assert cache.pinned() == {b"\3", b"\4"}


# Where everything is pinned the bound on bytes holds all the same.
def test_pins_do_not_break_the_bound(clock: Clock) -> None:
    cache = cache_of(clock, count=2, sessions=9)
    for number in range(5):
        cache.pin(f"session {number}", bytes([number]))
        cache.put(bytes([number]), KIB)
    assert keys(cache) == {b"\3", b"\4"}
