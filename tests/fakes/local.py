"""`python -m tests.fakes.local`: a model that is computed here, writes words, and knows every image."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from hooke.types import Licences
from runtime.fakes import FakeAnswerer
from runtime.service import serve_model
from runtime.settings import ModelServerSettings
from runtime.tasks import ModelCard, Segmentation, Segmenter, SegmentTask


class LocalModel(FakeAnswerer, Segmenter):
    """In the place of LLaVA, and with the memory of SAM."""

    name: ClassVar[str] = "llava"

    def load(self) -> ModelCard:
        """Nothing to load."""
        return ModelCard(
            version="1",
            description="A fake for tests.",
            licences=Licences(code="Apache-2.0"),
            max_image_pixels=1024**2,
            max_channel_count=3,
            score_meaning="Always 1.",
        )

    def segment(self, tasks: Sequence[SegmentTask]) -> Sequence[Segmentation]:
        """Nothing is there, which was known."""
        return [
            Segmentation(np.zeros(task.image.pixels.shape[:2], np.uint16), np.ones(0), reused=True)
            for task in tasks
        ]


if __name__ == "__main__":
    serve_model(LocalModel, ModelServerSettings)
