"""Models that answer in words, asked through the gateway."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
import pytest

from hooke import errors
from hooke.status import error_from
from hooke.v1 import conversation_pb2, image_pb2, image_service_pb2, image_service_pb2_grpc
from hooke.v1 import inference_service_pb2 as pb
from hooke.v1 import inference_service_pb2_grpc as pb_grpc
from runtime.fakes import FakeAnswerer, serving
from runtime.tasks import AskTask
from tests.integration.gateway.stage import Stage, eventually, gateway
from tests.integration.gateway.test_images import png
from tests.raw_images import raw_image


@dataclass
class Answering:
    """A gateway before a model that writes."""

    fake: FakeAnswerer
    stage: Stage
    direct: pb_grpc.InferenceServiceStub
    forwarded: pb_grpc.InferenceServiceStub


@asynccontextmanager
async def answering(
    reply: Callable[[AskTask], str] | None = None, word_s: float = 0.0
) -> AsyncIterator[Answering]:
    fake = FakeAnswerer(reply, word_s)
    async with serving(FakeAnswerer, lambda: fake) as service:
        address = f"127.0.0.1:{service.server.port}"
        async with gateway({"fake-words": address}) as stage, grpc.aio.insecure_channel(address) as channel:
            stub = pb_grpc.InferenceServiceStub
            yield Answering(fake, stage, stub(channel), stub(stage.channel))


def question(image: image_pb2.Image) -> conversation_pb2.Conversation:
    turn = conversation_pb2.Turn(
        turn_role=conversation_pb2.TURN_ROLE_USER,
        text="What is this?",
        images=[conversation_pb2.ViewedImage(image=image)],
    )
    return conversation_pb2.Conversation(turns=[turn])


def stream_request(image: image_pb2.Image | None = None) -> pb.StreamAskRequest:
    return pb.StreamAskRequest(model="fake-words", conversation=question(image or raw_image()))


async def test_an_answer_is_the_same_through_the_gateway() -> None:
    """Ask gives what the service itself gives."""
    async with answering() as scene:
        request = pb.AskRequest(model="fake-words", conversation=question(raw_image()))
        direct = await scene.direct.Ask(request, timeout=20)
        forwarded = await scene.forwarded.Ask(request, timeout=20)
        for answer in (direct, forwarded):
            assert answer.text == "What is this?"
            answer.ClearField("cost")
        assert forwarded == direct


async def test_words_arrive_while_they_are_written() -> None:
    """The gateway holds no piece back until the answer is whole."""
    async with answering(lambda _task: "word " * 1000, word_s=0.01) as scene:
        call = scene.forwarded.StreamAsk(stream_request(), timeout=60)
        assert (await call.read()).text_delta == "word"
        assert scene.fake.words_written < 500
        call.cancel()


async def test_pieces_and_end_are_the_same_through_the_gateway() -> None:
    """All pieces arrive, in order, and then how the answer was made."""
    async with answering(lambda _task: "one two three") as scene:
        both = []
        for stub in (scene.direct, scene.forwarded):
            parts = [part async for part in stub.StreamAsk(stream_request(), timeout=20)]
            assert [part.text_delta for part in parts[:-1]] == ["one", " two", " three"]
            parts[-1].end.ClearField("cost")
            both.append(parts)
        assert both[0] == both[1]


async def test_a_reader_who_leaves_the_gateway_stops_the_model() -> None:
    """Cancellation reaches the model, which stops writing."""
    async with answering(lambda _task: "word " * 5000, word_s=0.002) as scene:
        call = scene.forwarded.StreamAsk(stream_request(), timeout=60)
        await call.read()
        call.cancel()
        await eventually(scene.fake.asked[0].abandoned.is_set)


async def test_a_missing_image_is_put_before_the_first_word() -> None:
    """An image that was put to the gateway alone serves a stream as well."""
    data = png(1)
    sha256 = hashlib.sha256(data).hexdigest()
    async with answering(lambda _task: "one two") as scene:
        upload = [
            image_service_pb2.PutImageRequest(
                header=image_service_pb2.ImageHeader(sha256=sha256, size_bytes=len(data))
            ),
            image_service_pb2.PutImageRequest(chunk=data),
        ]
        images = image_service_pb2_grpc.ImageServiceStub(scene.stage.channel)
        await images.PutImage(iter(upload), timeout=20)
        request = stream_request(image_pb2.Image(sha256=sha256))
        parts = [part async for part in scene.forwarded.StreamAsk(request, timeout=20)]
        assert "".join(part.text_delta for part in parts) == "one two"


async def test_an_error_of_a_stream_passes() -> None:
    """A model that fails is told as the service tells it."""

    def fail(_task: AskTask) -> str:
        raise errors.UpstreamRefusedError("it does not look at that")

    async with answering(fail) as scene:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await scene.forwarded.StreamAsk(stream_request(), timeout=20).read()
        error = error_from(failed.value)
        assert isinstance(error, errors.UpstreamRefusedError)
        assert error.message == "it does not look at that"


async def test_a_dead_service_ends_a_stream() -> None:
    """A reader is not left waiting when the service goes away between two words."""
    fake = FakeAnswerer(lambda _task: "word " * 5000, word_s=0.01)
    async with (
        serving(FakeAnswerer, lambda: fake) as service,
        gateway({"fake-words": f"127.0.0.1:{service.server.port}"}) as stage,
    ):
        parts = aiter(pb_grpc.InferenceServiceStub(stage.channel).StreamAsk(stream_request(), timeout=60))
        await anext(parts)
        await service.server.stop(0)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            _ = [part async for part in parts]
        assert isinstance(error_from(failed.value), errors.UpstreamFailedError)
        fake.asked[0].abandoned.set()
