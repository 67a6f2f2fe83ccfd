"""InferenceService over one hosted model: decode, admit, compute, encode."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import grpc

from hooke import errors, status
from hooke.images import View
from hooke.types import MaskFormat, Task
from hooke.v1 import image_pb2
from hooke.v1 import inference_service_pb2 as pb
from hooke.v1 import inference_service_pb2_grpc as pb_grpc
from runtime import answers, prompting
from runtime.admission import Place
from runtime.answer_size import check_size
from runtime.answers import Origin
from runtime.hosting import HostedModel
from runtime.image_store import ImageStore
from runtime.intake import Intake, TakenImage
from runtime.metrics import Metrics
from runtime.requests import (
    AskRequest,
    ClassQuestion,
    ObjectQuestion,
    read_ask_request,
    read_classify_request,
    read_object_request,
)
from runtime.scheduler import Computed
from runtime.settings import ModelServerSettings
from runtime.tasks import (
    Answer,
    Answerer,
    AskTask,
    Classifier,
    ClassifyTask,
    Counter,
    CountTask,
    Emitter,
    RemoteAnswerer,
    ScoreTask,
    Segmenter,
    SegmentTask,
    Turn,
)

NAME = pb.DESCRIPTOR.services_by_name["InferenceService"].full_name

Context = grpc.aio.ServicerContext[Any, Any]
T = TypeVar("T")
ResponseT = TypeVar("ResponseT", pb.SegmentResponse, pb.CountResponse)

_LEAST_S = 1e-3
"""Time that a caller is taken to have given at least: a deadline may have passed on the way."""


class InferenceServicer(pb_grpc.InferenceServiceServicer):
    """Adapts the wire to one model: convert, ask, convert.

    Whatever can segment can count. Whatever answers in words can classify and count: the question is put into
    words, and the answer is read from what the model writes. Images are decoded and answers encoded on a few
    threads, never on the event loop.

    Args:
        model: what answers.
        store: images that requests refer to by hash.
        settings: limits on images, and the deadline of streams that have none.
        metrics: of the process.
    """

    def __init__(
        self, model: HostedModel, store: ImageStore, settings: ModelServerSettings, metrics: Metrics
    ) -> None:
        self._model = model
        self._intake = Intake(model, store, settings)
        self._default_deadline_s = settings.default_deadline_s
        self._max_message_bytes = settings.max_message_bytes
        self._metrics = metrics

    def close(self) -> None:
        """End the threads."""
        self._intake.close()

    async def Segment(self, request: pb.SegmentRequest, context: Context) -> pb.SegmentResponse:  # noqa: N802
        """Find the objects of one image."""
        async with self._measured(Task.SEGMENT, context):
            self._model.require(request.model, Task.SEGMENT)
            question = read_object_request(request, self._model.kind, MaskFormat.LABEL_IMAGE)
            return await self._find_objects(question, Task.SEGMENT, context, answers.segment_response)

    async def Count(self, request: pb.CountRequest, context: Context) -> pb.CountResponse:  # noqa: N802
        """Count the objects of one image."""
        async with self._measured(Task.COUNT, context):
            self._model.require(request.model, Task.COUNT)
            question = read_object_request(request, self._model.kind, MaskFormat.NONE)
            if issubclass(self._model.kind, Counter):
                return await self._count(question, context)
            if issubclass(self._model.kind, Segmenter):
                return await self._find_objects(question, Task.COUNT, context, answers.count_response)
            return await self._count_in_words(question, context)

    async def Classify(self, request: pb.ClassifyRequest, context: Context) -> pb.ClassifyResponse:  # noqa: N802
        """Choose one of some classes for one image."""
        async with self._measured(Task.CLASSIFY, context):
            card = self._model.require(request.model, Task.CLASSIFY)
            question = read_classify_request(
                request, self._model.kind, examples_required=card.examples_required
            )
            if issubclass(self._model.kind, Classifier):
                return await self._classify(question, context)
            return await self._classify_in_words(question, context)

    async def Ask(self, request: pb.AskRequest, context: Context) -> pb.AskResponse:  # noqa: N802
        """Answer a question in words."""
        async with self._measured(Task.ASK, context), self._asking(request, context) as (origin, task):
            computed = await self._compute("answer", task, origin, task.timeout_s)
            end = answers.ask_end(origin, computed, _order(origin, task.turns))
            return pb.AskResponse(
                text=computed.answer.text,
                finish_reason=end.finish_reason,
                provenance=end.provenance,
                cost=end.cost,
            )

    async def StreamAsk(  # noqa: N802
        self, request: pb.StreamAskRequest, context: Context
    ) -> AsyncIterator[pb.StreamAskResponse]:
        """Answer a question in words, piece by piece as they are written."""
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def send(text: str) -> None:
            loop.call_soon_threadsafe(pieces.put_nowait, text)

        async with (
            self._measured(Task.ASK, context),
            self._asking(request, context, Emitter(send)) as (origin, task),
        ):
            answering = asyncio.ensure_future(self._compute("answer", task, origin, task.timeout_s))
            answering.add_done_callback(lambda _: pieces.put_nowait(None))
            try:
                while (piece := await pieces.get()) is not None:
                    yield pb.StreamAskResponse(text_delta=piece)
                computed = await answering
            finally:
                answering.cancel()
            yield pb.StreamAskResponse(end=answers.ask_end(origin, computed, _order(origin, task.turns)))

    async def _find_objects(
        self,
        question: ObjectQuestion,
        task: Task,
        context: Context,
        respond: Callable[[Origin, Computed, MaskFormat], ResponseT],
    ) -> ResponseT:
        started = time.perf_counter()
        kind = self._model.kind
        volume = issubclass(kind, Segmenter) and kind.takes_volume(question.parameters)
        if volume and question.mask_format is MaskFormat.RLE:
            raise errors.InvalidRequestError.of_field(
                "mask_format", "run lengths are two-dimensional; ask for a label image of the volume"
            )
        with self._model.queue.admit(task) as place:
            image = await self._intake.take(place, question.image, question.view, volume=volume)
            segment_task = SegmentTask(image.seen, question.diameter_px(image.raw), question.parameters)
            origin = Origin(self._model, image, started, unused=question.unused)
            computed = await self._compute(
                "segment", segment_task, origin, context.time_remaining(), self._object_key(question, image)
            )

            def encode() -> ResponseT:
                response = respond(origin, computed, question.mask_format)
                check_size(response, self._model.name, self._max_message_bytes)
                return response

            return await self._intake.off_loop(encode)

    async def _count(self, question: ObjectQuestion, context: Context) -> pb.CountResponse:
        started = time.perf_counter()
        with self._model.queue.admit(Task.COUNT) as place:
            image = await self._intake.take(place, question.image, question.view)
            count_task = CountTask(image.seen, question.diameter_px(image.raw), question.parameters)
            origin = Origin(self._model, image, started, unused=question.unused)
            computed = await self._compute(
                "count", count_task, origin, context.time_remaining(), self._object_key(question, image)
            )
            return answers.bare_count_response(origin, computed)

    async def _count_in_words(self, question: ObjectQuestion, context: Context) -> pb.CountResponse:
        started = time.perf_counter()
        with self._model.queue.admit(Task.COUNT) as place:
            image = await self._intake.take(place, question.image, question.view)
            examples = await self._take_examples(place, question.examples, question.view)
            asked = prompting.ask_count(
                image.seen,
                question.prompt,
                structured=self._structured,
                examples=[(example.seen, count) for example, count in examples],
            )
            others = tuple(example for example, _ in examples)
            origin = Origin(self._model, image, started, others, asked, question.unused)
            computed = await self._answer(asked, origin, question.parameters, context)
            reading = await self._read(asked, computed.answer)
            return answers.written_count_response(origin, computed, reading, _order(origin, asked.turns))

    async def _classify(self, question: ClassQuestion, context: Context) -> pb.ClassifyResponse:
        started = time.perf_counter()
        with self._model.queue.admit(Task.CLASSIFY) as place:
            image = await self._intake.take(place, question.image, question.view)
            examples = await self._take_examples(place, question.examples, question.view)
            task = ClassifyTask(
                image.seen, question.labels, tuple((example.seen, label) for example, label in examples)
            )
            key = (question.labels, tuple((example.raw.sha256, label) for example, label in examples))
            origin = Origin(self._model, image, started, unused=question.unused)
            computed = await self._compute("classify", task, origin, context.time_remaining(), key)
            return answers.class_response(origin, computed, question.labels)

    async def _classify_in_words(self, question: ClassQuestion, context: Context) -> pb.ClassifyResponse:
        started = time.perf_counter()
        with self._model.queue.admit(Task.CLASSIFY) as place:
            image = await self._intake.take(place, question.image, question.view)
            examples = await self._take_examples(place, question.examples, question.view)
            shown = [(example.seen, label) for example, label in examples]
            others = tuple(example for example, _ in examples)
            if question.by_likelihood:
                asked = prompting.ask_class_for_likelihood(
                    image.seen, question.labels, question.prompt, examples=shown
                )
                origin = Origin(self._model, image, started, others, asked, question.unused)
                score = ScoreTask(asked.turns, question.labels, asked.instructions, question.parameters)
                computed = await self._compute("score", score, origin, context.time_remaining())
                order = _order(origin, asked.turns)
                return answers.class_response(origin, computed, question.labels, order)
            asked = prompting.ask_class(
                image.seen, question.labels, question.prompt, structured=self._structured, examples=shown
            )
            origin = Origin(self._model, image, started, others, asked, question.unused)
            computed = await self._answer(asked, origin, question.parameters, context)
            reading = await self._read(asked, computed.answer)
            return answers.written_class_response(origin, computed, reading, _order(origin, asked.turns))

    async def _answer(
        self, asked: prompting.Asked, origin: Origin, parameters: Any, context: Context
    ) -> Computed:
        """Ask a model that takes words what was put into words."""
        left_s = self._left_s(context)
        task = AskTask(asked.turns, asked.instructions, asked.schema, parameters, left_s)
        return await self._compute("answer", task, origin, left_s)

    def _left_s(self, context: Context) -> float:
        """Seconds that a caller has left; those of the server where it set no deadline."""
        left_s = context.time_remaining()
        return self._default_deadline_s if left_s is None else left_s

    async def _read(self, asked: prompting.Asked, answer: Answer) -> prompting.Reading:
        """Read an answer; a long one takes its time."""
        return await self._intake.off_loop(lambda: asked.read(answer.text, answer.finish_reason))

    @asynccontextmanager
    async def _asking(
        self, request: AskRequest, context: Context, emit: Emitter | None = None
    ) -> AsyncIterator[tuple[Origin, AskTask]]:
        """Hold a place while a conversation is taken in and answered."""
        started = time.perf_counter()
        self._model.require(request.model, Task.ASK)
        question = read_ask_request(request, self._model.kind)
        with self._model.queue.admit(Task.ASK) as place:
            taken: list[TakenImage] = []
            turns = []
            for number, turn in enumerate(question.turns):
                seen = []
                for index, (message, view) in enumerate(turn.images):
                    path = f"conversation.turns[{number}].images[{index}]"
                    image = await self._intake.take(
                        place, message, view, field=f"{path}.image", view_field=f"{path}.view"
                    )
                    taken.append(image)
                    seen.append(image.seen)
                turns.append(Turn(turn.role, turn.text, tuple(seen)))
            origin = Origin(self._model, taken[0], started, tuple(taken[1:]))
            yield (
                origin,
                AskTask(
                    turns=tuple(turns),
                    instructions=question.instructions,
                    parameters=question.parameters,
                    timeout_s=self._left_s(context),
                    emit=emit,
                ),
            )

    async def _take_examples(
        self, place: Place, examples: Sequence[tuple[image_pb2.Image, T]], view: View | None
    ) -> list[tuple[TakenImage, T]]:
        """Take the examples in; they are seen as the image is."""
        taken = []
        for index, (message, truth) in enumerate(examples):
            field = f"examples[{index}].image"
            image = await self._intake.take(place, message, view, field=field, view_field=field)
            taken.append((image, truth))
        return taken

    async def _compute(
        self,
        method: str,
        task: SegmentTask | CountTask | ClassifyTask | AskTask | ScoreTask,
        origin: Origin,
        timeout_s: float | None,
        key: Hashable = None,
    ) -> Computed:
        """Queue a task for as long as its caller waits."""
        pixels = sum(image.pixel_count for image in (origin.image, *origin.others))
        try:
            return await self._model.queue.submit(method, task, key=key, pixels=pixels, timeout_s=timeout_s)
        finally:
            task.abandoned.set()  # answered or not: nobody waits any more

    @property
    def _structured(self) -> bool:
        kind = self._model.kind
        return issubclass(kind, Answerer | RemoteAnswerer) and kind.structured_output

    def _object_key(self, question: ObjectQuestion, image: TakenImage) -> Hashable:
        """Tasks of equal keys share a batch: where parameters, axes, type and size agree, or all."""
        if self._model.kind.mixed_batches:
            return None
        return (
            question.parameters,
            question.expected_diameter_px,
            question.expected_diameter_um,
            image.seen.axes,
            image.seen.pixels.dtype.name,
            image.seen.pixels.shape,
        )

    @asynccontextmanager
    async def _measured(self, task: Task, context: Context) -> AsyncIterator[None]:
        """Count the request by its code and reason, and take its time."""
        labels = (self._model.name, task)
        started, given_s = time.perf_counter(), self._left_s(context)
        code, reason = grpc.StatusCode.INTERNAL, str(errors.Reason.INTERNAL)
        try:
            yield
            code, reason = grpc.StatusCode.OK, ""
        except errors.HookeError as error:
            code, reason = status.code_of(error), error.reason or ""
            raise
        except (asyncio.CancelledError, GeneratorExit):
            code, reason = grpc.StatusCode.CANCELLED, ""
            raise
        finally:
            seconds = time.perf_counter() - started
            self._metrics.requests.labels(*labels, code.name, reason).inc()
            self._metrics.request_seconds.labels(*labels).observe(seconds)
            self._metrics.deadline_used.labels(*labels).observe(seconds / max(given_s, _LEAST_S))


def _order(origin: Origin, turns: Sequence[Turn]) -> list[TakenImage]:
    """The images of a request in the order in which they stand before the model."""
    by_seen = {id(image.seen): image for image in (origin.image, *origin.others)}
    return [by_seen[id(image)] for turn in turns for image in turn.images]
