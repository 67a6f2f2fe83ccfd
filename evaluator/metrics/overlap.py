"""The overlap matrix of two label images: everything that instance metrics need, computed once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csgraph

from hooke.errors import InvalidRequestError

LabelImage = NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Overlap:
    """How many pixels each true object shares with each predicted one.

    Objects are numbered from 0 in the order of their labels; pairs that share nothing are left out.

    Attributes:
        truth_labels, predicted_labels: label of each object.
        truth_areas, predicted_areas: pixels of each object.
        truth, predicted: the objects of each pair.
        common: pixels that each pair shares, at least 1.
    """

    truth_labels: NDArray[np.int64]
    predicted_labels: NDArray[np.int64]
    truth_areas: NDArray[np.int64]
    predicted_areas: NDArray[np.int64]
    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    common: NDArray[np.int64]

    @classmethod
    def of(cls, truth: LabelImage, predicted: LabelImage) -> Overlap:
        """Compare two label images.

        Args:
            truth: H x W integers of any type, 0 background; gaps between labels are fine.
            predicted: the same.

        Raises:
            InvalidRequestError: not two label images of one shape.
        """
        if truth.ndim != 2 or truth.shape != predicted.shape:
            raise InvalidRequestError(f"label images of the shapes {truth.shape} and {predicted.shape}")
        truth_labels, truth_index = _number(truth)
        predicted_labels, predicted_index = _number(predicted)
        both = (truth_index > 0) & (predicted_index > 0)
        pairs = (truth_index[both] - 1, predicted_index[both] - 1)
        shape = (truth_labels.size, predicted_labels.size)
        counts = sparse.coo_array((np.ones(pairs[0].size, np.int64), pairs), shape=shape).tocsr().tocoo()
        rows, columns = counts.coords
        return cls(
            truth_labels=truth_labels,
            predicted_labels=predicted_labels,
            truth_areas=np.bincount(truth_index, minlength=truth_labels.size + 1)[1:],
            predicted_areas=np.bincount(predicted_index, minlength=predicted_labels.size + 1)[1:],
            truth=rows.astype(np.int64),
            predicted=columns.astype(np.int64),
            common=counts.data,
        )

    @cached_property
    def iou(self) -> NDArray[np.float64]:
        """Intersection over union of each pair."""
        union = self.truth_areas[self.truth] + self.predicted_areas[self.predicted] - self.common
        return self.common / union

    def match(self, threshold: float) -> NDArray[np.int64]:
        """Match objects one to one at IoU >= `threshold`.

        Above 0.5 an object has at most one such partner. At exactly 0.5 it can have two (a true object
        whose halves are two answers): as many pairs as possible are formed then, among these the ones of
        the largest total IoU.

        Args:
            threshold: 0.5 or more.

        Returns:
            Indices of the matched pairs.
        """
        if threshold < 0.5:
            raise ValueError(f"threshold {threshold}: matching is defined from 0.5 on")
        good = np.flatnonzero(self.iou >= threshold)
        # One pair more always outweighs the IoU of all pairs.
        return good[self._one_to_one(good, self.iou[good] + good.size)]

    def pair_up(self) -> NDArray[np.int64]:
        """Match objects one to one so that the sum of IoU is largest; returns indices of the pairs."""
        every = np.arange(self.common.size)
        return every[self._one_to_one(every, self.iou)]

    def _one_to_one(
        self, pairs: NDArray[np.int64], weights: NDArray[np.float64]
    ) -> NDArray[np.intp] | NDArray[np.int64]:
        """Choose among `pairs` so that no object comes twice and the sum of weights is largest.

        Objects that touch no common partner do not influence each other, so each connected group is
        solved by itself; nearly all groups are single pairs.
        """
        truth, predicted = self.truth[pairs], self.predicted[pairs]
        size = self.truth_labels.size + self.predicted_labels.size
        links = (np.ones(pairs.size, np.int8), (truth, predicted + self.truth_labels.size))
        _, groups = csgraph.connected_components(sparse.coo_array(links, shape=(size, size)), directed=False)
        group = groups[truth]
        single = np.bincount(group, minlength=1)[group] == 1
        chosen = [np.flatnonzero(single)]
        contested = np.flatnonzero(~single)
        contested = contested[np.argsort(group[contested], kind="stable")]
        for members in np.split(contested, np.flatnonzero(np.diff(group[contested])) + 1):
            rows, row = np.unique(truth[members], return_inverse=True)
            columns, column = np.unique(predicted[members], return_inverse=True)
            table = np.zeros((rows.size, columns.size))
            table[row, column] = weights[members]
            best = linear_sum_assignment(table, maximize=True)
            place = np.full(table.shape, -1)
            place[row, column] = members
            taken = place[best]
            chosen.append(taken[taken >= 0])
        return np.sort(np.concatenate(chosen))


def _number(labels: LabelImage) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The labels that occur, sorted, and for each pixel 0 or one plus the index of its label."""
    flat = labels.ravel()
    largest = int(flat.max(initial=0))
    if flat.size and flat.min() < 0:
        raise InvalidRequestError("a label is negative")
    if largest > 2 * flat.size + 1000:  # few labels far apart, for example 32-bit hashes
        present, index = np.unique(flat, return_inverse=True)
        if present[0] != 0:
            present, index = np.concatenate([[0], present]), index + 1
        return present[1:].astype(np.int64), index.astype(np.int64)
    occurs = np.bincount(flat, minlength=1) > 0
    occurs[0] = True
    numbers = np.cumsum(occurs) - 1
    return np.flatnonzero(occurs)[1:], numbers[flat]
