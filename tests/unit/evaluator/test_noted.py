from __future__ import annotations

import hashlib
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from evaluator.noted import NotedSamples
from evaluator.runs import KnownSample


def sample(position: int, image: int, truth: int = 0) -> KnownSample:
    digests = (
        hashlib.sha256(f"{name} {value}".encode()).hexdigest() for name, value in (("i", image), ("t", truth))
    )
    return KnownSample(position, *digests)


# What is noted is what a dictionary would have: the first of equal images stands for all.
@given(st.lists(st.integers(0, 30), min_size=1, max_size=60))
def test_first_of_equals(images: list[int]) -> None:
    noted = NotedSamples(len(images))
    seen: set[int] = set()
    for position, image in enumerate(images):
        assert position not in noted
        assert noted.note(sample(position, image)) == (image not in seen)
        known = None if image in seen else sample(position, image).sample_id
        assert noted.sample_id(position) == known
        assert noted.agrees(sample(position, image)) == (image not in seen)
        assert position in noted
        seen.add(image)
    assert noted.duplicate_count == len(images) - len(seen)


# Another image and another truth are both a change.
def test_changes() -> None:
    noted = NotedSamples(3, [sample(0, 1), sample(2, 2)])
    assert 1 not in noted
    assert noted.agrees(sample(2, 2))
    assert not noted.agrees(sample(2, 3))
    assert not noted.agrees(sample(2, 2, truth=1))


# Ids that begin alike are told apart.
def test_equal_beginnings() -> None:
    noted = NotedSamples(40)
    ids = [f"{'ab' * 8}{position:048x}" for position in range(40)]
    assert all(noted.note(KnownSample(position, text, "00" * 32)) for position, text in enumerate(ids))
    assert [noted.sample_id(position) for position in range(40)] == ids
    assert not noted.note(KnownSample(39, ids[0], "00" * 32))


# A sample takes less memory than its id would as a text.
def test_memory() -> None:
    count = 20_000
    tracemalloc.start()
    noted = NotedSamples(count)
    for position in range(count):
        noted.note(sample(position, position))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak / count < 80
