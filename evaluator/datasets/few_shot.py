"""Which labelled images models may look at, and which are left to be tested."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from evaluator.datasets.dataset import Item
from hooke.errors import FieldViolation, InvalidRequestError


@dataclass(frozen=True, slots=True)
class Split:
    """Examples and test items that share neither an item nor a cluster."""

    examples: tuple[Item, ...]
    tests: tuple[Item, ...]


def split(items: Sequence[Item], per_class: int) -> Split:
    """Set examples apart.

    The choice depends on names only, so it is the same every time. Clusters are taken in one order for
    all classes: a patient with images of several classes serves them all, and few patients are lost to
    the test. Within a class as many clusters as possible are shown.

    Raises:
        InvalidRequestError: a class has too few images, or nothing is left to test.
    """
    examples: list[Item] = []
    for label in sorted({item.label or "" for item in items}):
        members = sorted((item for item in items if item.label == label), key=_order)
        if len(members) <= per_class:
            raise _too_few(f"class {label!r} has {len(members)} images, {per_class} of them for examples")
        examples.extend(_spread(members)[:per_class])
    shown = {_cluster(item) for item in examples}
    tests = tuple(item for item in items if _cluster(item) not in shown)
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
