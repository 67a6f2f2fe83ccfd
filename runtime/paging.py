"""Pages of a list, with opaque tokens."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from hooke import errors

T = TypeVar("T")

DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page; `next_token` is empty on the last."""

    items: Sequence[T]
    next_token: str


def offset_of(page_token: str) -> int:
    """Where a page begins.

    Raises:
        InvalidRequestError: the token was not made by `token_for`.
    """
    if not page_token:
        return 0
    try:
        offset = int(base64.urlsafe_b64decode(page_token.encode()).removeprefix(b"o"))
    except (ValueError, binascii.Error):
        offset = -1
    if offset < 0:
        raise errors.InvalidRequestError.of_field(
            "page_token", "use the next_page_token of an earlier answer, unchanged, or nothing"
        )
    return offset


def token_for(offset: int) -> str:
    """The token of the page that begins at `offset`."""
    return base64.urlsafe_b64encode(b"o%d" % offset).decode()


def page_size_of(page_size: int | None) -> int:
    """The size to use; None is the default.

    Raises:
        InvalidRequestError: it is not between 1 and 1000.
    """
    if page_size is None:
        return DEFAULT_PAGE_SIZE
    if not 1 <= page_size <= MAX_PAGE_SIZE:
        raise errors.InvalidRequestError.of_field("page_size", f"must lie between 1 and {MAX_PAGE_SIZE}")
    return page_size


def page_of(items: Sequence[T], page_size: int | None, page_token: str) -> Page[T]:
    """Cut one page out of a list that is all in memory."""
    offset, size = offset_of(page_token), page_size_of(page_size)
    end = offset + size
    return Page(items[offset:end], token_for(end) if end < len(items) else "")
