"""A real gRPC server with short answers, which fails when it is told to."""

# ruff: noqa: N802  (the methods are named as on the wire)
from __future__ import annotations

import asyncio
import hashlib
import inspect
import threading
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
from google.protobuf.duration_pb2 import Duration
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hooke import AsyncAnswerStream, AsyncClient, errors, wire
from hooke.errors import HookeError
from hooke.status import code_of, trailing_metadata_of
from hooke.v1 import conversation_pb2, mask_pb2, provenance_pb2
from hooke.v1 import evaluation_service_pb2 as evaluation_pb2
from hooke.v1 import evaluation_service_pb2_grpc as evaluation_grpc
from hooke.v1 import image_service_pb2 as image_pb2
from hooke.v1 import image_service_pb2_grpc as image_grpc
from hooke.v1 import inference_service_pb2 as inference_pb2
from hooke.v1 import inference_service_pb2_grpc as inference_grpc
from hooke.v1 import model_service_pb2 as model_pb2
from hooke.v1 import model_service_pb2_grpc as model_grpc

LABELS = np.array([[0, 1, 1], [2, 2, 0]], np.uint16)


@dataclass(frozen=True)
class Seen:
    """One call as the server saw it; the requests of a stream as a list."""

    method: str
    request: Any
    metadata: dict[str, str]
    seconds_left: float | None


