"""Where memory runs out, fewer tasks are computed at a time, and the answers stay what they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from hooke import errors
from runtime.tasks import Emitter
from tests.integration.services.llava.conftest import Stage
from tests.integration.services.llava.lab import VARIED, ask, micrograph, score, turn

pytestmark = pytest.mark.torch


@contextmanager
def memory_for(rows: int, stage: Stage, from_step: int = 0) -> Iterator[list[int]]:
    """Let the network run out of memory with more rows than that, from a step on; gives the rows of each."""
    seen: list[int] = []

    def check(_: object, __: object, inputs: dict[str, Any]) -> None:
        seen.append(len(inputs["input_ids"]))
        if len(seen) > from_step and seen[-1] > rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    engine = stage.model._engine
    assert engine is not None
    hook = engine.checkpoint.network.register_forward_pre_hook(check, with_kwargs=True)
    try:
        yield seen
    finally:
        hook.remove()


# Batches are halved until they fit; nobody notices.
def test_a_batch_that_does_not_fit_is_halved(llava: Stage) -> None:
    tasks = [score("?", micrograph(seed), labels=("cell", "nucleus"), rule="prior") for seed in range(4)]
    scored = llava.model.score(tasks)
    with memory_for(4, llava) as rows:
        answers = llava.model.answer(VARIED)
        assert rows[:2] == [5, 2]
        again = llava.model.score(tasks)
    assert [answer.text for answer in answers] == [llava.library.answer(task) for task in VARIED]
    for before, after in zip(scored, again, strict=True):
        assert after.probabilities == pytest.approx(before.probabilities, abs=1e-5)


# Many labels of one image are scored fewer at a time.
def test_labels_that_do_not_fit_together(llava: Stage) -> None:
    task = score("?", micrograph(1), labels=[f"{number} cells" for number in range(21)])
    (before,) = llava.model.score([task])
    with memory_for(3, llava) as rows:
        (after,) = llava.model.score([task])
    assert after.probabilities == pytest.approx(before.probabilities, abs=1e-6)
    assert sum(count for count in rows if count <= 3) == 1 + 21


# Memory that runs out in the middle of writing: what was passed on is not passed on again, nor drawn again.
def test_an_answer_goes_on_where_it_was(llava: Stage) -> None:
    decoding = {"temperature": 1.5, "seed": 7}
    expected = llava.model.answer([*VARIED, ask(turn("?", micrograph(9)), decoding=decoding)])
    pieces: list[list[str]] = [[] for _ in expected]
    tasks = [
        ask(*task.turns, instructions=task.instructions, emit=Emitter(pieces[index].append))
        for index, task in enumerate(VARIED)
    ]
    tasks.append(ask(turn("?", micrograph(9)), decoding=decoding, emit=Emitter(pieces[-1].append)))
    with memory_for(2, llava, from_step=5):
        answers = llava.model.answer(tasks)
    assert [answer.text for answer in answers] == [answer.text for answer in expected]
    assert ["".join(emitted) for emitted in pieces] == [answer.text for answer in expected]


# A lone task that does not fit is told so.
def test_a_lone_task_that_does_not_fit(llava: Stage) -> None:
    with memory_for(0, llava):
        (unanswered,) = llava.model.answer([VARIED[0]])
        (unscored,) = llava.model.score([score("?", micrograph(1), labels=("a", "b"))])
    for error in (unanswered, unscored):
        assert isinstance(error, errors.OutOfMemoryError)
        assert "fewer images" in error.message
    assert llava.model.answer([VARIED[0]])[0].text == llava.library.answer(VARIED[0])
