"""What ends a computation before its end: nobody waits any more, or it cannot be done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from segment_anything.modeling import Sam

from hooke.errors import DeadlineExceededError, HookeError, InvalidRequestError
from runtime.tasks import Segmentation, SegmentTask
from services.sam.model import SamModel
from services.sam.parameters import SamBox, SamParameters, SamPoint, SamPrompts
from services.sam.settings import SamSettings
from tests.integration.services.sam.references import micrograph, picture, prompted

pytestmark = pytest.mark.torch

BOXES = SamPrompts(boxes=tuple(SamBox(x_px=i, y_px=i, width_px=20, height_px=20) for i in range(6)))
CLICK = SamPrompts(points=(SamPoint(x_px=3, y_px=3),))
GRID = SamParameters(points_per_side=4, points_per_batch=4, crop_layer_count=1)


@pytest.fixture
def model(settings: SamSettings) -> SamModel:
    """Ours, which decodes one box at a time."""
    model = SamModel(settings.model_copy(update={"sam_decoder_bytes": 1}))
    model.load()
    return model


def a_task(seed: int, prompts: SamPrompts = CLICK) -> SegmentTask:
    return SegmentTask(micrograph(seed), parameters=SamParameters(prompts=prompts))


@contextmanager
def leaving_after(model: SamModel, part: str, passes: int, *left: SegmentTask) -> Iterator[list[int]]:
    """Their callers leave when a part of the model has computed so often; gives its passes."""
    assert model._pipeline is not None
    seen: list[int] = []

    def count(*_: object) -> None:
        seen.append(1)
        if len(seen) == passes:
            for task in left:
                task.abandoned.set()

    module: torch.nn.Module = getattr(model._pipeline._sam, part)
    hook = module.register_forward_hook(count)
    try:
        yield seen
    finally:
        hook.remove()


def rles(answer: Segmentation | HookeError) -> tuple[bytes, ...]:
    assert isinstance(answer, Segmentation)
    assert answer.rles is not None
    return answer.rles


# Where nobody waits any more, no further points and no further boxes are decoded.
@pytest.mark.parametrize("task", [SegmentTask(micrograph(2), parameters=GRID), a_task(2, BOXES)])
def test_no_further_pass(model: SamModel, task: SegmentTask) -> None:
    with leaving_after(model, "mask_decoder", 2, task) as passes:
        (answer,) = model.segment([task])
    assert isinstance(answer, DeadlineExceededError)
    assert len(passes) == 2


# An image that nobody waits for is not encoded, be it abandoned before or while others are; one that somebody
# else asks about is.
def test_no_further_image(model: SamModel, library: Sam) -> None:
    first, left, same, last = a_task(0), a_task(1), a_task(3), a_task(3)
    with leaving_after(model, "image_encoder", 1, left, same) as passes:
        answers = model.segment([first, left, same, last])
    assert len(passes) == 2
    assert [isinstance(answer, DeadlineExceededError) for answer in answers] == [False, True, True, False]
    for seed, answer in ((0, answers[0]), (3, answers[3])):
        assert rles(answer) == prompted(library, picture(seed), CLICK).rles
    with leaving_after(model, "image_encoder", 0) as passes:
        (answer,) = model.segment([left])
    assert isinstance(answer, DeadlineExceededError)
    assert passes == []


# A task that cannot be done fails alone, and the others are not computed twice.
def test_one_bad_task_fails_alone(model: SamModel, library: Sam) -> None:
    outside = a_task(2, SamPrompts(points=(SamPoint(x_px=1000, y_px=3),)))
    with leaving_after(model, "mask_decoder", 0) as passes:
        answers = model.segment([a_task(0), outside, a_task(1)])
    assert isinstance(answers[1], InvalidRequestError)
    assert len(passes) == 2
    for seed, answer in ((0, answers[0]), (1, answers[2])):
        assert rles(answer) == prompted(library, picture(seed), CLICK).rles
