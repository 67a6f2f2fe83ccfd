from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runtime.tasks import SegmentTask
from services.classical.model import ClassicalModel

from .drawing import micrograph


def _accuracy(truth: np.ndarray, found: np.ndarray) -> float:
    both = np.bincount((truth.astype(np.int64) * (int(found.max()) + 1) + found).ravel())
    table = np.zeros((int(truth.max()) + 1, int(found.max()) + 1))
    table.ravel()[: len(both)] = both
    union = table.sum(axis=1)[1:, None] + table.sum(axis=0)[None, 1:] - table[1:, 1:]
    matched = int((table[1:, 1:] > 0.5 * np.maximum(union, 1)).sum())
    return matched / (len(np.unique(truth[truth > 0])) + int(found.max()) - matched)


# On all 76 images of the sample, with defaults: accuracy at IoU 0.5 at least 0.72, counting R2 at least 0.90.
@pytest.mark.data
@pytest.mark.slow
def test_floors_on_dsb2018(real_data: Path) -> None:
    model = ClassicalModel()
    model.load()
    accuracies, counts = [], []
    for folder in sorted((real_data / "dsb2018_stage1" / "stage1_train").iterdir()):
        pixels = np.array(Image.open(next((folder / "images").iterdir())).convert("RGB"))
        truth = np.zeros(pixels.shape[:2], np.int32)
        masks = sorted((folder / "masks").iterdir())
        for label, path in enumerate(masks, start=1):
            truth[np.array(Image.open(path)) > 0] = label
        found = model.segment([SegmentTask(micrograph(pixels))])[0].labels
        accuracies.append(_accuracy(truth, found))
        counts.append((len(masks), int(found.max())))
    true, predicted = np.array(counts, float).T
    r_squared = 1 - ((true - predicted) ** 2).sum() / ((true - true.mean()) ** 2).sum()
    assert len(accuracies) == 76
    assert np.mean(accuracies) >= 0.72
    assert r_squared >= 0.90
