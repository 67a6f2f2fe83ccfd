"""Listings that keep a few bytes of each sample, and make the rest when it is asked for."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar, overload

from evaluator.datasets.dataset import Item, Items

RowT = TypeVar("RowT")
Row_co = TypeVar("Row_co", covariant=True)


class Rows(Protocol[Row_co]):
    """What items are made of, in a fixed order."""

    def __len__(self) -> int:
        """Number of rows."""

    def __getitem__(self, index: int, /) -> Row_co:
        """One row, 0 <= index < len."""


class Chosen(Sequence[Item]):
    """Some of the items of a listing.

    Args:
        items: the listing.
        places: which of them, in the order in which they come.
    """

    def __init__(self, items: Items, places: Iterable[int]) -> None:
        self._items = items
        self._places = array("Q", places)

    def __len__(self) -> int:
        """Number of the chosen."""
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Chosen: ...
    def __getitem__(self, index: int | slice) -> Item | Chosen:
        """One of them, or a part of them."""
        if isinstance(index, slice):
            return Chosen(self._items, self._places[index])
        return self._items[self._places[index]]


class Made(Generic[RowT]):
    """Items that are made of rows.

    Args:
        rows: files, lines of a table, numbers: whatever there is one of for each item.
        make: makes an item of a row; the same one each time.
    """

    def __init__(self, rows: Rows[RowT], make: Callable[[RowT], Item]) -> None:
        self._rows = rows
        self._make = make

    def __len__(self) -> int:
        """Number of items."""
        return len(self._rows)

    def __getitem__(self, index: int) -> Item:
        """Make one item."""
        return self._make(self._rows[index])


def listed(rows: Rows[RowT], places: Iterable[int], make: Callable[[RowT], Item]) -> Chosen:
    """The items of some rows."""
    return Chosen(Made(rows, make), places)
