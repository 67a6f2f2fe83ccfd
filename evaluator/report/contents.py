"""What a report is made of beside the summary: samples, one at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.records import Prediction, SampleRow, SampleScore, Truth

LabelImage = NDArray[np.integer]
"""H x W integers, 0 background; gaps between labels are fine."""


@dataclass(frozen=True, slots=True, eq=False)
class SampleResultView:
    """What one model answered to a sample, and how good that was.

    Attributes:
        labels: H x W integers, 0 background: `prediction.mask_file` as read; None where the answer has no
            masks or there is no answer.
    """

    score: SampleScore
    prediction: Prediction
    labels: LabelImage | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ReportSample:
    """One sample of one task with every model's result.

    Attributes:
        task: name of one of the summary's tasks.
        image: the encoded file as it was sent to the models; None: the sample gets no page, see `selection`.
        results: model -> its results, one for each repeat in order; models without one (a run that was
            stopped) are left out. The masks of the first one are shown.
        asked: the question as it was put to the models, where that is one in words.
        further_images: more images that the question is about, as `image`.
    """

    task: str
    row: SampleRow
    image: bytes | None
    truth: Truth
    results: Mapping[str, Sequence[SampleResultView]]
    asked: str = ""
    further_images: tuple[bytes, ...] = ()
