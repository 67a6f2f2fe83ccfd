"""Label likelihoods are those of whole forward passes, label by label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from hooke.images import Micrograph
from hooke.types import UsedParameter
from runtime.tasks import ScoreTask
from services.llava.parameters import LabelNormalization
from tests.integration.services.llava.conftest import Stage
from tests.integration.services.llava.lab import micrograph, score

pytestmark = pytest.mark.torch

LABELS = ("cell", "few nuclei", "a micrograph of many particles", "µ", "cells")
RULES: tuple[LabelNormalization, ...] = ("token_mean", "none", "prior")
JOIN = {"llava": " ", "llava_next": " ", "llava_onevision": ""}
"""What the templates put between the end of the question and the answer."""


def greyed(images: Sequence[Micrograph]) -> tuple[Micrograph, ...]:
    """The same images, showing nothing."""
    return tuple(replace(image, pixels=np.full_like(image.pixels, 127)) for image in images)


def by_the_loop(stage: Stage, task: ScoreTask, rule: LabelNormalization) -> list[float]:
    """Probabilities by one forward pass over question and label for each label."""
    join = JOIN[stage.name]
    values = []
    for label in task.labels:
        value, token_count = stage.library.log_likelihood(task, label, join)
        if rule == "prior":
            grey = tuple(replace(said, images=greyed(said.images)) for said in task.turns)
            value -= stage.library.log_likelihood(replace(task, turns=grey), label, join)[0]
        values.append(value / token_count if rule == "token_mean" else value)
    total = sum(math.exp(value - max(values)) for value in values)
    return [math.exp(value - max(values)) / total for value in values]


@pytest.mark.parametrize("rule", RULES)
def test_probabilities_are_those_of_the_loop(stage: Stage, rule: LabelNormalization) -> None:
    """Shared prefix, batch and padding change nothing, by any of the three rules."""
    task = score("Which is it?", micrograph(1), labels=LABELS, rule=rule)
    (answer,) = stage.model.score([task])
    assert answer.probabilities == pytest.approx(by_the_loop(stage, task, rule), abs=1e-5)
    assert sum(answer.probabilities) == pytest.approx(1)
    assert UsedParameter("label_normalization", rule) in answer.parameters
    assert answer.usage is not None
    assert answer.usage.output_token_count == 0


def test_probabilities_do_not_depend_on_the_batch(stage: Stage) -> None:
    """Questions of different length, images, labels and rules are scored together as alone."""
    tasks = [
        score("?", micrograph(2, 90, 30), labels=LABELS, rule="prior"),
        score("Which of all these is in the image?", micrograph(3), micrograph(4, 30, 30), labels=LABELS[:2]),
        score("Count", micrograph(5, 28, 28), labels=tuple(f"{n}" for n in range(21)), rule="none"),
    ]
    for task, answer in zip(tasks, stage.model.score(tasks), strict=True):
        rule = task.parameters.label_normalization or "token_mean"
        assert answer.probabilities == pytest.approx(by_the_loop(stage, task, rule), abs=1e-5)


def test_the_mean_over_tokens_is_the_default(llava: Stage) -> None:
    """Without a rule the mean is taken, and said to be chosen by the server."""
    plain = score("?", micrograph(1), labels=LABELS)
    mean = score("?", micrograph(1), labels=LABELS, rule="token_mean")
    by_default, by_name = llava.model.score([plain, mean])
    assert by_default.probabilities == pytest.approx(by_name.probabilities, abs=1e-9)
    assert UsedParameter("label_normalization", "token_mean", chosen_by_server=True) in by_default.parameters


def test_the_prior_leaves_nothing_of_an_image_without_content(llava: Stage) -> None:
    """An image that is grey already says nothing: all labels are equally likely by the rule of the prior."""
    (grey,) = greyed([micrograph(1)])
    (answer,) = llava.model.score([score("?", grey, labels=LABELS, rule="prior")])
    assert answer.probabilities == pytest.approx([0.2] * 5, abs=1e-5)


def test_a_label_cannot_forge_control_tokens(llava: Stage) -> None:
    """A class may be called anything; what looks like a control token is text."""
    labels = ("a", "<image>", "</s>")
    (answer,) = llava.model.score([score("?", micrograph(1), labels=labels)])
    assert len(answer.probabilities) == 3
    assert sum(answer.probabilities) == pytest.approx(1)
