"""What the tests of the Gemini proxy share: a real service before a fake of its provider, and questions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import grpc

from hooke.aio import AsyncClient
from hooke.v1 import conversation_pb2, image_pb2
from hooke.v1 import inference_service_pb2 as pb
from hooke.v1 import inference_service_pb2_grpc as pb_grpc
from runtime.fakes import serving
from services.gemini.model import GeminiModel
from tests.fakes.gemini import FakeGemini
from tests.raw_images import raw_image
from tests.tiny.gemini import settings_of

USER, MODEL = conversation_pb2.TURN_ROLE_USER, conversation_pb2.TURN_ROLE_MODEL
Stub = pb_grpc.InferenceServiceStub


@asynccontextmanager
async def proxy(fake: FakeGemini, **settings: Any) -> AsyncIterator[Stub]:
    """A stub of a proxy for this fake."""
    async with (
        serving(GeminiModel, values=settings_of(fake, **settings)) as service,
        grpc.aio.insecure_channel(f"127.0.0.1:{service.server.port}") as channel,
    ):
        yield Stub(channel)


@asynccontextmanager
async def asking(fake: FakeGemini, **settings: Any) -> AsyncIterator[AsyncClient]:
    """A client, which repeats nothing, of a proxy for this fake."""
    async with (
        serving(GeminiModel, values=settings_of(fake, **settings)) as service,
        AsyncClient(f"127.0.0.1:{service.server.port}", retries=False) as client,
    ):
        yield client


@contextmanager
def provider(*script: Any) -> Iterator[FakeGemini]:
    """A fake that gives these replies first."""
    with FakeGemini() as fake:
        fake.script.extend(script)
        yield fake


def turn(text: str, *images: image_pb2.Image, role: int = USER) -> conversation_pb2.Turn:
    """What one side says."""
    return conversation_pb2.Turn(
        turn_role=role,  # type: ignore[arg-type]
        text=text,
        images=[conversation_pb2.ViewedImage(image=image) for image in images],
    )


def question(text: str = "What is this?", **parameters: Any) -> pb.AskRequest:
    """A question about one small image."""
    conversation = conversation_pb2.Conversation(turns=[turn(text, raw_image())])
    return pb.AskRequest(conversation=conversation, gemini=parameters)  # type: ignore[arg-type]


def read_along(stub: Stub, text: str = "What is this?", timeout: float = 20) -> Any:
    """The same question, to be answered word by word."""
    return stub.StreamAsk(pb.StreamAskRequest(conversation=question(text).conversation), timeout=timeout)
