"""The OpenAI proxy: a vision-language model that a provider computes."""

from __future__ import annotations

from typing import ClassVar, Self

from runtime.provider_images import ProviderLimits
from runtime.provider_model import ProviderClient, ProviderModel
from runtime.settings import ModelServerSettings
from runtime.tasks import AskTask, Parameters
from services.openai.parameters import OpenaiParameters
from services.openai.requests import Choices, choose
from services.openai.settings import OpenaiSettings

MAX_IMAGE_BYTES = 20 * 1024**2
"""Largest image as sent. What the provider takes has grown over time; compatible servers take this much."""


class OpenaiModel(ProviderModel[Choices]):
    """Answers in words, and by that classifies and counts, through an API of OpenAI's kind.

    Args:
        settings: of the service.
    """

    name: ClassVar[str] = "openai"
    parameters_type: ClassVar[type[Parameters] | None] = OpenaiParameters

    def __init__(self, settings: OpenaiSettings) -> None:
        super().__init__(settings)
        self._settings = settings

    @classmethod
    def from_settings(cls, settings: ModelServerSettings) -> Self:
        """Build the proxy of these settings.

        Raises:
            SettingsError: the price list cannot be read.
        """
        assert isinstance(settings, OpenaiSettings)
        return cls(settings)

    def connect(self) -> ProviderClient[Choices]:
        """Make ready to ask."""
        from services.openai.client import OpenaiClient  # noqa: PLC0415

        return OpenaiClient(self._settings)

    def choose(self, task: AskTask) -> Choices:
        """Fill in what a task leaves open; raises as `services.openai.requests.choose`."""
        parameters = task.parameters or OpenaiParameters()
        assert isinstance(parameters, OpenaiParameters)
        return choose(parameters, self._settings)

    def image_limits(self, image_count: int) -> ProviderLimits:
        """The same for each image, however many there are."""
        del image_count
        side = self._settings.openai_max_side_px
        return ProviderLimits(
            max_side_px=side,
            max_pixels=side**2,
            max_bytes=MAX_IMAGE_BYTES,
            jpeg_quality=self._settings.jpeg_quality,
        )
