"""One call of the Gemini API: put in the SDK's terms, sent once, read.

Imported by `load` alone: it brings the SDK.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import httpx2
import structlog
from google import genai
from google.genai import types
from google.genai.errors import APIError

from runtime.provider_images import ProviderImage
from runtime.provider_model import ProviderReply
from runtime.tasks import AskTask
from services.gemini.errors import garbled, translate
from services.gemini.replies import Reply
from services.gemini.requests import Choices, config_of, contents_of
from services.gemini.settings import GeminiSettings

log = structlog.get_logger("hooke.gemini")

_STUMBLES = (ValueError, TypeError, AttributeError, LookupError)
"""What the SDK raises over a reply of the wrong shape: it checks little."""


class GeminiClient:
    """The connections to the provider; belongs to one event loop.

    Args:
        settings: of the service, with a key.
    """

    def __init__(self, settings: GeminiSettings) -> None:
        key = settings.provider.key
        assert key is not None, "without a key nothing can be asked"
        for name in ("google_genai", "httpx2", "httpcore2"):  # at lower levels they log what is sent and read
            logging.getLogger(name).setLevel(logging.WARNING)
        self._silence_s = settings.silence_s
        self._key = key
        self._http = httpx2.AsyncClient(
            # How many calls are under way is decided before they come here.
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=settings.max_concurrency),
            # The key is in a header, which would go along to wherever a redirect leads.
            follow_redirects=False,
        )
        # The SDK closes the connections of a client that nobody refers to, so this one is kept.
        self._client = genai.Client(
            vertexai=False,
            api_key=key.get_secret_value(),
            http_options=types.HttpOptions(
                base_url=settings.gemini_base_url,
                api_version=settings.gemini_api_version,
                httpx_async_client=self._http,
                retry_options=types.HttpRetryOptions(attempts=1),
            ),
        )

    async def ask(self, task: AskTask, choices: Choices, images: Sequence[ProviderImage]) -> ProviderReply:
        """Ask once; streams if the task has somebody who reads along.

        Raises:
            HookeError: there is no answer; see `services.gemini.errors`.
        """
        request: dict[str, Any] = {
            "model": choices.provider_model,
            "contents": contents_of(task, images),
            "config": config_of(task, choices, self._silence_s),
        }
        reply = Reply(task.emit)
        models = self._client.aio.models
        try:
            if task.emit is None:
                reply.add(await models.generate_content(**request))
            else:
                async for piece in await models.generate_content_stream(**request):
                    reply.add(piece)
        except (APIError, httpx2.HTTPError) as error:
            # Not "from error": its text may quote the key, and would stand in a traceback.
            raise translate(error, choices.provider_model, self._key) from None
        except _STUMBLES as error:
            log.warning("an answer cannot be read", raised=type(error).__name__)
            raise garbled() from None
        return reply.finished()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()
        self._client.close()
