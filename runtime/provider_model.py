"""What every proxy for a vision-language model of a provider does alike."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, Protocol, TypeVar

import structlog

from hooke import errors
from hooke.types import FinishReason, Licences, TokenUsage, UsedParameter
from runtime.prices import PriceList
from runtime.provider_images import ProviderImage, ProviderLimits, encode
from runtime.provider_settings import ProviderSettings
from runtime.tasks import Answer, AskTask, ModelCard, RateLimits, RemoteAnswerer


class Choices(Protocol):
    """What a task comes to beside its words and images."""

    @property
    def provider_model(self) -> str:
        """The provider's model that is asked."""

    @property
    def used(self) -> tuple[UsedParameter, ...]:
        """All choices, for the provenance."""


@dataclass(frozen=True, slots=True)
class ProviderReply:
    """An answer of a provider.

    Attributes:
        text: all of it.
        finish_reason: why it ends where it ends.
        model: what the provider says answered; may be empty.
        usage: tokens, without their price; None: the provider did not count.
        written_token_count: input tokens that the provider keeps for later questions.
        limits: what the provider says of how much more it takes.
    """

    text: str
    finish_reason: FinishReason
    model: str
    usage: TokenUsage | None
    written_token_count: int = 0
    limits: RateLimits | None = None


ChoicesT = TypeVar("ChoicesT", bound=Choices)
ChoicesT_contra = TypeVar("ChoicesT_contra", bound=Choices, contravariant=True)


class ProviderClient(Protocol[ChoicesT_contra]):
    """The connections to a provider."""

    async def ask(
        self, task: AskTask, choices: ChoicesT_contra, images: Sequence[ProviderImage]
    ) -> ProviderReply:
        """Ask once; see RemoteAnswerer for the errors."""

    async def aclose(self) -> None:
        """Close them."""


class ProviderModel(RemoteAnswerer, Generic[ChoicesT]):
    """Answers in words, and by that classifies and counts, through the API of a provider.

    Args:
        settings: of the service.

    Raises:
        SettingsError: the price list cannot be read.
    """

    sees_rgb8: ClassVar[bool] = True
    structured_output: ClassVar[bool] = True

    def __init__(self, settings: ProviderSettings) -> None:
        self._provider = settings.provider
        self._prices = PriceList.load(settings.prices_file)
        self._client: ProviderClient[ChoicesT] | None = None
        self._log = structlog.get_logger(f"hooke.{self.name}")

    @abstractmethod
    def connect(self) -> ProviderClient[ChoicesT]:
        """Make ready to ask. The place to import the provider's library, which takes a second."""

    @abstractmethod
    def choose(self, task: AskTask) -> ChoicesT:
        """Fill in what a task leaves open.

        Raises:
            InvalidRequestError: it asks for something that the provider does not have.
        """

    @abstractmethod
    def image_limits(self, image_count: int) -> ProviderLimits:
        """What the provider takes of each of so many images."""

    def load(self) -> ModelCard:
        """Make ready to ask; nothing is asked yet, and a key that is missing is said to be."""
        provider = self._provider
        if provider.missing:
            self._log.warning("the provider cannot be asked", reason=provider.missing)
        else:
            self._client = self.connect()
        return ModelCard(
            version=provider.model,
            description=(
                f"{', '.join(provider.offered)} at {provider.base_url}, asked over the network: images leave "
                "this machine."
            ),
            licences=Licences(code="Apache-2.0", weights="proprietary; the provider's terms apply"),
            max_image_pixels=256 * 1024**2,
            max_channel_count=3,
            device="remote",
            remote=True,
            unavailable_reason=provider.missing,
        )

    def rate_limit_of(self, task: AskTask) -> str:
        """The provider's model: each has limits of its own."""
        return self.choose(task).provider_model

    async def answer(self, task: AskTask) -> Answer:
        """Ask the provider once; see RemoteAnswerer for the errors."""
        if self._client is None:
            raise errors.CredentialsMissingError(self._provider.missing)
        choices = self.choose(task)
        images = await asyncio.to_thread(self._encoded, task)
        try:
            reply = await self._client.ask(task, choices, images)
        except (errors.CredentialsRejectedError, errors.UpstreamQuotaExhaustedError) as error:
            # The operator has to do something about it.
            self._log.error(
                "the provider turns this service away", reason=str(error.reason), said=error.message
            )
            raise
        return Answer(
            text=reply.text,
            finish_reason=reply.finish_reason,
            usage=self._priced(reply, choices.provider_model),
            parameters=choices.used,
            rendered=tuple(image.rendered for image in images),
            model_version=reply.model or None,
            limits=reply.limits,
        )

    async def aclose(self) -> None:
        """Close the connections to the provider."""
        if self._client is not None:
            await self._client.aclose()

    def _encoded(self, task: AskTask) -> list[ProviderImage]:
        limits = self.image_limits(len(task.images))
        return [encode(image, limits) for image in task.images]

    def _priced(self, reply: ProviderReply, asked: str) -> TokenUsage | None:
        if reply.usage is None or self._provider.free:
            return reply.usage
        return self._prices.cost(self.name, reply.model or asked, reply.usage, reply.written_token_count)
