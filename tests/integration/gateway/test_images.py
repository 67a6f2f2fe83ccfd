"""One upload to the gateway serves every model that lacks the image."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
import pytest
from PIL import Image

from hooke import Client, errors
from hooke.status import error_from
from hooke.v1 import image_pb2, image_service_pb2, image_service_pb2_grpc
from hooke.v1 import inference_service_pb2 as pb
from hooke.v1 import inference_service_pb2_grpc as pb_grpc
from runtime import image_servicer
from runtime.fakes import FakeModel, serving
from runtime.image_store import ImageStore
from runtime.service import ModelService
from tests.integration.gateway.stage import INFERENCE, Stage, gateway, server

PUSHES = "hooke_gateway_image_pushes_total"


class OtherModel(FakeModel):
    """A second model."""

    name = "other"


def png(seed: int, size: int = 64) -> bytes:
    """A PNG file that no other seed gives."""
    pixels = np.random.default_rng(seed).integers(1, 200, (size, size), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def hash_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def put(channel: grpc.aio.Channel, data: bytes) -> str:
    """Put an image and return its hash."""
    parts = [
        image_service_pb2.PutImageRequest(
            header=image_service_pb2.ImageHeader(sha256=hash_of(data), size_bytes=len(data))
        ),
        image_service_pb2.PutImageRequest(chunk=data),
    ]
    answer = await image_service_pb2_grpc.ImageServiceStub(channel).PutImage(iter(parts), timeout=20)
    return str(answer.sha256)


def count_of(sha256: str, model: str = "") -> pb.CountRequest:
    return pb.CountRequest(model=model, image=image_pb2.Image(sha256=sha256))


@asynccontextmanager
async def two_models(**settings: object) -> AsyncIterator[tuple[Stage, ModelService, ModelService]]:
    async with (
        serving(FakeModel) as one,
        serving(OtherModel) as two,
        gateway(
            {"fake": f"127.0.0.1:{one.server.port}", "other": f"127.0.0.1:{two.server.port}"}, **settings
        ) as stage,
    ):
        yield stage, one, two


async def test_one_upload_serves_two_models() -> None:
    """The image goes to each service once, when it is first asked about it, and never again."""
    async with two_models() as (stage, one, two):
        sha256 = await put(stage.channel, png(1))
        assert sha256 not in one.images
        stub = pb_grpc.InferenceServiceStub(stage.channel)
        for _ in range(3):
            for model in ("fake", "other"):
                assert (await stub.Count(count_of(sha256, model), timeout=20)).count
        for service in (one, two):
            assert sha256 in service.images
            address = f"127.0.0.1:{service.server.port}"
            assert stage.sample(PUSHES, upstream=address, code="OK") == 1


async def test_a_service_that_forgot_gets_its_image_back() -> None:
    """A service may drop images at any time; its callers do not notice."""
    async with (
        serving(image_store_bytes=1024**2, max_image_bytes=1024**2) as service,
        gateway({"fake": f"127.0.0.1:{service.server.port}"}) as stage,
    ):
        stub = pb_grpc.InferenceServiceStub(stage.channel)
        hashes = [await put(stage.channel, png(seed, size=900)) for seed in (1, 2)]
        for _ in range(2):
            for sha256 in hashes:
                assert (await stub.Count(count_of(sha256), timeout=20)).count
                assert list(service.images._files) == [sha256]
        assert stage.sample(PUSHES, upstream=f"127.0.0.1:{service.server.port}", code="OK") == 4


async def test_several_missing_images_in_one_request() -> None:
    """The image and every example of a Classify request may be missing at once."""
    async with two_models() as (stage, one, _):
        hashes = [await put(stage.channel, png(seed)) for seed in range(5)]
        images = [image_pb2.Image(sha256=sha256) for sha256 in hashes]
        request = pb.ClassifyRequest(
            image=images[0],
            examples=[
                pb.ClassExample(image=image, label=("x", "y")[number % 2])
                for number, image in enumerate(images[1:])
            ],
        )
        answer = await pb_grpc.InferenceServiceStub(stage.channel).Classify(request, timeout=20)
        assert answer.label == "x"
        assert all(sha256 in one.images for sha256 in hashes)


async def test_a_request_makes_the_gateway_put_only_so_many_images() -> None:
    """Above the stated number the caller hears IMAGE_NOT_FOUND, which is where he was without a gateway."""
    async with two_models(gateway_max_image_pushes=2) as (stage, one, _):
        images = [image_pb2.Image(sha256=await put(stage.channel, png(seed))) for seed in range(4)]
        request = pb.ClassifyRequest(
            image=images[0],
            examples=[pb.ClassExample(image=image, label=f"class {image.sha256}") for image in images[1:]],
        )
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await pb_grpc.InferenceServiceStub(stage.channel).Classify(request, timeout=20)
        error = error_from(failed.value)
        assert isinstance(error, errors.ImageNotFoundError)
        assert error.metadata["sha256"] == images[2].sha256
        assert [image.sha256 in one.images for image in images] == [True, True, False, False]


async def test_an_image_that_nobody_has_is_the_callers_to_put() -> None:
    """The service's own answer passes, so that the client puts the image and tries again."""
    async with two_models() as (stage, _one, _two):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await pb_grpc.InferenceServiceStub(stage.channel).Count(count_of("0" * 64), timeout=20)
        error = error_from(failed.value)
        assert isinstance(error, errors.ImageNotFoundError)
        assert error.metadata["sha256"] == "0" * 64