@dataclass
class Lab(
    inference_grpc.InferenceServiceServicer,
    image_grpc.ImageServiceServicer,
    model_grpc.ModelServiceServicer,
    evaluation_grpc.EvaluationServiceServicer,
    health_pb2_grpc.HealthServicer,
):
    """Every service of Hooke, with models "m0", "m1", ... and evaluations "e0", "e1", ..."""

    seen: list[Seen] = field(default_factory=list)
    images: dict[str, bytes] = field(default_factory=dict)
    report: bytes = b"<report>"
    model_count: int = 2
    evaluation_count: int = 2
    failures: defaultdict[str, deque[HookeError]] = field(default_factory=lambda: defaultdict(deque))
    """Method -> the errors that its next calls end with."""
    request_id: str = ""
    """Of the evaluation that was created last."""
    state_message: str = ""
    done_counts: list[int] = field(default_factory=list)
    """Samples out of 100 that a watch shows as done, one after the other, before the states."""
    states: list[int] = field(default_factory=lambda: [2, 4])
    """States that a watch shows, one after the other."""
    hold: threading.Event = field(default_factory=threading.Event)
    """Inference waits until it is set, if `held` is."""
    held: bool = False
    entered: threading.Event = field(default_factory=threading.Event)
    """Set once inference waits."""
    watched: threading.Event = field(default_factory=threading.Event)
    """Set once a watch waits."""
    asleep: str = "asleep"
    """The service that is not serving."""
    remote: bool = False
    """Whether the models are those of a provider."""
    described: bool = True
    """Whether anything but the names of the models is known."""
    more_tasks: tuple[int, ...] = (99,)
    """What else they can do, by number on the wire; 99 is of a newer server."""
    countable: bool = False
    """Whether the models say that they can count."""
    wrote: str = ""
    """What models write to questions of classes and numbers instead of an answer."""
    pieces: tuple[str, ...] = ("Cells", ", ", "mostly.")
    """Of an answer in words."""
    finish_reason: Any = 1
    labels: Any = field(default_factory=LABELS.copy)
    """Of every image."""
    instances: tuple[mask_pb2.Instance, ...] = ()
    """That are found in every image."""
    unused: tuple[str, ...] = ()
    """Fields that the models have no use for."""
    whole: bool = True
    """Whether answers in words come with their end."""
    cancelled: threading.Event = field(default_factory=threading.Event)
    address: str = ""

    def calls(self, method: str) -> list[Seen]:
        return [call for call in self.seen if call.method == method]

    def _enter(self, method: str, request: Any, context: grpc.ServicerContext) -> None:
        left = context.time_remaining()
        self.seen.append(Seen(method, request, dict(context.invocation_metadata()), left))
        if self.failures[method]:
            self._fail(self.failures[method].popleft(), context)

    def _fail(self, error: HookeError, context: grpc.ServicerContext) -> None:
        context.set_trailing_metadata(trailing_metadata_of(error))
        context.abort(code_of(error), error.message)

    def _need(self, images: list[Any], context: grpc.ServicerContext) -> None:
        for image in images:
            if image.WhichOneof("source") == "sha256" and image.sha256 not in self.images:
                self._fail(errors.ImageNotFoundError("gone", metadata={"sha256": image.sha256}), context)

    def _need_shown(self, conversation: conversation_pb2.Conversation, context: grpc.ServicerContext) -> None:
        self._need([viewed.image for turn in conversation.turns for viewed in turn.images], context)

    def _wait(self, context: grpc.ServicerContext) -> None:
        if self.held:
            context.add_callback(self.cancelled.set)
            self.entered.set()
            self.hold.wait(30)

    def _provenance(self) -> provenance_pb2.Provenance:
        return provenance_pb2.Provenance(model="m", unused_fields=self.unused)

    def Segment(self, request, context):
        self._enter("Segment", request, context)
        self._need([request.image], context)
        self._wait(context)
        return inference_pb2.SegmentResponse(
            label_image=wire.label_image_to_proto(self.labels),
            instances=self.instances,
            provenance=self._provenance(),
        )

    def Count(self, request, context):
        self._enter("Count", request, context)
        self._need([request.image], context)
        if self.wrote:
            return inference_pb2.CountResponse(answer_outcome=2, written_answer={"text": self.wrote})
        return inference_pb2.CountResponse(count=7, answer_outcome=1, provenance=self._provenance())

    def Classify(self, request, context):
        self._enter("Classify", request, context)
        self._need([request.image, *(example.image for example in request.examples)], context)
        if self.wrote:
            written = conversation_pb2.WrittenAnswer(text=self.wrote, unparsed_reason="no class")
            return inference_pb2.ClassifyResponse(answer_outcome=3, written_answer=written)
        return inference_pb2.ClassifyResponse(
            label="a",
            probabilities=[inference_pb2.ClassProbability(label="a", probability=1)],
            answer_outcome=1,
            provenance=self._provenance(),
        )

    def Ask(self, request, context):
        self._enter("Ask", request, context)
        self._need_shown(request.conversation, context)
        return inference_pb2.AskResponse(text="".join(self.pieces), finish_reason=1)

    def StreamAsk(self, request, context):
        self._enter("StreamAsk", request, context)
        context.add_callback(self.cancelled.set)  # here, since a cancelled generator is not resumed
        self._need_shown(request.conversation, context)
        for piece in self.pieces:
            yield inference_pb2.StreamAskResponse(text_delta=piece)
            if self.failures["writing"]:
                self._fail(self.failures["writing"].popleft(), context)
            self._wait(context)
        if self.whole:
            usage = provenance_pb2.TokenUsage(input_token_count=90, output_token_count=3, cost_micro_usd=1200)
            end = inference_pb2.AskEnd(
                finish_reason=self.finish_reason,
                provenance=provenance_pb2.Provenance(model=request.model, model_version="1"),
                cost=provenance_pb2.Cost(token_usage=usage),
            )
            yield inference_pb2.StreamAskResponse(end=end)

    def PutImage(self, request_iterator, context):
        requests = list(request_iterator)
        self._enter("PutImage", requests, context)
        data = b"".join(request.chunk for request in requests[1:])
        assert hashlib.sha256(data).hexdigest() == requests[0].header.sha256
        assert len(data) == requests[0].header.size_bytes
        self.images[requests[0].header.sha256] = data
        return image_pb2.PutImageResponse(sha256=requests[0].header.sha256, size_bytes=len(data))

    def HasImage(self, request, context):
        self._enter("HasImage", request, context)
        return image_pb2.HasImageResponse(held=request.sha256 in self.images)

    def ListModels(self, request, context):
        self._enter("ListModels", request, context)
        items, token = _page(self.model_count, request)
        tasks = [1, 2, 3] if self.countable else [1, 2, *self.more_tasks]
        models = [
            model_pb2.ModelInfo(name=f"m{index}", state=2, tasks=tasks, remote=self.remote)
            if self.described
            else model_pb2.ModelInfo(name=f"m{index}", state=3)
            for index in items
        ]
        return model_pb2.ListModelsResponse(models=models, next_page_token=token)

    def GetModel(self, request, context):
        self._enter("GetModel", request, context)
        if request.model != "m0":
            self._fail(errors.UnknownModelError(f"no model {request.model}"), context)
        return model_pb2.GetModelResponse(model=model_pb2.ModelInfo(name="m0", state=2))

    def Check(self, request, context):
        if self.failures["Check"]:
            self._fail(self.failures["Check"].popleft(), context)
        if request.service == "unknown":
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return health_pb2.HealthCheckResponse(status=2 if request.service == self.asleep else 1)

    def CreateEvaluation(self, request, context):
        self._enter("CreateEvaluation", request, context)
        known = request.request_id == self.request_id
        self.request_id = request.request_id
        evaluation = self._evaluation("e0", 4 if known else 1)
        return evaluation_pb2.CreateEvaluationResponse(evaluation=evaluation)

    def GetEvaluation(self, request, context):
        self._enter("GetEvaluation", request, context)
        if request.evaluation_id != "e0":
            self._fail(errors.UnknownEvaluationError("no such evaluation"), context)
        return evaluation_pb2.GetEvaluationResponse(evaluation=self._evaluation("e0", 4))

    def ListEvaluations(self, request, context):
        self._enter("ListEvaluations", request, context)
        items, token = _page(self.evaluation_count, request)
        evaluations = [self._evaluation(f"e{index}", 4) for index in items]
        return evaluation_pb2.ListEvaluationsResponse(evaluations=evaluations, next_page_token=token)

    def WatchEvaluation(self, request, context):
        self._enter("WatchEvaluation", request, context)
        context.add_callback(self.cancelled.set)
        for count in self.done_counts:
            evaluation = self._evaluation("e0", 2)
            evaluation.task_progress[0].sample_count = 100
            evaluation.task_progress[0].scored_count = count
            yield evaluation_pb2.WatchEvaluationResponse(evaluation=evaluation)
        for state in self.states:
            yield evaluation_pb2.WatchEvaluationResponse(evaluation=self._evaluation("e0", state))
            if self.failures["watching"]:
                self._fail(self.failures["watching"].popleft(), context)
        if self.held:
            self.watched.set()
            self.hold.wait(30)

    def EstimateEvaluation(self, request, context):
        self._enter("EstimateEvaluation", request, context)
        estimates = [
            evaluation_pb2.TaskEstimate(
                task="t",
                model="m0",
                sample_count=1000,
                kept_count=100,
                call_count=900,
                known_answer_count=100,
                input_token_count=4500,
                cost_micro_usd=1_230_000,
                shortest_duration=Duration(seconds=60),
                longest_duration=Duration(seconds=600),
            ),
            evaluation_pb2.TaskEstimate(task="t", model="m1", sample_count=1000, call_count=1000),
        ]
        return evaluation_pb2.EstimateEvaluationResponse(task_estimates=estimates)

    def RescoreEvaluation(self, request, context):
        self._enter("RescoreEvaluation", request, context)
        return evaluation_pb2.RescoreEvaluationResponse(evaluation=self._evaluation("e0", 1))

    def CancelEvaluation(self, request, context):
        self._enter("CancelEvaluation", request, context)
        return evaluation_pb2.CancelEvaluationResponse(evaluation=self._evaluation("e0", 3))

    def ListSampleResults(self, request, context):
        self._enter("ListSampleResults", request, context)
        items, token = _page(450, request)
        results = [
            evaluation_pb2.SampleResult(
                sample_id=str(index),
                task=request.task,
                sample_outcome=1,
                metric_values=[evaluation_pb2.MetricValue(name="exact", value=1)],
            )
            for index in items
        ]
        return evaluation_pb2.ListSampleResultsResponse(sample_results=results, next_page_token=token)

    def GetReport(self, request, context):
        self._enter("GetReport", request, context)
        for start in range(0, len(self.report), 3):
            yield evaluation_pb2.GetReportResponse(chunk=self.report[start : start + 3])

    def _evaluation(self, evaluation_id: str, state: int) -> evaluation_pb2.Evaluation:
        progress = evaluation_pb2.TaskProgress(task="t", model="m0", sample_count=4, scored_count=2)
        return evaluation_pb2.Evaluation(
            evaluation_id=evaluation_id,
            request_id=self.request_id,
            suite_name="demo",
            state_message=self.state_message,
            models=["m0"],
            state=state,
            task_progress=[progress] if state != 1 else [],
        )


