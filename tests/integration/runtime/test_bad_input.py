"""Bad images and bad requests: always a typed error, never INTERNAL, and the server goes on."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator

import grpc
import numpy as np
import pytest

from hooke import errors, status
from hooke.v1 import (
    image_pb2,
    image_service_pb2,
    image_service_pb2_grpc,
    model_service_pb2,
    model_service_pb2_grpc,
    parameters_pb2,
)
from hooke.v1 import inference_service_pb2 as pb
from hooke.v1 import inference_service_pb2_grpc as pb_grpc
from tests.malformed import malformed_images
from tests.raw_images import raw_image
from tests.servers import connected

NOT_OURS = {errors.Reason.INTERNAL, errors.Reason.DEADLINE_EXCEEDED, errors.Reason.QUEUE_FULL}


async def refused(call: grpc.aio.UnaryUnaryCall[object, object]) -> errors.HookeError | None:
    """The typed error of a call; None where it succeeded."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return status.error_from(error)
    return None


async def test_malformed_images_get_typed_errors() -> None:
    """Truncated, mutated and lying files of every format, 240 of them."""
    async with connected() as (_service, channel):
        stub = pb_grpc.InferenceServiceStub(channel)
        seen = 0
        for name, data in malformed_images(seed=7, count=240):
            request = pb.SegmentRequest(image=image_pb2.Image(encoded=data))
            error = await refused(stub.Segment(request, timeout=60))
            if error is not None:
                seen += 1
                assert error.reason is not None, name
                assert error.reason not in NOT_OURS, (name, error)
        assert seen >= 200
        assert (await stub.Segment(pb.SegmentRequest(image=raw_image()), timeout=60)).instances


def malformed_requests(seed: int, count: int) -> Iterator[tuple[str, pb.SegmentRequest]]:
    """Requests that break a rule of the wire, each with the field that the answer must name."""
    chooser = random.Random(seed)

    def number() -> float:
        return chooser.choice([0.0, -1.0, -1e300, float("nan"), float("inf"), -float("inf")])

    def pixels(**wrong: object) -> image_pb2.Image:
        image = raw_image()
        pixels = image.pixels
        if "data" in wrong:
            pixels.data = pixels.data[: chooser.randrange(63)]
        if "shape" in wrong:
            del pixels.shape[:]
            shapes: list[list[int]] = [[], [0, 8], [-8, -8], [8], [8, 8, 8], [2**40, 2**40], [64], [1, 64, 1]]
            pixels.shape.extend(chooser.choice(shapes))
        if "pixel_type" in wrong:
            pixels.pixel_type = chooser.choice([0, 9, 1000])  # type: ignore[assignment]
        if "axes" in wrong:
            image.axes = chooser.choice(["", "XX", "YZ", "Q", "YXYX", "yx", "TCZYXS" * 9])
        return image

    def diameter() -> pb.SegmentRequest:
        return pb.SegmentRequest(image=raw_image(), expected_diameter_px=number())

    def pixel_size() -> pb.SegmentRequest:
        image = raw_image()
        image.pixel_size.pixel_size_x_um = number()
        image.pixel_size.pixel_size_y_um = 1.0
        return pb.SegmentRequest(image=image)

    def depth() -> pb.SegmentRequest:
        image = raw_image()
        image.bit_depth = chooser.choice([0, -1, 33, 2**31 - 1])
        return pb.SegmentRequest(image=image)

    def view() -> pb.SegmentRequest:
        request = pb.SegmentRequest(image=raw_image())
        chosen = chooser.randrange(3)
        if chosen == 0:
            request.view.time_index = chooser.choice([-1, 1, 2**31 - 1])
        elif chosen == 1:
            request.view.channel_indices.append(chooser.choice([-1, 1, 2**31 - 1]))
        else:
            request.view.z_projection = chooser.choice([7, 1000])  # type: ignore[assignment]
        return request

    def layout() -> pb.SegmentRequest:
        return pb.SegmentRequest(image=pixels(**{chooser.choice(["shape", "pixel_type", "axes"]): 1}))

    makers = {
        "image": pb.SegmentRequest,
        "image.pixels.data": lambda: pb.SegmentRequest(image=pixels(data=1)),
        "image.": lambda: pb.SegmentRequest(
            image=pixels(**{chooser.choice(["shape", "pixel_type", "axes"]): 1})
        ),
        "expected_diameter_px": diameter,
        "image.pixel_size": pixel_size,
        "image.bit_depth": depth,
        "view": view,
        "mask_format": lambda: pb.SegmentRequest(image=raw_image(), mask_format=chooser.randrange(4, 99)),  # type: ignore[arg-type]
        "expected_diameter_um": lambda: pb.SegmentRequest(image=raw_image(), expected_diameter_um=5.0),
        "classical": lambda: pb.SegmentRequest(
            image=raw_image(), classical=parameters_pb2.ClassicalParameters()
        ),
        "image.sha256": lambda: pb.SegmentRequest(
            image=image_pb2.Image(sha256=chooser.choice(["zz", "A" * 64, "é" * 64]))
        ),
    }
    names = list(makers)
    for index in range(count):
        name = names[index % len(names)]
        yield name, makers[name]()


async def test_malformed_requests_name_the_field() -> None:
    """220 requests that break a rule of the wire."""
    async with connected() as (_service, channel):
        stub = pb_grpc.InferenceServiceStub(channel)
        for field, request in malformed_requests(seed=11, count=220):
            error = await refused(stub.Segment(request, timeout=60))
            assert error is not None, (field, request)
            assert error.reason not in NOT_OURS, (field, error)
            if error.reason is errors.Reason.INVALID_REQUEST:
                assert any(found.field.startswith(field) for found in error.violations), (field, error)
        assert (await stub.Segment(pb.SegmentRequest(image=raw_image()), timeout=60)).instances


