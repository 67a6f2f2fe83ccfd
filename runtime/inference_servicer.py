"""InferenceService over one hosted model: decode, admit, compute, encode."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

import grpc
import numpy as np

from hooke import codecs, errors, masks, status, wire
from hooke.images import ImageLimits, Micrograph, View
from hooke.types import Cost, IntensityRange, MaskFormat, Provenance, RenderedImage, Task
from hooke.v1 import image_pb2
from hooke.v1 import inference_service_pb2 as pb
from hooke.v1 import inference_service_pb2_grpc as pb_grpc
from runtime.hosting import CODE_VERSION, HostedModel
from runtime.image_store import ImageStore
from runtime.metrics import Metrics
from runtime.requests import ObjectQuestion, moved, read_classify_request, read_object_request
from runtime.scheduler import Computed, Place
from runtime.settings import ModelServerSettings, usable_cores
from runtime.tasks import (
    Classification,
    ClassifyTask,
    Counter,
    CountTask,
    ObjectCount,
    Segmentation,
    SegmentTask,
)

NAME = pb.DESCRIPTOR.services_by_name["InferenceService"].full_name

Context = grpc.aio.ServicerContext[Any, Any]
T = TypeVar("T")


class InferenceServicer(pb_grpc.InferenceServiceServicer):
    """Adapts the wire to one model: convert, ask, convert.

    Images are decoded and answers encoded on a few threads, never on the event loop.

    Args:
        model: what answers.
        store: images that requests refer to by hash.
        settings: limits on images.
        metrics: of the process.
    """

    def __init__(
        self, model: HostedModel, store: ImageStore, settings: ModelServerSettings, metrics: Metrics
    ) -> None:
        self._model = model
        self._store = store
        self._limits = ImageLimits(max_bytes=settings.max_image_bytes)
        self._metrics = metrics
        self._threads = ThreadPoolExecutor(usable_cores(), thread_name_prefix="codec")

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def Segment(self, request: pb.SegmentRequest, context: Context) -> pb.SegmentResponse:  # noqa: N802
        """Find the objects of one image."""
        async with self._measured(Task.SEGMENT):
            self._model.require(request.model, Task.SEGMENT)
            question = read_object_request(request, self._model.kind, MaskFormat.LABEL_IMAGE)
            return await self._find_objects(question, Task.SEGMENT, context, _segment_response)

    async def Count(self, request: pb.CountRequest, context: Context) -> pb.CountResponse:  # noqa: N802
        """Count the objects of one image; whatever can segment can count."""
        async with self._measured(Task.COUNT):
            self._model.require(request.model, Task.COUNT)
            question = read_object_request(request, self._model.kind, MaskFormat.NONE)
            if issubclass(self._model.kind, Counter):
                return await self._count(question, context)
            return await self._find_objects(question, Task.COUNT, context, _count_response)

    async def Classify(self, request: pb.ClassifyRequest, context: Context) -> pb.ClassifyResponse:  # noqa: N802
        """Choose one of some classes for one image."""
        started = time.perf_counter()
        async with self._measured(Task.CLASSIFY):
            card = self._model.require(request.model, Task.CLASSIFY)
            question = read_classify_request(request, examples_required=card.examples_required)
            with self._model.queue.admit(Task.CLASSIFY) as place:
                image = await self._decode(place, question.image, question.view, "image")
                examples = [
                    (await self._decode(place, example, None, f"examples[{index}].image"), label)
                    for index, (example, label) in enumerate(question.examples)
                ]
                task = ClassifyTask(image, question.labels, tuple(examples))
                key = (question.labels, tuple((example.sha256, label) for example, label in examples))
                computed = await self._compute("classify", task, key, context)
                answer: Classification = computed.answer
                ranked = sorted(
                    zip(question.labels, answer.probabilities, strict=True), key=lambda pair: -pair[1]
                )
                return pb.ClassifyResponse(
                    label=ranked[0][0],
                    probabilities=[
                        pb.ClassProbability(label=label, probability=value) for label, value in ranked
                    ],
                    provenance=wire.provenance_to_proto(self._provenance(image, answer)),
                    cost=wire.cost_to_proto(_cost(computed, started)),
                )

    async def _find_objects(
        self,
        question: ObjectQuestion,
        task: Task,
        context: Context,
        respond: Callable[..., T],
    ) -> T:
        started = time.perf_counter()
        with self._model.queue.admit(task) as place:
            image = await self._decode(place, question.image, question.view, "image")
            segment_task = SegmentTask(image, question.diameter_px(image), question.parameters)
            computed = await self._compute("segment", segment_task, _batch_key(question, image), context)

            def encode() -> T:
                answer: Segmentation = computed.answer
                instances = masks.measure(answer.labels, image, answer.scores, answer.info_bar)
                if question.mask_format is MaskFormat.RLE:
                    rles = masks.encode_labels(answer.labels)
                    instances = tuple(replace(found, rle=rles[found.label]) for found in instances)
                wanted = question.mask_format is MaskFormat.LABEL_IMAGE
                return respond(
                    instances=wire.instances_to_proto(
                        instances, width_px=image.width_px, height_px=image.height_px
                    ),
                    label_image=wire.label_image_to_proto(answer.labels) if wanted else None,
                    provenance=wire.provenance_to_proto(self._provenance(image, answer)),
                    cost=wire.cost_to_proto(_cost(computed, started)),
                )

            return await self._off_loop(encode)

    async def _count(self, question: ObjectQuestion, context: Context) -> pb.CountResponse:
        started = time.perf_counter()
        with self._model.queue.admit(Task.COUNT) as place:
            image = await self._decode(place, question.image, question.view, "image")
            count_task = CountTask(image, question.diameter_px(image), question.parameters)
            computed = await self._compute("count", count_task, _batch_key(question, image), context)
            answer: ObjectCount = computed.answer
            return pb.CountResponse(
                count=answer.count,
                provenance=wire.provenance_to_proto(self._provenance(image, answer)),
                cost=wire.cost_to_proto(_cost(computed, started)),
            )

    async def _compute(
        self, method: str, task: SegmentTask | CountTask | ClassifyTask, key: Hashable, context: Context
    ) -> Computed:
        """Queue a task for as long as its caller waits."""
        return await self._model.queue.submit(
            method,
            task,
            key=key,
            pixels=task.image.height_px * task.image.width_px,
            timeout_s=context.time_remaining(),
        )

    async def _decode(
        self, place: Place, message: image_pb2.Image, view: View | None, field: str
    ) -> Micrograph:
        """Read the header, hold the memory, decode, and choose the view that the model is to see."""
        card = self._model.card
        # Files are resolved here: the store belongs to the event loop, decoding happens on threads.
        source = message.WhichOneof("source")
        data = self._store.get(message.sha256) if source == "sha256" else message.encoded

        def size_bytes() -> int:
            if source == "pixels":
                return len(message.pixels.data)
            header = codecs.read_header(data, self._limits)
            return math.prod(header.shape) * np.dtype(header.dtype).itemsize

        def decode() -> Micrograph:
            whole = codecs.from_image_proto(message, lambda _sha256: data, self._limits)
            return codecs.select_view(whole, view, card.max_channel_count)

        try:
            place.hold(await self._off_loop(size_bytes))
            image = await self._off_loop(decode)
        except errors.InvalidRequestError as error:
            if field == "image":
                raise
            raise moved(error, field) from error
        pixels = image.height_px * image.width_px
        if pixels > card.max_image_pixels:
            raise errors.ImageTooLargeError(
                f"{field}: {image.height_px} x {image.width_px} are {pixels} pixels; "
                f"{self._model.name} takes {card.max_image_pixels}"
            )
        return image

    def _provenance(
        self, image: Micrograph, answer: Segmentation | ObjectCount | Classification
    ) -> Provenance:
        card = self._model.card
        ranges: tuple[IntensityRange, ...] = answer.intensity_ranges
        return Provenance(
            model=self._model.name,
            model_version=card.version,
            weights_digest=card.weights_digest,
            code_version=CODE_VERSION,
            image_sha256=image.sha256,
            rendered_image=RenderedImage(
                width_px=image.width_px,
                height_px=image.height_px,
                axes=image.axes,
                sample_type=image.pixels.dtype.name,
                intensity_ranges=ranges,
            ),
            parameters=answer.parameters,
            pixel_size=image.pixel_size,
            info_bar_box=answer.info_bar if isinstance(answer, Segmentation) else None,
        )

    async def _off_loop(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    @asynccontextmanager
    async def _measured(self, task: Task) -> AsyncIterator[None]:
        """Count the request by its code and take its time."""
        labels = (self._model.name, task)
        started = time.perf_counter()
        code = grpc.StatusCode.INTERNAL
        try:
            yield
            code = grpc.StatusCode.OK
        except errors.HookeError as error:
            code = status.code_of(error)
            raise
        except asyncio.CancelledError:
            code = grpc.StatusCode.CANCELLED
            raise
        finally:
            self._metrics.requests.labels(*labels, code.name).inc()
            self._metrics.request_seconds.labels(*labels).observe(time.perf_counter() - started)


def _segment_response(**fields: Any) -> pb.SegmentResponse:
    return pb.SegmentResponse(**fields)


def _count_response(**fields: Any) -> pb.CountResponse:
    return pb.CountResponse(count=len(fields["instances"]), **fields)


def _batch_key(question: ObjectQuestion, image: Micrograph) -> Hashable:
    """Tasks share a batch where parameters, axes, type and size agree."""
    return (
        question.parameters,
        question.expected_diameter_px,
        question.expected_diameter_um,
        image.axes,
        image.pixels.dtype.name,
        image.pixels.shape,
    )


def _cost(computed: Computed, started: float) -> Cost:
    return Cost(
        queue_s=computed.queue_s,
        compute_s=computed.compute_s,
        total_s=time.perf_counter() - started,
        batch_size=computed.batch_size,
    )
