"""The classical model: image analysis without weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from hooke.types import Licences
from runtime.tasks import (
    Classification,
    Classifier,
    ClassifyTask,
    ModelCard,
    Parameters,
    Segmentation,
    Segmenter,
    SegmentTask,
)
from services.classical.parameters import ClassicalParameters

if TYPE_CHECKING:
    from services.classical.prototypes import PrototypeClassifier


class ClassicalModel(Segmenter, Classifier):
    """Segments by thresholds and watershed, counts what it segments, classifies by examples."""

    name: ClassVar[str] = "classical"
    parameters_type: ClassVar[type[Parameters] | None] = ClassicalParameters

    def __init__(self) -> None:
        self._segment_image: Callable[[SegmentTask], Segmentation] | None = None
        self._classifier: PrototypeClassifier | None = None

    def load(self) -> ModelCard:
        """Import the algorithms; there is nothing else to load."""
        # SciPy and scikit-image take a second to import, so a process that only names the model is spared.
        from services.classical.prototypes import PrototypeClassifier  # noqa: PLC0415
        from services.classical.segmentation import segment_image  # noqa: PLC0415

        self._segment_image = segment_image
        self._classifier = PrototypeClassifier()
        return ModelCard(
            version="1",
            description=(
                "Classical image analysis without weights: threshold, distance transform and watershed; "
                "classification by the examples of the request."
            ),
            licences=Licences(code="Apache-2.0"),
            max_image_pixels=64 * 1024**2,
            max_channel_count=8,
            score_meaning=(
                "Probability that a random pixel of the object is brighter (darker, for dark objects) than "
                "a random pixel of the background around it, both taken as normally distributed: 0.5 is no "
                "contrast, 1 full contrast. It is not the probability that the object is real."
            ),
            examples_required=True,
        )

    def segment(self, tasks: Sequence[SegmentTask]) -> Sequence[Segmentation]:
        """Find the objects of each image."""
        assert self._segment_image is not None, "load() comes first"
        return [self._segment_image(task) for task in tasks]

    def classify(self, tasks: Sequence[ClassifyTask]) -> Sequence[Classification]:
        """Choose a label for each image by the examples of its task."""
        assert self._classifier is not None, "load() comes first"
        return self._classifier.classify(tasks)
