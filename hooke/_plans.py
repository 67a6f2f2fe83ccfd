"""What the clients do, step by step, without doing it.

A plan is a generator: it yields steps (call this method, run this function, wait), is sent what came of
each, and returns the result. The synchronous and the asynchronous client differ only in how they carry out
a step, so every rule about images, retries and pages is written here, once.
"""

from __future__ import annotations

import math
import random
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from hooke import errors, types, wire
from hooke._channel import MAX_ATTEMPTS, Deadline, new_request_id
from hooke._requests import (
    ImageSource,
    ObjectOptions,
    Question,
    Upload,
    checked_model,
    classify_question,
    objects_question,
    upload_of,
)
from hooke.errors import TABLE, HookeError, Retry
from hooke.images import View
from hooke.v1 import evaluation_service_pb2 as evaluation_pb2
from hooke.v1 import image_service_pb2, inference_service_pb2, model_service_pb2

R = TypeVar("R")
T = TypeVar("T")

PAGE_SIZE = 200
PROBE_S = 1.0


@dataclass(frozen=True, slots=True)
class Call:
    """Call a method.

    The answer is a message; for a method that streams answers, a list of them.

    Attributes:
        method: a key of `METHODS`.
        request: a message, or an iterator of them for a method that takes a stream.
        model: which model it is for, where it is for one.
        probe: fail at once if there is no connection, and within a second in any case.
    """

    method: str
    request: Message | Iterator[Message]
    model: str = ""
    probe: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """Run a function that takes time: it reads a file, hashes, or decodes."""

    function: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait."""

    seconds: float


Step = Call | Work | Pause
Plan = Generator[Step, Any, R]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a list, with the token of the next one; None: this is the last."""

    items: tuple[T, ...]
    next_token: str | None


class Patience:
    """Decides whether another attempt can help, and after how long; finite in attempts."""

    def __init__(self) -> None:
        self._failures = 0

    def reset(self) -> None:
        """Forget the failures: something succeeded."""
        self._failures = 0

    def seconds_after(self, error: HookeError) -> float:
        """Return how long to wait after an error. Raises the error where another attempt is no use."""
        self._failures += 1
        if error.reason is None:
            repeatable = isinstance(error, errors.UnavailableError)
        else:
            repeatable = TABLE[error.reason].retry is Retry.AFTER_DELAY
        if not repeatable or self._failures >= MAX_ATTEMPTS:
            raise error
        if error.retry_after_s is not None:
            return error.retry_after_s
        most = min(0.2 * 2**self._failures, 5.0)
        return random.uniform(most / 2, most)  # noqa: S311  (spreads the attempts of many clients)


class Following:
    """When to open the stream of an evaluation, how often again, and when to stop.

    Every stream has a deadline; one that only ran out, or that broke off, is opened again: its first message
    is the present state, so nothing is lost.

    Args:
        timeout_s: seconds for all of it; None: until the evaluation ends.
        stream_timeout_s: deadline of one stream.
    """

    def __init__(self, timeout_s: float | None, stream_timeout_s: float) -> None:
        self._deadline = None if timeout_s is None else Deadline(timeout_s)
        self._stream_timeout_s = stream_timeout_s
        self._patience = Patience()
        self._heard = False

    def next_timeout_s(self) -> float:
        """Deadline of the stream that is opened now."""
        self._heard = False
        left = math.inf if self._deadline is None else self._deadline.left_s()
        return min(self._stream_timeout_s, left)

    def heard(self, response: Any) -> types.Evaluation:
        """Return the evaluation in a message of the stream."""
        self._heard = True
        self._patience.reset()
        return wire.evaluation_from_proto(response.evaluation)

    def seconds_after(self, error: HookeError) -> float:
        """Return how long to wait before the next stream. Raises the error where there is to be none."""
        if not isinstance(error, errors.DeadlineExceededError):
            return self._patience.seconds_after(error)
        if self._deadline is not None and self._deadline.passed():
            raise error
        if self._heard:
            return 0.0
        return self._patience.seconds_after(errors.UnavailableError(error.message))

    def seconds_after_end(self) -> float:
        """Return how long to wait after a stream that ended before the evaluation did."""
        early = errors.UnavailableError("the server ended the stream before the evaluation had ended")
        return self._patience.seconds_after(early)


