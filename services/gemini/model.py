"""The Gemini proxy: questions about micrographs, answered by Google's models."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, ClassVar, Self

import structlog

from hooke import errors
from hooke.types import Licences
from runtime.prices import PriceList
from runtime.settings import ModelServerSettings
from runtime.tasks import Answer, AskTask, ModelCard, Parameters, RemoteAnswerer
from services.gemini.errors import caught, translate
from services.gemini.parameters import GeminiParameters
from services.gemini.replies import Reply
from services.gemini.requests import choose, encode_images, generate_request
from services.gemini.settings import KEY_SETTING, GeminiSettings

if TYPE_CHECKING:
    import httpx2
    from google.genai import Client

log = structlog.get_logger("hooke.gemini")

_NO_KEY = f"there is no key for Gemini: set {KEY_SETTING}, or {KEY_SETTING}_FILE to a file that holds it"


class GeminiModel(RemoteAnswerer):
    """Asks Google's models with one client, for as many callers at once as there are.

    Args:
        settings: the key, the models that may be asked, and how.
    """

    name: ClassVar[str] = "gemini"
    parameters_type: ClassVar[type[Parameters] | None] = GeminiParameters
    sees_rgb8: ClassVar[bool] = True
    structured_output: ClassVar[bool] = True

    def __init__(self, settings: GeminiSettings) -> None:
        self._settings = settings
        self._key = settings.api_key
        self._prices = PriceList.load(settings.prices_file)
        # The SDK closes the connections of a client that nobody refers to, so both are kept.
        self._client: Client | None = None
        self._http: httpx2.AsyncClient | None = None

    @classmethod
    def from_settings(cls, settings: ModelServerSettings) -> Self:
        """Build it, not connected; `settings` are GeminiSettings."""
        assert isinstance(settings, GeminiSettings)
        return cls(settings)

    def load(self) -> ModelCard:
        """Make the client; nothing is sent, so a wrong key shows with the first question."""
        if self._key is not None:
            self._connect(self._key.get_secret_value())
        return ModelCard(
            version=self._settings.gemini_model,
            description=(
                "Vision-language models of Google over the Gemini API. Asked here: "
                f"{', '.join(self._settings.offered)}."
            ),
            licences=Licences(code="Apache-2.0"),
            max_image_pixels=64 * 1024**2,
            max_channel_count=3,
            device=self._settings.gemini_base_url,
            remote=True,
            unavailable_reason="" if self._key is not None else _NO_KEY,
        )

    def _connect(self, key: str) -> None:
        try:
            import httpx2  # noqa: PLC0415 - heavy, and only this service needs it
            from google.genai import Client  # noqa: PLC0415
        except ImportError as error:
            raise RuntimeError("google-genai is missing: pip install 'hooke[gemini]'") from error

        logging.getLogger("httpx2").setLevel(logging.WARNING)  # else a line for each call; ours say more
        self._http = httpx2.AsyncClient(
            # How many calls are under way is decided before they come here.
            limits=httpx2.Limits(
                max_connections=None, max_keepalive_connections=self._settings.max_concurrency
            ),
            # The key is in a header, which would follow a redirect to wherever it leads.
            follow_redirects=False,
        )
        self._client = Client(
            vertexai=False,
            api_key=key,
            http_options={
                "base_url": self._settings.gemini_base_url,
                "api_version": self._settings.gemini_api_version,
                "httpx_async_client": self._http,
                "retry_options": {"attempts": 1},
            },
        )

    def rate_limit_of(self, task: AskTask) -> str:
        """Google limits each of its models on its own."""
        return choose(task.parameters or GeminiParameters(), self._settings).provider_model

    async def answer(self, task: AskTask) -> Answer:
        """Ask one question; see `RemoteAnswerer`."""
        if self._client is None or self._key is None:
            raise errors.CredentialsMissingError(_NO_KEY)
        choices = choose(task.parameters or GeminiParameters(), self._settings)
        images = await asyncio.to_thread(encode_images, task, self._settings)
        request = generate_request(task, choices, images, self._settings.silence_s)
        reply = Reply(task.emit)
        try:
            await _ask(self._client, request, reply, streamed=task.emit is not None)
        except caught() as error:
            translated = translate(error, choices.provider_model, self._key)
            if isinstance(translated, errors.CredentialsRejectedError | errors.UpstreamQuotaExhaustedError):
                log.error("provider_refuses_service", reason=translated.reason, message=translated.message)
            # Not chained: the SDK's text may hold the key, and would stand in a traceback.
            raise translated from None
        finish_reason = reply.finish_reason
        usage = reply.usage
        if usage is not None:
            usage = self._prices.cost(self.name, reply.model_version or choices.provider_model, usage)
        return Answer(
            text=reply.text,
            finish_reason=finish_reason,
            usage=usage,
            parameters=choices.used,
            rendered=tuple(image.rendered for image in images),
            model_version=reply.model_version,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()
        if self._client is not None:
            self._client.close()


async def _ask(client: Client, request: dict[str, Any], reply: Reply, *, streamed: bool) -> None:
    """Ask once and put the reply together."""
    if streamed:
        async for piece in await client.aio.models.generate_content_stream(**request):
            reply.add(piece)
    else:
        reply.add(await client.aio.models.generate_content(**request))
