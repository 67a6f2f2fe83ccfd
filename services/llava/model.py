"""LLaVA and its kin: models that answer questions about images in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Self

from hooke.errors import HookeError
from hooke.types import Licences
from runtime.settings import ModelServerSettings
from runtime.tasks import Answer, AskTask, LabelScorer, LabelScores, ModelCard, Parameters, ScoreTask
from services.llava.parameters import LlavaParameters
from services.llava.settings import LlavaSettings

if TYPE_CHECKING:
    from services.llava.engine import Engine


class LlavaModel(LabelScorer):
    """One checkpoint for images and text, on one device."""

    name: ClassVar[str] = "llava"
    parameters_type: ClassVar[type[Parameters] | None] = LlavaParameters
    libraries: ClassVar[tuple[str, ...]] = ("torch", "torchvision", "transformers", "accelerate")
    max_batch_size: ClassVar[int] = 16
    mixed_batches: ClassVar[bool] = True
    sees_rgb8: ClassVar[bool] = True

    def __init__(self, settings: LlavaSettings) -> None:
        self._settings = settings
        self._engine: Engine | None = None

    @classmethod
    def from_settings(cls, settings: ModelServerSettings) -> Self:
        """Build the model, unloaded; `settings` are LlavaSettings."""
        assert isinstance(settings, LlavaSettings)
        return cls(settings)

    def load(self) -> ModelCard:
        """Load the checkpoint.

        Raises:
            SettingsError: it is missing, not whole, or cannot run as the settings say.
        """
        # PyTorch takes seconds to import, so a process that only names the model is spared.
        from services.llava.engine import Engine  # noqa: PLC0415

        self._engine = engine = Engine.load(self._settings)
        return ModelCard(
            version=engine.checkpoint.version,
            description=(
                "LLaVA and its kin: answers questions about images in words, and tells by the likelihood of "
                "their names which class an image is of. It was trained on photographs and drawings of daily "
                "life: what it says of micrographs may be wrong, and sounds as sure as what is right."
            ),
            licences=Licences(
                code="Apache-2.0",
                weights=engine.checkpoint.licence,
                training_data="see the model card of the checkpoint",
            ),
            max_image_pixels=64 * 1024**2,
            max_channel_count=3,
            weights_digest=engine.checkpoint.digest,
            device=engine.device_name,
        )

    def answer(self, tasks: Sequence[AskTask]) -> Sequence[Answer | HookeError]:
        """Answer every task in words, side by side."""
        assert self._engine is not None, "load() comes first"
        return self._engine.answer(tasks)

    def score(self, tasks: Sequence[ScoreTask]) -> Sequence[LabelScores | HookeError]:
        """Score the labels of every task by their likelihood, side by side."""
        assert self._engine is not None, "load() comes first"
        return self._engine.score(tasks)

    def close(self) -> None:
        """Let go of the checkpoint."""
        self._engine = None
