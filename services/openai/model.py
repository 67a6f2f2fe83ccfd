"""The OpenAI proxy: a vision-language model that a provider computes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, Self

import structlog

from hooke import errors
from hooke.types import Licences, TokenUsage
from runtime.prices import PriceList
from runtime.provider_images import ProviderImage, ProviderLimits, encode
from runtime.settings import ModelServerSettings
from runtime.tasks import Answer, AskTask, ModelCard, Parameters, RemoteAnswerer
from services.openai.parameters import OpenaiParameters
from services.openai.requests import choose
from services.openai.settings import OpenaiSettings

if TYPE_CHECKING:
    from services.openai.client import OpenaiClient
    from services.openai.replies import Reply

log = structlog.get_logger("hooke.openai")

MAX_IMAGE_BYTES = 20 * 1024**2
"""Largest image as sent. What the provider takes has grown over time; compatible servers take this much."""


class OpenaiModel(RemoteAnswerer):
    """Answers in words, and by that classifies and counts, through an API of OpenAI's kind.

    Args:
        settings: of the service.
    """

    name: ClassVar[str] = "openai"
    parameters_type: ClassVar[type[Parameters] | None] = OpenaiParameters
    sees_rgb8: ClassVar[bool] = True
    structured_output: ClassVar[bool] = True

    def __init__(self, settings: OpenaiSettings) -> None:
        self._settings = settings
        self._prices = PriceList.load(settings.prices_file)
        self._limits = ProviderLimits(
            max_side_px=settings.openai_max_side_px,
            max_pixels=settings.openai_max_side_px**2,
            max_bytes=MAX_IMAGE_BYTES,
            jpeg_quality=settings.jpeg_quality,
        )
        self._client: OpenaiClient | None = None
        self._missing = ""

    @classmethod
    def from_settings(cls, settings: ModelServerSettings) -> Self:
        """Build the proxy of these settings.

        Raises:
            SettingsError: the price list cannot be read.
        """
        assert isinstance(settings, OpenaiSettings)
        return cls(settings)

    def load(self) -> ModelCard:
        """Make ready to ask; nothing is asked yet, and a key that is missing is said to be."""
        key = self._settings.api_key
        if key is None and self._settings.from_vendor:
            self._missing = "no key for OpenAI: set HOOKE_OPENAI_API_KEY or HOOKE_OPENAI_API_KEY_FILE"
            log.warning("the provider cannot be asked", reason=self._missing)
        else:
            # The SDK takes a second to import, so a process that only names the model is spared.
            from services.openai.client import OpenaiClient  # noqa: PLC0415

            self._client = OpenaiClient(self._settings)
        return ModelCard(
            version=self._settings.openai_model,
            description=(
                f"{', '.join(self._settings.offered)} at {self._settings.openai_base_url}, "
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
        images = await asyncio.to_thread(self._encoded, task)
        try:
            called = await self._client.ask(task, choices, images)
        except (errors.CredentialsRejectedError, errors.UpstreamQuotaExhaustedError) as error:
            # The operator has to do something about it.
            log.error("the provider turns this service away", reason=str(error.reason), said=error.message)
            raise
        reply = called.reply
        return Answer(
            text=reply.text,
            finish_reason=reply.finish_reason,
            usage=self._priced(reply, choices.provider_model),
            parameters=choices.used,
            rendered=tuple(image.rendered for image in images),
            model_version=reply.model or None,
            limits=called.limits,
        )

    async def aclose(self) -> None:
        """Close the connections to the provider."""
        if self._client is not None:
            await self._client.aclose()

    def _encoded(self, task: AskTask) -> list[ProviderImage]:
        return [encode(image, self._limits) for image in task.images]

    def _priced(self, reply: Reply, asked: str) -> TokenUsage | None:
        if reply.usage is None or self._settings.openai_free:
            return reply.usage
        return self._prices.cost("openai", reply.model or asked, reply.usage, reply.written_token_count)


def _parameters(task: AskTask) -> OpenaiParameters:
    parameters = task.parameters or OpenaiParameters()
    assert isinstance(parameters, OpenaiParameters)
    return parameters
