"""Classification metrics."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from evaluator.metrics.catalogue import METRICS
from evaluator.metrics.classification import calibration, confusion_matrix, statistics
from evaluator.metrics.intervals import estimate
from evaluator.records import TaskKind

CLASSES = 4
answers = st.lists(
    st.tuples(st.integers(0, CLASSES - 1), st.one_of(st.none(), st.integers(0, CLASSES - 1))),
    min_size=5,
    max_size=40,
)


def values(true, predicted, classes=CLASSES):
    found = estimate(statistics(true, predicted, classes), [None] * len(true))
    return {result.name: result.value for result in found}


# The confusion matrix has a column for what got no answer.
def test_confusion_by_hand():
    matrix = confusion_matrix([0, 0, 1, 1, 2], [0, 1, 1, None, None], 3)
    assert matrix == [[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 1]]


# Five samples by hand: an answer that is missing is wrong.
def test_by_hand():
    result = values([0, 0, 1, 1, 2], [0, 1, 1, None, None], 3)
    assert result["accuracy"] == 2 / 5
    assert result["balanced_accuracy"] == pytest.approx((1 / 2 + 1 / 2 + 0) / 3)
    assert result["macro_f1"] == pytest.approx((2 / 3 + 2 / 4 + 0) / 3)


# Every metric is that of scikit-learn, with "no answer" as a label that is never true.
@settings(deadline=None, max_examples=60)
@given(answers)
def test_is_scikit_learns(pairs):
    true = [t for t, _ in pairs]
    raw = [p for _, p in pairs]
    predicted = [CLASSES if p is None else p for p in raw]
    labels = list(range(CLASSES + 1))
    result = values(true, raw)
    assert result["accuracy"] == pytest.approx(sk.accuracy_score(true, predicted))
    recall = sk.recall_score(true, predicted, labels=sorted(set(true)), average="macro", zero_division=0)
    assert result["balanced_accuracy"] == pytest.approx(recall)
    f1 = sk.f1_score(true, predicted, labels=labels[:-1], average="macro", zero_division=0)
    assert result["macro_f1"] == pytest.approx(f1)
    if len(set(true)) > 1 and len(set(predicted)) > 1:
        assert result["mcc"] == pytest.approx(sk.matthews_corrcoef(true, predicted))
        assert result["kappa"] == pytest.approx(sk.cohen_kappa_score(true, predicted, labels=labels))
    else:
        assert result["mcc"] is None


# A perfect answer has 1 everywhere, provided that every class occurs.
def test_perfect_is_one():
    true = [0, 1, 2, 3] * 3
    assert set(values(true, true).values()) == {1.0}


# A class of the label schema that never occurs counts in macro-F1, and not in balanced accuracy.
def test_macro_f1_is_over_the_whole_label_schema():
    result = values([0, 1, 0, 1, 0], [0, 1, 0, 1, 0], classes=4)
    assert result["macro_f1"] == 0.5
    assert result["balanced_accuracy"] == 1.0


# One class only leaves agreement beyond chance undefined, with a note.
def test_one_class_is_undefined():
    found = {e.name: e for e in estimate(statistics([1] * 6, [1] * 6, 3), [None] * 6)}
    assert found["mcc"].value is found["kappa"].value is None
    assert "one class" in found["mcc"].note


# Brier and calibration error by hand: two answers at 0.8, of which one is right.
def test_calibration_by_hand():
    brier = [2 * 0.2**2, 2 * 0.8**2]
    found = {e.name: e.value for e in estimate(calibration(brier, [0.8, 0.8], [True, False]), [None] * 2)}
    assert found["brier"] == pytest.approx((0.08 + 1.28) / 2)
    assert found["ece"] == pytest.approx(abs(0.8 - 0.5))


# A model whose confidence is its hit rate has no calibration error; one that is always sure has all of it.
@settings(deadline=None, max_examples=50)
@given(st.lists(st.booleans(), min_size=5, max_size=50))
def test_calibration_error_is_excess_confidence(right):
    sure = [1.0] * len(right)
    found = {e.name: e.value for e in estimate(calibration(sure, sure, right), [None] * len(right))}
    assert found["ece"] == pytest.approx(1 - np.mean(right))
    assume(any(right))
    level = [float(np.mean(right))] * len(right)
    honest = {e.name: e.value for e in estimate(calibration(sure, level, right), [None] * len(right))}
    assert math.isclose(honest["ece"], 0, abs_tol=1e-9)


# The names are those of the catalogue, in its order.
def test_names_are_those_of_the_catalogue():
    found = [*statistics([0, 1], [0, 1], 2), *calibration([0.0], [1.0], [True])]
    assert [(s.name, s.higher_is_better) for s in found] == [
        (m.name, m.higher_is_better) for m in METRICS[TaskKind.CLASSIFICATION]
    ]
