"""What concerns one task of several."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from hooke import codecs, errors
from runtime.batches import Abandonment, attempt
from runtime.tasks import SegmentTask


# Whoever computes stops once nobody waits any more, and not before.
def test_abandonment() -> None:
    abandoned = Abandonment()
    abandoned.check()
    assert not abandoned.is_set()
    abandoned.set()
    assert abandoned.is_set()
    with pytest.raises(errors.DeadlineExceededError):
        abandoned.check()


# A task goes to a worker process as a task that somebody waits for: there is no way to tell it otherwise.
def test_tasks_cross_into_processes() -> None:
    task = SegmentTask(codecs.from_array(np.zeros((4, 5), np.uint8)))
    task.abandoned.set()
    crossed: SegmentTask = pickle.loads(pickle.dumps(task))
    assert crossed.image.sha256 == task.image.sha256
    assert not crossed.abandoned.is_set()


# The HookeError of one task is its answer; what is nobody's fault goes on.
def test_attempt() -> None:
    def work(number: int) -> float:
        if number < 0:
            raise errors.InvalidRequestError("below zero")
        return 1 / number

    found = [attempt(work, number) for number in (4, -1)]
    assert found[0] == 0.25
    assert isinstance(found[1], errors.InvalidRequestError)
    with pytest.raises(ZeroDivisionError):
        attempt(work, 0)
