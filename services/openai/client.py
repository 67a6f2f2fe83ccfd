"""The way to the provider: one call of the SDK for each task, its errors made ours. Imports the SDK."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import httpx2
import openai
import structlog

from hooke import errors
from runtime.provider_images import ProviderImage
from runtime.provider_model import ProviderReply
from runtime.tasks import AskTask
from services.openai.errors import garbled, scrubbed, translate
from services.openai.replies import (
    read_completion,
    read_completion_stream,
    read_limits,
    read_response,
    read_response_stream,
)
from services.openai.requests import Choices, chat_request, responses_request
from services.openai.settings import OpenaiSettings

log = structlog.get_logger("hooke.openai")

Images = Sequence[ProviderImage]

CONNECT_S = 10.0
"""Seconds for a connection; more would hide a wrong address."""


class OpenaiClient:
    """Asks the provider.

    Args:
        settings: where and how, and the key, if the provider needs one.
    """

    def __init__(self, settings: OpenaiSettings) -> None:
        # On level debug these log whole requests, images included.
        for name in ("openai", "httpx2", "httpcore2"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._settings = settings
        key = settings.provider.key
        self._key = None if key is None else key.get_secret_value()
        self._client = openai.AsyncOpenAI(
            api_key=self._key or "none",  # servers that need no key ignore it; the SDK wants one
            base_url=settings.openai_base_url,
            max_retries=0,  # it would sleep within the call; callers own the retries
            http_client=openai.DefaultAsyncHttpxClient(
                timeout=httpx2.Timeout(settings.silence_s, connect=CONNECT_S),
                follow_redirects=False,  # images go where the operator said, and nowhere else
            ),
        )
        # The library imports what belongs to an API when that is first looked at: now, not in the first call.
        self._responses = self._client.responses.with_raw_response
        self._completions = self._client.chat.completions.with_raw_response
        # Otherwise taken from variables that are none of our settings.
        self._client.organization = None
        self._client.project = None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def ask(self, task: AskTask, choices: Choices, images: Images) -> ProviderReply:
        """Ask once.

        Raises:
            HookeError: see `services.openai.errors`.
        """
        call = self._respond if self._settings.openai_api == "responses" else self._complete
        try:
            return await call(task, choices, images)
        except errors.HookeError as error:
            raise scrubbed(error, self._key) from None
        except openai.OpenAIError as error:
            # Not "from error": it holds the request, and with it the key.
            raise scrubbed(translate(error), self._key) from None
        except (ValueError, AttributeError, TypeError, IndexError):
            # The SDK makes its types of whatever there is: what is not there shows only when it is looked at.
            log.warning("an answer cannot be read", exc_info=True)
            raise garbled() from None

    async def _respond(
        self, task: AskTask, choices: Choices, images: Sequence[ProviderImage]
    ) -> ProviderReply:
        request = responses_request(task, choices, images)
        if task.emit is None:
            raw = await self._responses.create(**request)
            return replace(read_response(raw.parse()), limits=read_limits(raw.headers))
        streamed = await self._responses.create(**request, stream=True)
        async with streamed.parse() as events:
            reply = await read_response_stream(events, task.emit)
        return replace(reply, limits=read_limits(streamed.headers))

    async def _complete(
        self, task: AskTask, choices: Choices, images: Sequence[ProviderImage]
    ) -> ProviderReply:
        request = chat_request(task, choices, images, from_vendor=self._settings.from_vendor)
        if task.emit is None:
            raw = await self._completions.create(**request)
            return replace(read_completion(raw.parse()), limits=read_limits(raw.headers))
        streamed = await self._completions.create(**request, stream=True)
        async with streamed.parse() as chunks:
            reply = await read_completion_stream(chunks, task.emit)
        return replace(reply, limits=read_limits(streamed.headers))