class KnownImages:
    """Which images a server was seen to hold, for each model: the last few thousand. Safe for threads."""

    def __init__(self, capacity: int = 4096) -> None:
        self._capacity = capacity
        self._keys: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._keys)

    def has(self, model: str, sha256: str) -> bool:
        """True if the image was put for this model, or found there."""
        with self._lock:
            known = (model, sha256) in self._keys
            if known:
                self._keys.move_to_end((model, sha256))
            return known

    def add(self, model: str, sha256: str) -> None:
        """Remember an image."""
        with self._lock:
            self._keys[model, sha256] = None
            self._keys.move_to_end((model, sha256))
            while len(self._keys) > self._capacity:
                self._keys.popitem(last=False)

    def forget(self, model: str, sha256: str) -> None:
        """Forget an image, which the server did."""
        with self._lock:
            self._keys.pop((model, sha256), None)


def explained(plan: Plan[R]) -> Plan[R]:
    """Carry out a plan; where a deadline passed for want of a connection, say that instead."""
    try:
        return (yield from plan)
    except errors.DeadlineExceededError as late:
        if "code" not in late.metadata:  # the server itself said so, hence there is one
            raise
        try:
            yield Call("Check", health_pb2.HealthCheckRequest(), probe=True)
        except errors.UnavailableError as away:
            raise away from late
        except HookeError:
            pass
        raise


def segment(image: ImageSource, options: ObjectOptions, known: KnownImages) -> Plan[types.SegmentResult]:
    """Find the objects in an image."""
    prepare = partial(objects_question, inference_service_pb2.SegmentRequest, image, options)
    return _ask("Segment", options.model, prepare, wire.segment_result_from_proto, known)


def count(image: ImageSource, options: ObjectOptions, known: KnownImages) -> Plan[types.CountResult]:
    """Count the objects in an image."""
    prepare = partial(objects_question, inference_service_pb2.CountRequest, image, options)
    return _ask("Count", options.model, prepare, wire.count_result_from_proto, known)


def classify(
    image: ImageSource,
    *,
    model: str,
    labels: Sequence[str],
    examples: Iterable[tuple[ImageSource, str]],
    view: View | None,
    known: KnownImages,
) -> Plan[types.ClassifyResult]:
    """Say which class an image belongs to."""
    prepare = partial(classify_question, image, model=model, labels=labels, examples=examples, view=view)
    return _ask("Classify", model, prepare, wire.classify_result_from_proto, known)


def _ask(
    method: str,
    model: str,
    prepare: Callable[[], Question],
    read: Callable[[Any], R],
    known: KnownImages,
) -> Plan[R]:
    """Ask a model; put the images that are too large for the request, and again if the server forgot them."""
    question: Question = yield Work(prepare)
    call = Call(method, question.request, model)
    for upload in question.uploads:
        yield from _ensure(upload, model, known)
    try:
        response = yield call
    except errors.ImageNotFoundError as error:
        if not question.uploads:
            raise
        for upload in question.uploads:
            known.forget(model, upload.sha256)
            if upload.sha256 == error.metadata.get("sha256"):
                yield from _put(upload, model, known)
            else:
                yield from _ensure(upload, model, known)
        response = yield call
    result: R = yield Work(lambda: read(response))
    return result


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


def create_evaluation(
    *,
    suite_name: str | None,
    suite_yaml: str | None,
    models: Sequence[str],
    data_dir: str,
    sample_limit: int | None,
    request_id: str | None,
) -> Plan[types.Evaluation]:
    """Start an evaluation, or take up the unfinished one of this `request_id`."""
    request = evaluation_pb2.CreateEvaluationRequest(
        request_id=request_id or new_request_id(),
        suite_name=suite_name,
        suite_yaml=suite_yaml,
        models=models,
        data_dir=data_dir,
        sample_limit=sample_limit,
    )
    return (yield from _about_evaluation("CreateEvaluation", request))


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


def report(evaluation_id: str, report_format: types.ReportFormat | str) -> Plan[bytes]:
    """Fetch a report, whole."""
    number = wire.REPORT_FORMATS.number(types.ReportFormat(report_format))
    request = evaluation_pb2.GetReportRequest(evaluation_id=evaluation_id, report_format=number)
    responses = yield Call("GetReport", request)
    return b"".join(response.chunk for response in responses)
