"""SAM as a model of Hooke."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Self

from hooke.errors import HookeError
from hooke.types import Licences
from runtime.accelerators import choose, limit_threads
from runtime.settings import ModelServerSettings
from runtime.tasks import ModelCard, Parameters, Segmentation, Segmenter, SegmentTask
from services.sam.parameters import SamParameters
from services.sam.settings import SamSettings
from services.sam.weights import LICENCE, TRAINING_DATA, locate

if TYPE_CHECKING:
    from services.sam.pipeline import Pipeline


class SamModel(Segmenter):
    """The Segment Anything Model: segments everything, or what points and boxes mark.

    Args:
        settings: which weights, where they compute, and how much may be kept and computed.
    """

    name: ClassVar[str] = "sam"
    parameters_type: ClassVar[type[Parameters] | None] = SamParameters
    libraries: ClassVar[tuple[str, ...]] = ("torch", "torchvision", "segment_anything", "cv2")
    max_batch_size: ClassVar[int] = 8
    mixed_batches: ClassVar[bool] = True
    sees_rgb8: ClassVar[bool] = True
    reads_diameter: ClassVar[bool] = False

    def __init__(self, settings: SamSettings) -> None:
        self._settings = settings
        self._pipeline: Pipeline | None = None

    @classmethod
    def from_settings(cls, settings: ModelServerSettings) -> Self:
        """Build the model, unloaded."""
        assert isinstance(settings, SamSettings), "the service is started with SamSettings"
        return cls(settings)

    def load(self) -> ModelCard:
        """Load the weights onto the device.

        Raises:
            WeightsError: they are missing, damaged or no SAM.
            SettingsError: there is no such device.
        """
        weights = locate(self._settings)
        # PyTorch takes seconds to import: what only names the model, or lacks its weights, is spared.
        from services.sam.checkpoint import load_checkpoint  # noqa: PLC0415
        from services.sam.pipeline import Pipeline  # noqa: PLC0415

        accelerator = choose(self._settings)
        limit_threads(self._settings.threads)
        checkpoint = load_checkpoint(weights)
        self._pipeline = Pipeline(checkpoint, accelerator, self._settings)
        if accelerator.device.type == "cuda":
            # Not on a CPU, where it gains nothing and takes up to a minute.
            self._pipeline.warm_up()
        return ModelCard(
            version=f"1.0 {checkpoint.name}",
            description=(
                "SAM, the Segment Anything Model of Kirillov et al. (arXiv:2304.02643): masks for everything "
                "in an image, or for what points and boxes mark. It learnt from photographs, not from "
                "micrographs."
            ),
            licences=Licences(code="Apache-2.0", weights=LICENCE, training_data=TRAINING_DATA),
            max_image_pixels=64 * 1024**2,
            max_channel_count=3,
            weights_digest=checkpoint.sha256,
            score_meaning=(
                "The overlap (IoU) with the true mask that the model predicts for its own mask. It does not "
                "say whether the mask is an object of interest."
            ),
            device=accelerator.name,
        )

    def segment(self, tasks: Sequence[SegmentTask]) -> Sequence[Segmentation | HookeError]:
        """Find the objects of each image."""
        assert self._pipeline is not None, "load() comes first"
        return self._pipeline.segment(tasks)

    def close(self) -> None:
        """Let go of the weights and of all embeddings."""
        self._pipeline = None
