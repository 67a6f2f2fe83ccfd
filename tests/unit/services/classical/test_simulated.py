from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile

from evaluator.datasets.opening import open_dataset
from evaluator.suites import builtin_suite
from runtime.tasks import SegmentTask
from services.classical.model import ClassicalModel

from .drawing import accuracy, micrograph


# On simulated nuclei in focus, drawn from a seed that no constant was chosen on, accuracy is at least 0.85.
@pytest.mark.slow
def test_floor_on_simulated_nuclei() -> None:
    model = ClassicalModel()
    model.load()
    demo = builtin_suite("demo").tasks[0]
    series = demo.dataset.model_copy(update={"seed": 2002, "images": 64, "blurs_px": (0.0,)})
    accuracies = []
    for sample in open_dataset(series, None, demo.kind, None):
        pixels = tifffile.imread(io.BytesIO(sample.image))
        found = model.segment([SegmentTask(micrograph(pixels))])[0].labels
        accuracies.append(accuracy(sample.truth.labels, found))
    assert len(accuracies) == 64
    assert np.mean(accuracies) >= 0.85
