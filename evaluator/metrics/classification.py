"""How well classes agree. Everything but calibration is read off the confusion matrix.

The matrix has the true classes in rows and the answers in columns, "no answer" being the last column:
such an answer is wrong whatever the truth. The numbers are those of scikit-learn's functions of the same
names with "no answer" as one more label that is never true.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from evaluator.metrics.intervals import Derived, Floats, Statistic
from evaluator.metrics.statistics import divide, mean, proportion
from evaluator.records import TaskKind

CLASSIFICATION = TaskKind.CLASSIFICATION
CALIBRATION_BINS = 15


def confusion_matrix(true: ArrayLike, predicted: ArrayLike, classes: int) -> list[list[int]]:
    """Counts: `classes` rows of true classes, `classes` + 1 columns of answers, the last "no answer"."""
    sums = np.asarray(_cells(true, predicted, classes).sum(axis=0), np.int64)
    return [[int(count) for count in row] for row in sums.reshape(classes, classes + 1)]


def statistics(true: ArrayLike, predicted: ArrayLike, classes: int, note: str = "") -> list[Statistic]:
    """The metrics that need no probabilities, in the order of the catalogue.

    Args:
        true: index of the true class of each sample.
        predicted: index of the answered class; NaN or None: no answer.
        classes: length of the label schema.
        note: passed on to the reader.
    """
    cells = _cells(true, predicted, classes)

    def of_matrix(name: str, function: Callable[[Floats], Floats], undefined: str = "") -> Statistic:
        return Statistic(
            name, cells, partial(_of_cells, function, classes), right.size, undefined=undefined, note=note
        )

    right = np.asarray(true, np.float64) == np.asarray(predicted, np.float64)
    one_class = "truth or answers are all of one class"
    return [
        proportion(CLASSIFICATION, "accuracy", right, note),
        of_matrix("balanced_accuracy", _balanced_accuracy),
        of_matrix("macro_f1", _macro_f1),
        of_matrix("mcc", _mcc, one_class),
        of_matrix("kappa", _kappa, one_class),
    ]


def calibration(brier: ArrayLike, confidence: ArrayLike, right: ArrayLike) -> list[Statistic]:
    """Brier score and expected calibration error (Guo et al., ICML 2017) of answers with probabilities.

    Args:
        brier: squared distance of each answer's probabilities from the truth, summed over the classes.
        confidence: probability of each answer's first choice.
        right: whether that choice is right.
    """
    sure, hit = np.asarray(confidence, np.float64), np.asarray(right, np.float64)
    excess = Derived((sure, hit), CALIBRATION_BINS + 1, _excess)
    return [
        mean(CLASSIFICATION, "brier", brier),
        Statistic("ece", excess, _calibration_error, sure.size, higher_is_better=False),
    ]


def _excess(sure: Floats, hit: Floats) -> Floats:
    """By how much each answer is too sure, in the column of its bin; the last column counts the answers."""
    place = np.minimum((sure * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    excess = np.zeros((sure.size, CALIBRATION_BINS + 1))
    excess[np.arange(sure.size), place] = sure - hit
    excess[:, -1] = 1
    return excess


def _calibration_error(sums: Floats) -> Floats:
    return divide(np.abs(sums[:, :-1]).sum(axis=1), sums[:, -1])


def _cells(
    true: ArrayLike, predicted: ArrayLike, classes: int
) -> sparse.csr_array[np.float64, tuple[int, int]]:
    """One row for each sample with a 1 in its cell of the flattened confusion matrix."""
    given = np.nan_to_num(np.asarray(predicted, np.float64), nan=classes)
    columns = (np.asarray(true, np.float64) * (classes + 1) + given).astype(np.int32)
    starts = np.arange(columns.size + 1, dtype=np.int32)
    shape = (columns.size, classes * (classes + 1))
    return sparse.csr_array((np.ones(columns.size), columns, starts), shape=shape)


def _of_cells(function: Callable[[Floats], Floats], classes: int, sums: Floats) -> Floats:
    return function(sums.reshape(-1, classes, classes + 1))


def _margins(matrices: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """True totals, answered totals (without "no answer"), right answers by class, and all samples."""
    right = np.diagonal(matrices, axis1=1, axis2=2)
    return matrices.sum(axis=2), matrices[:, :, :-1].sum(axis=1), right, matrices.sum(axis=(1, 2))


def _balanced_accuracy(matrices: Floats) -> Floats:
    true, _, right, _ = _margins(matrices)
    recall = divide(right, true)
    occurs = true > 0
    return divide(np.where(occurs, recall, 0).sum(axis=1), occurs.sum(axis=1))


def _macro_f1(matrices: Floats) -> Floats:
    true, answered, right, samples = _margins(matrices)
    f1 = np.nan_to_num(divide(2 * right, true + answered))
    return np.where(samples > 0, f1.mean(axis=1), np.nan)


def _mcc(matrices: Floats) -> Floats:
    true, answered, right, samples = _margins(matrices)
    no_answer = matrices[:, :, -1].sum(axis=1)
    covariance = right.sum(axis=1) * samples - (true * answered).sum(axis=1)
    true_spread = samples**2 - (true**2).sum(axis=1)
    answered_spread = samples**2 - (answered**2).sum(axis=1) - no_answer**2
    return divide(covariance, np.sqrt(true_spread * answered_spread))


def _kappa(matrices: Floats) -> Floats:
    true, answered, right, samples = _margins(matrices)
    chance = (true * answered).sum(axis=1)
    return divide(right.sum(axis=1) * samples - chance, samples**2 - chance)
