"""What the clients do, step by step, without doing it.

A plan is a generator: it yields steps (call this method, run this function, wait), is sent what came of
each, and returns the result. The synchronous and the asynchronous client differ only in how they carry out
a step, so every rule about images, retries and pages is written here, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from hooke import errors, types, wire
from hooke._carriage import Upload, at_hand, upload_of
from hooke._channel import new_request_id
from hooke._requests import (
    ObjectOptions,
    Question,
    WordOptions,
    ask_question,
    checked_member,
    checked_model,
    classify_question,
    count_question,
    segment_question,
)
from hooke._steps import PING, Call, KnownImages, Open, Page, Patience, Pause, Plan, Work
from hooke.conversations import Prompt, Turn
from hooke.errors import HookeError, InvalidRequestError
from hooke.images import ImageSource, View
from hooke.parameters import WordParameters
from hooke.v1 import evaluation_service_pb2 as evaluation_pb2
from hooke.v1 import image_service_pb2, inference_service_pb2, model_service_pb2

R = TypeVar("R")

PAGE_SIZE = 200


def explained(plan: Plan[R]) -> Plan[R]:
    """Carry out a plan; where a deadline passed for want of a connection, say that instead."""
    try:
        return (yield from plan)
    except errors.DeadlineExceededError as late:
        if "code" not in late.metadata:  # the server itself said so, hence there is one
            raise
        try:
            yield Call("Check", PING, probe=True)
        except errors.UnavailableError as away:
            raise away from late
        except HookeError:
            pass
        raise


def segment(image: ImageSource, options: ObjectOptions, known: KnownImages) -> Plan[types.SegmentResult]:
    """Find the objects in an image."""
    prepare = partial(segment_question, image, options)
    return _answer("Segment", options.model, [image], prepare, wire.segment_result_from_proto, known)


def count(
    image: ImageSource,
    options: ObjectOptions,
    *,
    examples: Iterable[tuple[ImageSource, int]],
    prompt: Prompt | None,
    known: KnownImages,
) -> Plan[types.CountResult]:
    """Count the objects in an image."""
    examples = tuple(examples)
    images = [image, *(source for source, _ in examples)]
    prepare = partial(count_question, image, options, examples=examples, prompt=prompt)
    return _answer("Count", options.model, images, prepare, wire.count_result_from_proto, known)


def classify(
    image: ImageSource,
    *,
    model: str,
    labels: Sequence[str],
    examples: Iterable[tuple[ImageSource, str]],
    view: View | None,
    prompt: Prompt | None,
    parameters: WordParameters | None,
    known: KnownImages,
) -> Plan[types.ClassifyResult]:
    """Say which class an image belongs to."""
    examples = tuple(examples)
    images = [image, *(source for source, _ in examples)]
    prepare = partial(
        classify_question,
        image,
        model=model,
        labels=labels,
        examples=examples,
        view=view,
        prompt=prompt,
        parameters=parameters,
    )
    return _answer("Classify", model, images, prepare, wire.classify_result_from_proto, known)


def ask(turns: Sequence[Turn], options: WordOptions, known: KnownImages) -> Plan[types.AskResult]:
    """Answer a question in words."""
    images = [image for turn in turns for image in turn.images]
    prepare = partial(ask_question, inference_service_pb2.AskRequest, turns, options)
    return _answer("Ask", options.model, images, prepare, wire.ask_result_from_proto, known)


def stream_ask(turns: Sequence[Turn], options: WordOptions, known: KnownImages) -> Plan[Any]:
    """Answer a question in words, piece by piece: returns the iterator of `Open`."""
    question = yield Work(partial(ask_question, inference_service_pb2.StreamAskRequest, turns, options))
    return (yield from _pose(question, Open(Call("StreamAsk", question.request, options.model)), known))


def _answer(
    method: str,
    model: str,
    images: Sequence[ImageSource],
    prepare: Callable[[], Question],
    read: Callable[[Any], R],
    known: KnownImages,
) -> Plan[R]:
    question: Question = prepare() if at_hand(images) else (yield Work(prepare))
    response = yield from _pose(question, Call(method, question.request, model), known)
    masks = method in {"Segment", "Count"}  # take time to decode; words do not
    result: R = (yield Work(partial(read, response))) if masks else read(response)
    return result


def _pose(question: Question, step: Call | Open, known: KnownImages) -> Plan[Any]:
    """Ask a model; put the images that are too large for the request, and again if the server forgot them."""
    model = step.model if isinstance(step, Call) else step.call.model
    for upload in question.uploads:
        yield from _ensure(upload, model, known)
    try:
        return (yield step)
    except errors.ImageNotFoundError as error:
        if not question.uploads:
            raise
        for upload in question.uploads:
            known.forget(model, upload.sha256)
            if upload.sha256 == error.metadata.get("sha256"):
                yield from _put(upload, model, known)
            else:
                yield from _ensure(upload, model, known)
    return (yield step)


def _ensure(upload: Upload, model: str, known: KnownImages) -> Plan[None]:
    if known.has(model, upload.sha256):
        return
    if (yield from _has(upload.sha256, model)):
        known.add(model, upload.sha256)
    else:
        yield from _put(upload, model, known)


def _has(sha256: str, model: str) -> Plan[bool]:
    """Ask whether the server holds an image."""
    request = image_service_pb2.HasImageRequest(sha256=sha256)
    response = yield Call("HasImage", request, model)
    return bool(response.held)


def _put(upload: Upload, model: str, known: KnownImages) -> Plan[str]:
    """Put an image; try again where that can help, since gRPC does not repeat uploads. Returns its hash."""
    patience = Patience()
    while True:
        try:
            yield Call("PutImage", upload.messages(), model)
        except HookeError as error:
            yield Pause(patience.seconds_after(error))
        else:
            known.add(model, upload.sha256)
            return upload.sha256


def put_image(image: ImageSource, model: str, known: KnownImages) -> Plan[str]:
    """Load an image and put it."""
    checked_model(model)
    upload: Upload = yield Work(partial(upload_of, image))
    return (yield from _put(upload, model, known))


def has_image(image: ImageSource, model: str) -> Plan[bool]:
    """Load an image and ask whether the server holds it."""
    checked_model(model)
    upload: Upload = yield Work(partial(upload_of, image))
    return (yield from _has(upload.sha256, model))


def models() -> Plan[tuple[types.ModelInfo, ...]]:
    """List the models, all pages of them."""
    found: list[types.ModelInfo] = []
    token = ""
    while True:
        request = model_service_pb2.ListModelsRequest(page_size=PAGE_SIZE, page_token=token)
        response = yield Call("ListModels", request)
        found.extend(wire.model_info_from_proto(message) for message in response.models)
        token = response.next_page_token
        if not token:
            return tuple(found)


def model(name: str) -> Plan[types.ModelInfo]:
    """Describe one model."""
    request = model_service_pb2.GetModelRequest(model=checked_model(name))
    response = yield Call("GetModel", request, name)
    return wire.model_info_from_proto(response.model)


def serving(service: str) -> Plan[bool | None]:
    """Ask a server for the health of one of its services."""
    request = health_pb2.HealthCheckRequest(service=service)
    try:
        response = yield Call("Check", request)
    except (errors.NotFoundError, errors.TaskNotSupportedError):
        return None
    return bool(response.status == health_pb2.HealthCheckResponse.SERVING)


def evaluation_request(
    *,
    suite_name: str | None,
    suite_yaml: str | None,
    models: Sequence[str],
    data_dir: str,
    sample_limit: int | None,
    limits: types.EvaluationLimits | None,
    reuse_answers: bool,
    request_id: str | None,
) -> evaluation_pb2.CreateEvaluationRequest:
    """The request for an evaluation; raises InvalidRequestError where two suites are named."""
    if suite_name is not None and suite_yaml is not None:
        raise InvalidRequestError.of_field("suite", "give suite_name or suite_yaml, not both")
    return evaluation_pb2.CreateEvaluationRequest(
        request_id=request_id or new_request_id(),
        suite_name=suite_name,
        suite_yaml=suite_yaml,
        models=models,
        data_dir=data_dir,
        sample_limit=sample_limit,
        limits=None if limits is None else wire.evaluation_limits_to_proto(limits),
        reuse_answers=reuse_answers,
    )


def create_evaluation(request: evaluation_pb2.CreateEvaluationRequest) -> Plan[types.Evaluation]:
    """Start an evaluation, or take up the one of this `request_id`."""
    return (yield from _about_evaluation("CreateEvaluation", request))


def estimate_evaluation(
    request: evaluation_pb2.CreateEvaluationRequest,
) -> Plan[tuple[types.TaskEstimate, ...]]:
    """Say what an evaluation would take."""
    asked = evaluation_pb2.EstimateEvaluationRequest(evaluation_request=request)
    response = yield Call("EstimateEvaluation", asked)
    return tuple(wire.task_estimate_from_proto(message) for message in response.task_estimates)


def rescore_evaluation(evaluation_id: str) -> Plan[types.Evaluation]:
    """Compute the metrics of an evaluation again."""
    request = evaluation_pb2.RescoreEvaluationRequest(evaluation_id=evaluation_id)
    return (yield from _about_evaluation("RescoreEvaluation", request))


def evaluation(evaluation_id: str) -> Plan[types.Evaluation]:
    """Describe one evaluation."""
    request = evaluation_pb2.GetEvaluationRequest(evaluation_id=evaluation_id)
    return (yield from _about_evaluation("GetEvaluation", request))


def cancel_evaluation(evaluation_id: str) -> Plan[types.Evaluation]:
    """Ask an evaluation to stop."""
    request = evaluation_pb2.CancelEvaluationRequest(evaluation_id=evaluation_id)
    return (yield from _about_evaluation("CancelEvaluation", request))


def _about_evaluation(method: str, request: Message) -> Plan[types.Evaluation]:
    response = yield Call(method, request)
    return wire.evaluation_from_proto(response.evaluation)


def watch(evaluation_id: str) -> Call:
    """Follow one evaluation; the call streams."""
    request = evaluation_pb2.WatchEvaluationRequest(evaluation_id=evaluation_id)
    return Call("WatchEvaluation", request)


def page_of_evaluations(token: str) -> Plan[Page[types.Evaluation]]:
    """List one page of the evaluations."""
    request = evaluation_pb2.ListEvaluationsRequest(page_size=PAGE_SIZE, page_token=token)
    response = yield Call("ListEvaluations", request)
    return Page(
        tuple(wire.evaluation_from_proto(message) for message in response.evaluations),
        response.next_page_token or None,
    )


def page_of_sample_results(
    evaluation_id: str, task: str, model: str, token: str
) -> Plan[Page[types.SampleResult]]:
    """List one page of the results of single samples."""
    request = evaluation_pb2.ListSampleResultsRequest(
        evaluation_id=evaluation_id, task=task, model=model, page_size=PAGE_SIZE, page_token=token
    )
    response = yield Call("ListSampleResults", request)
    return Page(
        tuple(wire.sample_result_from_proto(message) for message in response.sample_results),
        response.next_page_token or None,
    )


def report(evaluation_id: str, report_format: types.ReportFormat | str, compared_to: str = "") -> Plan[bytes]:
    """Fetch a report, whole."""
    number = wire.REPORT_FORMATS.number(checked_member(types.ReportFormat, report_format, "report_format"))
    request = evaluation_pb2.GetReportRequest(
        evaluation_id=evaluation_id, report_format=number, compared_to_evaluation_id=compared_to
    )
    responses = yield Call("GetReport", request)
    return b"".join(response.chunk for response in responses)