async def test_the_client_puts_once_and_asks_all_models() -> None:
    """The SDK's own way: a large image by hash, through the gateway, to two models."""
    pixels = np.random.default_rng(0).integers(2, 200, (1200, 1200), np.uint8)
    async with two_models() as (stage, one, two):

        def ask() -> list[int]:
            with Client(f"127.0.0.1:{stage.gateway.server.port}") as client:
                return [client.count(pixels, model=model).count for model in ("fake", "other", "fake")]

        counts = await asyncio.to_thread(ask)
        assert len(set(counts)) == 1
        assert len(stage.gateway.images) == len(one.images) == len(two.images) == 1


@dataclass
class SlowImages(image_service_pb2_grpc.ImageServiceServicer):
    """An image service that counts uploads and finishes one when told."""

    store: ImageStore = field(default_factory=lambda: ImageStore(1024**2))
    uploads: int = 0
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def PutImage(self, request_iterator: Any, context: Any) -> image_service_pb2.PutImageResponse:  # noqa: N802
        self.uploads += 1
        self.begun.set()
        await self.go.wait()
        return await image_servicer.ImageServicer(self.store, 1024**2).PutImage(request_iterator, context)


@asynccontextmanager
async def slow_upstream() -> AsyncIterator[tuple[Stage, SlowImages]]:
    """A gateway before a service whose uploads are slow; Count answers only with the image."""
    images = SlowImages()

    async def count(request: bytes, _context: Any) -> bytes:
        return images.store.get(pb.CountRequest.FromString(request).image.sha256)

    handler = grpc.method_handlers_generic_handler(
        INFERENCE.full_name, {"Count": grpc.unary_unary_rpc_method_handler(count)}
    )
    register = image_service_pb2_grpc.add_ImageServiceServicer_to_server
    async with (
        server(
            {
                INFERENCE.full_name: lambda made: made.add_generic_rpc_handlers((handler,)),
                image_servicer.NAME: lambda made: register(images, made),
            }
        ) as running,
        gateway({"any": f"127.0.0.1:{running.port}"}) as stage,
    ):
        yield stage, images


async def test_many_calls_wait_for_one_upload() -> None:
    """However many calls need an image at once, it is put once, and all of them are answered."""
    async with slow_upstream() as (stage, images):
        data = png(1)
        sha256 = await put(stage.channel, data)
        body = count_of(sha256).SerializeToString()
        calls = [asyncio.ensure_future(_ask(stage, body)) for _ in range(20)]
        await images.begun.wait()
        images.go.set()
        assert await asyncio.gather(*calls) == [data] * 20
        assert images.uploads == 1


async def test_an_upload_survives_the_call_that_began_it() -> None:
    """Whoever waits for the same upload is not harmed by one caller going away."""
    async with slow_upstream() as (stage, images):
        data = png(1)
        body = count_of(await put(stage.channel, data)).SerializeToString()
        first = stage.call("Count")(body, timeout=60)
        await images.begun.wait()
        first.cancel()
        second = asyncio.ensure_future(_ask(stage, body))
        images.go.set()
        assert await second == data
        assert images.uploads == 1


async def test_an_upload_that_fails_is_the_error_of_the_call() -> None:
    """A service that takes no such image says why, and the next call may try again."""
    async with (
        serving(max_image_bytes=100) as service,
        gateway({"fake": f"127.0.0.1:{service.server.port}"}) as stage,
    ):
        sha256 = await put(stage.channel, png(1))
        for attempts in (1, 2):
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await pb_grpc.InferenceServiceStub(stage.channel).Count(count_of(sha256), timeout=20)
            assert isinstance(error_from(failed.value), errors.ImageTooLargeError)
            address = f"127.0.0.1:{service.server.port}"
            assert stage.sample(PUSHES, upstream=address, code="INVALID_ARGUMENT") == attempts


async def _ask(stage: Stage, body: bytes) -> bytes:
    answer: bytes = await stage.call("Count")(body, timeout=60)
    return answer
