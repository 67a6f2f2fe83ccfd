"""Which labelled images models may look at, and which are left to be tested."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from evaluator.datasets.dataset import Item, Items
from evaluator.datasets.listing import Chosen
from hooke.errors import FieldViolation, InvalidRequestError


@dataclass(frozen=True, slots=True)
class Split:
    """Examples and test items that share neither an item nor a cluster."""

    examples: tuple[Item, ...]
    tests: Items


def split(items: Items, per_class: int) -> Split:
    """Set examples apart.

    The choice depends on names only, so it is the same every time. Clusters are taken in one order for
    all classes: a patient with images of several classes serves them all, and few patients are lost to
    the test. Within a class as many clusters as possible are shown.

    Raises:
        InvalidRequestError: a class has too few images, or nothing is left to test.
    """
    places: dict[str, array[int]] = {}
    for place in range(len(items)):
        places.setdefault(items[place].label or "", array("Q")).append(place)
    examples: list[Item] = []
    for label in sorted(places):
        members = sorted((items[place] for place in places[label]), key=_order)
        if len(members) <= per_class:
            raise _too_few(f"class {label!r} has {len(members)} images, {per_class} of them for examples")
        examples.extend(_spread(members)[:per_class])
    shown = {_cluster(item) for item in examples}
    tests = Chosen(items, (place for place in range(len(items)) if _cluster(items[place]) not in shown))
    if not tests:
        raise _too_few("no image is left that shares no cluster with an example")
    return Split(tuple(examples), tests)


def _spread(members: Sequence[Item]) -> list[Item]:
    """The first item of each cluster, then the second of each, and so on."""
    turns: list[int] = []
    taken: Counter[str] = Counter()
    for item in members:
        turns.append(taken[_cluster(item)])
        taken[_cluster(item)] += 1
    return [members[place] for place in sorted(range(len(members)), key=turns.__getitem__)]


def _cluster(item: Item) -> str:
    return f"cluster {item.cluster}" if item.cluster is not None else f"item {item.source}"


def _order(item: Item) -> tuple[bytes, bytes]:
    return _hash(_cluster(item)), _hash(item.source)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _too_few(problem: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"the data are too few for examples: {problem}", violations=[FieldViolation("data_dir", problem)]
    )
