"""The bounded store of images."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooke import errors
from runtime.image_store import ImageStore


def put(store: ImageStore, data: bytes) -> str:
    sha256 = hashlib.sha256(data).hexdigest()
    store.put(sha256, data)
    return sha256


def test_what_was_used_last_stays() -> None:
    """Getting an image counts as using it; the least recently used one goes first."""
    store = ImageStore(max_bytes=10)
    first, second = put(store, b"1111"), put(store, b"2222")
    assert store.get(first) == b"1111"
    third = put(store, b"3333")
    assert (first in store, second in store, third in store) == (True, False, True)


def test_an_image_that_is_gone_is_named() -> None:
    """The caller learns which image to put again."""
    with pytest.raises(errors.ImageNotFoundError) as missing:
        ImageStore(max_bytes=10).get("abc")
    assert missing.value.metadata == {"sha256": "abc"}


def test_an_image_larger_than_the_store_is_refused_and_drops_nothing() -> None:
    """What is held stays held."""
    store = ImageStore(max_bytes=10)
    kept = put(store, b"1111")
    with pytest.raises(errors.ImageTooLargeError):
        put(store, b"x" * 11)
    assert kept in store


@given(st.lists(st.binary(min_size=1, max_size=8), max_size=40))
def test_the_bound_holds_whatever_is_put(files: list[bytes]) -> None:
    """Held bytes never exceed the bound, equal what is held, and the last file is always there."""
    store = ImageStore(max_bytes=20)
    for data in files:
        last = put(store, data)
        assert last in store
        assert store.held_bytes <= 20
        held = {data for data in files if hashlib.sha256(data).hexdigest() in store}
        assert store.held_bytes == sum(len(data) for data in held)
        assert len(store) == len(held)
