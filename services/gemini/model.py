"""The Gemini proxy: a vision-language model that Google computes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, Self

import structlog

from hooke import errors
from hooke.types import Licences
from runtime.prices import PriceList
from runtime.settings import ModelServerSettings
from runtime.tasks import Answer, AskTask, ModelCard, Parameters, RemoteAnswerer
from services.gemini.parameters import GeminiParameters
from services.gemini.requests import choose, encode_images
from services.gemini.settings import KEY_SETTING, GeminiSettings

if TYPE_CHECKING:
    from services.gemini.client import GeminiClient

log = structlog.get_logger("hooke.gemini")


class GeminiModel(RemoteAnswerer):
    """Answers in words, and by that classifies and counts, through the Gemini API.

    Args:
        settings: of the service.
    """

    name: ClassVar[str] = "gemini"
    parameters_type: ClassVar[type[Parameters] | None] = GeminiParameters
    sees_rgb8: ClassVar[bool] = True
    structured_output: ClassVar[bool] = True

    def __init__(self, settings: GeminiSettings) -> None:
        self._settings = settings
        self._prices = PriceList.load(settings.prices_file)
        self._client: GeminiClient | None = None
        self._missing = ""

    @classmethod
    def from_settings(cls, settings: ModelServerSettings) -> Self:
        """Build the proxy of these settings.

        Raises:
            SettingsError: the price list cannot be read.
        """
        assert isinstance(settings, GeminiSettings)
        return cls(settings)

    def load(self) -> ModelCard:
        """Make ready to ask; nothing is asked yet, and a key that is missing is said to be."""
        if self._settings.api_key is None:
            self._missing = f"no key for Gemini: set {KEY_SETTING} or {KEY_SETTING}_FILE"
            log.warning("the provider cannot be asked", reason=self._missing)
        else:
            # The SDK takes a second to import, so a process that only names the model is spared.
            from services.gemini.client import GeminiClient  # noqa: PLC0415

            self._client = GeminiClient(self._settings, self._settings.api_key)
        return ModelCard(
            version=self._settings.gemini_model,
            description=(
                f"{', '.join(self._settings.offered)} at {self._settings.gemini_base_url}, "
                f"asked over the network: images leave this machine."
            ),
            licences=Licences(code="Apache-2.0", weights="proprietary; the provider's terms apply"),
            max_image_pixels=256 * 1024**2,
            max_channel_count=3,
            device="remote",
            remote=True,
            unavailable_reason=self._missing,
        )

    def rate_limit_of(self, task: AskTask) -> str:
        """The provider's model: each has limits of its own."""
        return choose(_parameters(task), self._settings).provider_model

    async def answer(self, task: AskTask) -> Answer:
        """Ask the provider once; see RemoteAnswerer for the errors."""
        if self._client is None:
            raise errors.CredentialsMissingError(self._missing)
        choices = choose(_parameters(task), self._settings)
        images = await asyncio.to_thread(encode_images, task, self._settings)
        try:
            reply = await self._client.ask(task, choices, images)
        except (errors.CredentialsRejectedError, errors.UpstreamQuotaExhaustedError) as error:
            log.error(
                "the provider does not serve this service", reason=str(error.reason), said=error.message
            )
            raise
        finish_reason = reply.finish_reason
        usage = reply.usage
        if usage is not None:
            usage = self._prices.cost("gemini", reply.model_version or choices.provider_model, usage)
        return Answer(
            text=reply.text,
            finish_reason=finish_reason,
            usage=usage,
            parameters=choices.used,
            rendered=tuple(image.rendered for image in images),
            model_version=reply.model_version,
        )

    async def aclose(self) -> None:
        """Close the connections to the provider."""
        if self._client is not None:
            await self._client.aclose()


def _parameters(task: AskTask) -> GeminiParameters:
    parameters = task.parameters or GeminiParameters()
    assert isinstance(parameters, GeminiParameters)
    return parameters
