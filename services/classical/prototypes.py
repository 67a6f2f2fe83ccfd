"""Classification by the examples of the request: the nearest prototype in the feature space.

A prototype is the mean of a class's examples. Distances are Mahalanobis distances under the covariance
within the classes, shrunk half way to a multiple of the identity (regularised discriminant analysis,
Friedman 1989), since there are more features than examples. Probabilities are a softmax of the negative
halved squared distances over a temperature, which is the one that makes the examples themselves most
probable when each is held out of its own prototype.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from hooke.errors import ExamplesRequiredError, FieldViolation, InvalidRequestError
from hooke.images import Micrograph
from hooke.types import UsedParameter
from runtime.tasks import Classification, ClassifyTask
from services.classical.features import describe

SHRINKAGE = 0.5
"""Weight of the identity in the covariance."""
TEMPERATURES = np.geomspace(1, 256, 17)
"""Temperatures to choose from."""
REMEMBERED_IMAGES = 4096
"""Feature vectors kept: requests repeat their examples, and a vector is below one kilobyte."""

Matrix = NDArray[np.float64]


class PrototypeClassifier:
    """Answers classification tasks; remembers the features of images that it has seen."""

    def __init__(self) -> None:
        self._features: OrderedDict[tuple[object, ...], Matrix] = OrderedDict()

    def classify(self, tasks: Sequence[ClassifyTask]) -> list[Classification]:
        """Answer every task; whatever tasks share is computed once.

        Raises:
            ExamplesRequiredError: a task has no examples.
            InvalidRequestError: a label without an example, or an example of no label.
        """
        for task in tasks:
            _check(task)
        fitted: dict[tuple[object, ...], Prototypes] = {}
        answers = []
        for task in tasks:
            key = (task.labels, *((_identity(image), label) for image, label in task.examples))
            if key not in fitted:
                examples = np.stack([self._describe(image) for image, _ in task.examples])
                owners = np.array([task.labels.index(label) for _, label in task.examples])
                fitted[key] = Prototypes.fit(examples, owners, len(task.labels))
            probabilities = fitted[key].probabilities(self._describe(task.image))
            used = (
                UsedParameter("temperature", fitted[key].temperature, chosen_by_server=True),
                UsedParameter("shrinkage", SHRINKAGE, chosen_by_server=True),
            )
            answers.append(Classification(tuple(float(p) for p in probabilities), used))
        return answers

    def _describe(self, image: Micrograph) -> Matrix:
        key = _identity(image)
        if key in self._features:
            self._features.move_to_end(key)
        else:
            self._features[key] = describe(image)
            if len(self._features) > REMEMBERED_IMAGES:
                self._features.popitem(last=False)
        return self._features[key]


@dataclass(frozen=True, slots=True, eq=False)
class Prototypes:
    """What is learnt from examples.

    Attributes:
        scale: deviation of each feature over the examples.
        precision: inverse covariance of scaled features within the classes.
        means: a row for each class, scaled.
        temperature: divides the squared distances.
    """

    scale: Matrix
    precision: Matrix
    means: Matrix
    temperature: float

    @classmethod
    def fit(cls, examples: Matrix, owners: NDArray[np.int_], class_count: int) -> Prototypes:
        """Learn from N x D examples, of which `owners` says the class."""
        deviation = examples.std(axis=0)
        # A feature that hardly varies among the examples says nothing, and must not say it loudly.
        scale = np.maximum(deviation, 1e-3 + 0.01 * np.abs(examples.mean(axis=0)))
        scaled = examples / scale
        means = np.stack([scaled[owners == k].mean(axis=0) for k in range(class_count)])
        residuals = scaled - means[owners]
        covariance = residuals.T @ residuals / max(len(examples) - class_count, 1)
        size = max(float(np.trace(covariance)) / len(covariance), 0.05)
        identity = np.eye(len(covariance))
        precision = np.linalg.inv((1 - SHRINKAGE) * covariance + SHRINKAGE * size * identity)
        temperature = _temperature(scaled, owners, means, precision)
        return cls(scale, precision, means, temperature)

    def probabilities(self, features: Matrix) -> Matrix:
        """Give a probability for each class."""
        distances = _squared_distances(self.means, features / self.scale, self.precision)
        return np.asarray(softmax(-distances / (2 * self.temperature)))


def _squared_distances(means: Matrix, point: Matrix, precision: Matrix) -> Matrix:
    """Squared Mahalanobis distances from a point to every mean."""
    away = means - point
    return np.asarray(np.einsum("ij,jk,ik->i", away, precision, away, optimize=True))


def _temperature(scaled: Matrix, owners: NDArray[np.int_], means: Matrix, precision: Matrix) -> float:
    """Choose the temperature by examples held out of their own prototype; without any, stay modest."""
    counts = np.bincount(owners, minlength=len(means))
    likelihood = np.zeros(len(TEMPERATURES))
    held_out = np.flatnonzero(counts[owners] > 1)
    if not held_out.size:
        return float(scaled.shape[1])
    for i in held_out:
        own, count = owners[i], counts[owners[i]]
        others = means.copy()
        others[own] = (count * means[own] - scaled[i]) / (count - 1)
        distances = _squared_distances(others, scaled[i], precision)
        likelihood += log_softmax(-distances / (2 * TEMPERATURES[:, np.newaxis]), axis=1)[:, own]
    return float(TEMPERATURES[np.argmax(likelihood)])


def _identity(image: Micrograph) -> tuple[object, ...]:
    """What tells images apart: the hash of raw samples does not know their shape."""
    return (image.sha256, image.pixels.shape, image.axes, image.pixels.dtype.str, image.bit_depth)


def _check(task: ClassifyTask) -> None:
    """Raise unless every label has an example and every example one of the labels."""
    if not task.examples:
        raise ExamplesRequiredError(
            "classical learns classes from examples: send at least one example image for each label"
        )
    shown = {label for _, label in task.examples}
    violations = [
        FieldViolation("labels", f"{label!r} has no example: send one or leave the label out")
        for label in task.labels
        if label not in shown
    ]
    violations += [
        FieldViolation("examples", f"{label!r} is not among the labels: add it or leave the example out")
        for label in sorted(shown.difference(task.labels))
    ]
    if violations:
        raise InvalidRequestError(
            "every label needs an example, and every example one of the labels: "
            + "; ".join(violation.description for violation in violations),
            violations=violations,
        )