def _page(count: int, request: Any) -> tuple[range, str]:
    start = int(request.page_token or 0)
    end = min(start + request.page_size, count)
    return range(start, end), str(end) if end < count else ""


class BlockingAnswerStream(Iterator[str]):
    """An AsyncAnswerStream that is read like an AnswerStream."""

    def __init__(self, runner: asyncio.Runner, stream: AsyncAnswerStream) -> None:
        self._runner = runner
        self._stream = stream

    def __next__(self) -> str:
        async def advance() -> str | None:
            return await anext(self._stream, None)

        if (piece := self._runner.run(advance())) is None:
            raise StopIteration
        return piece

    def __enter__(self) -> BlockingAnswerStream:
        self._runner.run(self._stream.__aenter__())
        return self

    def __exit__(self, *error: Any) -> None:
        self._runner.run(self._stream.__aexit__(*error))

    def result(self) -> Any:
        return self._runner.run(self._stream.result())

    def close(self) -> None:
        self._runner.run(self._stream.close())


class BlockingAsyncClient:
    """An AsyncClient that is called like a Client, so that one test tells about both."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._runner = asyncio.Runner()
        self._client = AsyncClient(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            answer = method(*args, **kwargs)
            if isinstance(answer, AsyncAnswerStream):
                return BlockingAnswerStream(self._runner, answer)
            return self._iterate(answer) if inspect.isasyncgen(answer) else self._runner.run(answer)

        return call

    def _iterate(self, answers: AsyncGenerator[Any, None]) -> Iterator[Any]:
        async def advance() -> Any:
            return await anext(answers, self)

        try:
            while (answer := self._runner.run(advance())) is not self:
                yield answer
        finally:
            self._runner.run(answers.aclose())

    def end_loop(self) -> None:
        self._runner.close()
