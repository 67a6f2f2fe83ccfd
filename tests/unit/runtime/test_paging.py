"""Pages of a list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooke import errors
from runtime.paging import page_of


@given(st.lists(st.integers(), max_size=50), st.integers(1, 20))
def test_pages_together_are_the_list(items: list[int], size: int) -> None:
    """Following the tokens gives every item once, in order, and ends."""
    seen: list[int] = []
    token = ""
    for _ in range(len(items) + 1):
        page = page_of(items, size, token)
        assert len(page.items) <= size
        seen += page.items
        token = page.next_token
        if not token:
            break
    assert not token
    assert seen == items


@pytest.mark.parametrize("token", ["x", "bzE", "b-1=", "b3g=", "é", "A" * 100])
def test_a_token_of_somebody_else_is_refused(token: str) -> None:
    """Tokens are opaque; a made-up one names the field."""
    with pytest.raises(errors.InvalidRequestError) as refused:
        page_of([1, 2, 3], None, token)
    assert [found.field for found in refused.value.violations] == ["page_token"]


@pytest.mark.parametrize("size", [0, -1, 1001])
def test_a_page_size_out_of_bounds_is_refused(size: int) -> None:
    """1 to 1000 are allowed."""
    with pytest.raises(errors.InvalidRequestError, match="page_size"):
        page_of([1], size, "")
