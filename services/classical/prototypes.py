"""Classification by the examples of the request: the nearest prototype in the feature space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hooke.errors import ExamplesRequiredError, FieldViolation, InvalidRequestError
from hooke.images import Micrograph
from runtime.tasks import Classification, ClassifyTask
from services.classical.features import describe


def classify_images(tasks: Sequence[ClassifyTask]) -> list[Classification]:
    """Answer every task; the features of an image that several tasks share are computed once."""
    known: dict[str, NDArray[np.float64]] = {}

    def features(image: Micrograph) -> NDArray[np.float64]:
        if image.sha256 not in known:
            known[image.sha256] = describe(image)
        return known[image.sha256]

    for task in tasks:
        _check(task)
    answers = []
    for task in tasks:
        examples = np.stack([features(image) for image, _ in task.examples])
        names = [label for _, label in task.examples]
        spread = examples.std(axis=0) + 1e-6
        prototypes = np.stack([examples[[n == label for n in names]].mean(axis=0) for label in task.labels])
        distance = np.square((prototypes - features(task.image)) / spread).mean(axis=1)
        weights = np.exp(-(distance - distance.min()) / 2)
        answers.append(Classification(tuple(float(w) for w in weights / weights.sum())))
    return answers


def _check(task: ClassifyTask) -> None:
    """Raise unless every label has an example and every example a label of the task."""
    if not task.examples:
        raise ExamplesRequiredError(
            "classical learns classes from examples: send at least one example image for each label"
        )
    shown = {label for _, label in task.examples}
    missing = [label for label in task.labels if label not in shown]
    unknown = sorted(shown.difference(task.labels))
    if not missing and not unknown:
        return
    violations = [FieldViolation("labels", f"no example has the label {label!r}") for label in missing]
    violations += [FieldViolation("examples", f"{label!r} is not among the labels") for label in unknown]
    raise InvalidRequestError(
        "every label needs an example and every example one of the labels", violations=violations
    )
