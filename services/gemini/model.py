"""The Gemini proxy: a vision-language model that Google computes."""

from __future__ import annotations

from typing import ClassVar, Self

from runtime.provider_images import ProviderLimits
from runtime.provider_model import ProviderClient, ProviderModel
from runtime.settings import ModelServerSettings
from runtime.tasks import AskTask, Parameters
from services.gemini.parameters import GeminiParameters
from services.gemini.requests import Choices, choose, image_limits
from services.gemini.settings import GeminiSettings


class GeminiModel(ProviderModel[Choices]):
    """Answers in words, and by that classifies and counts, through the Gemini API.

    Args:
        settings: of the service.
    """

    name: ClassVar[str] = "gemini"
    parameters_type: ClassVar[type[Parameters] | None] = GeminiParameters

    def __init__(self, settings: GeminiSettings) -> None:
        super().__init__(settings)
        self._settings = settings

    @classmethod
    def from_settings(cls, settings: ModelServerSettings) -> Self:
        """Build the proxy of these settings.

        Raises:
            SettingsError: the price list cannot be read.
        """
        assert isinstance(settings, GeminiSettings)
        return cls(settings)

    def connect(self) -> ProviderClient[Choices]:
        """Make ready to ask; there is a key."""
        from services.gemini.client import GeminiClient  # noqa: PLC0415

        return GeminiClient(self._settings)

    def choose(self, task: AskTask) -> Choices:
        """Fill in what a task leaves open; raises as `services.gemini.requests.choose`."""
        parameters = task.parameters or GeminiParameters()
        assert isinstance(parameters, GeminiParameters)
        return choose(parameters, self._settings)

    def image_limits(self, image_count: int) -> ProviderLimits:
        """The more images there are, the fewer bytes each may have."""
        return image_limits(image_count, self._settings)