async def test_an_example_that_cannot_be_read_is_named() -> None:
    """The error of a file says which of the images it is."""
    example = pb.ClassExample(image=image_pb2.Image(encoded=b"no image"), label="dark")
    request = pb.ClassifyRequest(image=raw_image(), labels=["dark", "bright"], examples=[example])
    async with connected() as (_service, channel):
        error = await refused(pb_grpc.InferenceServiceStub(channel).Classify(request, timeout=20))
        assert isinstance(error, errors.ImageUnreadableError)
        assert error.message.startswith("examples[0].image: ")


async def test_all_faults_of_a_request_are_named_at_once() -> None:
    """One answer, several violations."""
    async with connected() as (_service, channel):
        request = pb.SegmentRequest(expected_diameter_px=-1, mask_format=99)  # type: ignore[arg-type]
        error = await refused(pb_grpc.InferenceServiceStub(channel).Segment(request, timeout=20))
        assert isinstance(error, errors.InvalidRequestError)
        named = {found.field for found in error.violations}
        assert named == {"image", "expected_diameter_px", "mask_format"}


async def test_bytes_that_are_no_message_are_refused() -> None:
    """Random bytes as a request never reach the model, and the server goes on."""
    chooser = np.random.default_rng(3)
    async with connected() as (_service, channel):
        raw = channel.unary_unary("/hooke.v1.InferenceService/Segment")
        for _ in range(50):
            with pytest.raises(grpc.aio.AioRpcError):
                await raw(chooser.bytes(64), timeout=20)
        stub = pb_grpc.InferenceServiceStub(channel)
        assert (await stub.Segment(pb.SegmentRequest(image=raw_image()), timeout=60)).instances


def upload(*parts: object) -> list[image_service_pb2.PutImageRequest]:
    """Messages of an upload: pairs are headers, bytes are chunks."""
    messages = []
    for part in parts:
        if isinstance(part, tuple):
            header = image_service_pb2.ImageHeader(sha256=part[0], size_bytes=part[1])
            messages.append(image_service_pb2.PutImageRequest(header=header))
        elif isinstance(part, bytes):
            messages.append(image_service_pb2.PutImageRequest(chunk=part))
        else:
            messages.append(image_service_pb2.PutImageRequest())
    return messages


GOOD = hashlib.sha256(b"abcd").hexdigest()


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ((), "header"),
        ((b"abcd",), "header"),
        ((None,), "header"),
        (((GOOD, 4), (GOOD, 4), b"abcd"), "part"),
        (((GOOD, 4), b"abcd", None), "part"),
        (((GOOD.upper(), 4), b"abcd"), "header.sha256"),
        ((("12", 4), b"abcd"), "header.sha256"),
        (((GOOD, 0),), "header.size_bytes"),
        (((GOOD, -4), b"abcd"), "header.size_bytes"),
        (((GOOD, 3), b"abcd"), "chunk"),
        (((GOOD, 4), b"abcd", b""), "chunk"),
        (((GOOD, 5), b"abcd"), "chunk"),
        (((GOOD, 4), b"abce"), "header.sha256"),
    ],
)
async def test_a_wrong_upload_names_what_is_wrong(parts: tuple[object, ...], field: str) -> None:
    """Nothing of it is kept."""
    async with connected() as (service, channel):
        stub = image_service_pb2_grpc.ImageServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stub.PutImage(iter(upload(*parts)), timeout=20)
        error = status.error_from(failed.value)
        assert isinstance(error, errors.InvalidRequestError)
        assert [found.field for found in error.violations] == [field]
        assert len(service.images) == 0
        await stub.PutImage(iter(upload((GOOD, 4), b"ab", b"cd")), timeout=20)
        assert (await stub.HasImage(image_service_pb2.HasImageRequest(sha256=GOOD))).held


async def test_an_upload_beyond_the_limit_is_refused_at_its_header() -> None:
    """No byte of it needs to be sent."""
    async with connected(max_image_bytes=1000) as (_service, channel):
        stub = image_service_pb2_grpc.ImageServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stub.PutImage(iter(upload((GOOD, 1001))), timeout=20)
        assert isinstance(status.error_from(failed.value), errors.ImageTooLargeError)


async def test_an_image_that_is_not_held_is_named() -> None:
    """The SDK learns which image to put."""
    async with connected() as (_service, channel):
        request = pb.SegmentRequest(image=image_pb2.Image(sha256=GOOD))
        error = await refused(pb_grpc.InferenceServiceStub(channel).Segment(request, timeout=20))
        assert isinstance(error, errors.ImageNotFoundError)
        assert error.metadata["sha256"] == GOOD


@pytest.mark.parametrize(
    "request_",
    [
        model_service_pb2.ListModelsRequest(page_size=0),
        model_service_pb2.ListModelsRequest(page_size=1001),
        model_service_pb2.ListModelsRequest(page_token="nonsense"),
        model_service_pb2.ListModelsRequest(page_token="bzE="[:3]),
    ],
)
async def test_wrong_pages_are_refused(request_: model_service_pb2.ListModelsRequest) -> None:
    """Page sizes have bounds and tokens are opaque."""
    async with connected() as (_service, channel):
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        error = await refused(stub.ListModels(request_, timeout=20))
        assert isinstance(error, errors.InvalidRequestError)
