from __future__ import annotations

import asyncio
import inspect
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from hooke import AsyncClient, ClassicalParameters, Client, PixelSize, View, codecs, errors
from hooke._carriage import CHUNK_BYTES, INLINE_BYTES
from hooke._channel import METHODS
from hooke._steps import AWAY_S, CONNECT_S, Following, KnownImages
from hooke.errors import TABLE, Reason, Retry
from hooke.types import ClassifyResult, EvaluationState, ReportFormat
from hooke.v1 import evaluation_service_pb2 as evaluation_pb2
from tests.unit.hooke.lab import LABELS, Lab

SMALL = b"small image"
LARGE = os.urandom(3 * INLINE_BYTES // 2)

# Method of the wire -> a call of the client that leads to it.
CALLS: dict[str, Callable[[Any], Any]] = {
    "Segment": lambda client: client.segment(SMALL, model="m0"),
    "Count": lambda client: client.count(SMALL, model="m0"),
    "Classify": lambda client: client.classify(SMALL, model="m0"),
    "Ask": lambda client: client.ask(SMALL, "What is it?", model="m0"),
    "StreamAsk": lambda client: list(client.stream_ask(SMALL, "What is it?", model="m0")),
    "HasImage": lambda client: client.has_image(SMALL, model="m0"),
    "PutImage": lambda client: client.put_image(SMALL, model="m0"),
    "ListModels": lambda client: client.models(),
    "GetModel": lambda client: client.model("m0"),
    "CreateEvaluation": lambda client: client.create_evaluation(suite_name="demo"),
    "EstimateEvaluation": lambda client: client.estimate_evaluation(suite_name="demo"),
    "RescoreEvaluation": lambda client: client.rescore_evaluation("e0"),
    "GetEvaluation": lambda client: client.evaluation("e0"),
    "ListEvaluations": lambda client: list(client.evaluations()),
    "WatchEvaluation": lambda client: list(client.watch_evaluation("e0")),
    "CancelEvaluation": lambda client: client.cancel_evaluation("e0"),
    "ListSampleResults": lambda client: list(client.sample_results("e0")),
    "GetReport": lambda client: client.report("e0"),
}
HOOKE_METHODS = [name for name, method in METHODS.items() if method.service.startswith("hooke.")]


# Everything that the wire offers can be reached from the client.
def test_every_method_has_a_call() -> None:
    assert sorted(CALLS) == sorted(HOOKE_METHODS)


# No two services share the name of a method, so a name is enough to find one.
def test_method_names_are_unique() -> None:
    names = [
        (method.service, method.name)
        for method in METHODS.values()
        if method.service == f"hooke.v1.{method.service.rpartition('.')[2]}"
    ]
    assert len(names) == len(HOOKE_METHODS)


# The two clients have the same methods with the same parameters.
def test_one_surface() -> None:
    def surface(kind: type) -> dict[str, list[tuple[str, Any, Any, Any]]]:
        return {
            name: [
                (parameter.name, parameter.kind, parameter.default, parameter.annotation)
                for parameter in inspect.signature(method).parameters.values()
            ]
            for name, method in vars(kind).items()
            if inspect.isfunction(method) and (not name.startswith("_") or name == "__init__")
        }

    assert surface(Client) == surface(AsyncClient)
    assert len(surface(Client)) >= len(HOOKE_METHODS)


# What the server answered comes back as frozen values.
def test_answers(client: Any, lab: Lab) -> None:
    segmented = client.segment(SMALL)
    np.testing.assert_array_equal(segmented.labels, LABELS)
    assert client.count(SMALL).count == 7
    classified = client.classify(SMALL)
    assert isinstance(classified, ClassifyResult)
    assert dict(classified.probabilities) == {"a": 1.0}
    assert client.evaluation("e0").state is EvaluationState.SUCCEEDED
    assert client.report("e0", ReportFormat.MARKDOWN) == b"<report>"
    assert lab.calls("GetReport")[0].request.report_format == 2
    with pytest.raises(AttributeError):
        segmented.labels = None


# Every call has a request id of its own and a deadline; the calls about a model name it in the metadata.
@pytest.mark.parametrize("method", HOOKE_METHODS)
def test_metadata_and_deadline(method: str, client: Any, lab: Lab) -> None:
    CALLS[method](client)
    CALLS[method](client)
    first, second = lab.calls(method)[0], lab.calls(method)[-1]
    assert first.metadata["hooke-request-id"] != second.metadata["hooke-request-id"]
    for call in (first, second):
        assert call.seconds_left is not None
        assert 0 < call.seconds_left < 61
    about_a_model = METHODS[method].service.endswith(("InferenceService", "ImageService"))
    assert (first.metadata.get("hooke-model") == "m0") == (about_a_model or method == "GetModel")


# A deadline that is given for one call or for the client reaches the server.
def test_deadlines_can_be_chosen(connect: Callable[..., Any], lab: Lab) -> None:
    connect(lab.address, timeout_s=10).count(SMALL)
    connect(lab.address, timeout_s=10).count(SMALL, timeout_s=1000)
    short, long = (call.seconds_left for call in lab.calls("Count"))
    assert short is not None
    assert long is not None
    assert short < 11
    assert long > 900


# Options of a request arrive in their fields; what is not said is absent.
def test_request_fields(client: Any, lab: Lab) -> None:
    client.segment(
        SMALL,
        expected_diameter_um=3.5,
        mask_format="rle",
        view=View(z_projection="max", channel_indices=(2, 0)),
        parameters=ClassicalParameters(
            polarity="dark_on_bright", min_area_px=0, touching_objects_split=False
        ),
        pixel_size=PixelSize(0.25, 0.5),
    )
    client.count(SMALL)
    full, bare = lab.calls("Segment")[0].request, lab.calls("Count")[0].request
    assert full.expected_diameter_um == 3.5
    assert full.WhichOneof("expected_diameter") == "expected_diameter_um"
    assert (full.mask_format, full.view.z_projection, list(full.view.channel_indices)) == (2, 1, [2, 0])
    assert (full.image.pixel_size.pixel_size_x_um, full.image.pixel_size.pixel_size_y_um) == (0.25, 0.5)
    assert full.classical.polarity == 2
    assert full.classical.HasField("min_area_px")
    assert full.classical.HasField("touching_objects_split")
    assert not full.classical.HasField("max_area_px")
    assert bare.WhichOneof("expected_diameter") is None
    assert bare.WhichOneof("parameters") is None
    assert not bare.HasField("view")
    assert not bare.image.HasField("pixel_size")


# A path, bytes, an array and a micrograph all reach the server as an image.
def test_kinds_of_images(client: Any, lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(SMALL)
    array = np.arange(6, dtype=np.uint16).reshape(2, 3)
    for image in (file, str(file), SMALL, bytearray(SMALL), memoryview(SMALL)):
        client.count(image)
    client.count(array)
    *files, last = (call.request.image for call in lab.calls("Count"))
    assert {image.encoded for image in files} == {SMALL}
    assert (last.axes, list(last.pixels.shape), last.bit_depth) == ("YX", [2, 3], 16)
    assert last.pixels.data == array.tobytes()


# An array of unclear dimensions is refused with a hint, a missing file as such, a number as no image.
def test_what_is_no_image(client: Any, lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidRequestError, match="axes"):
        client.count(np.zeros((3, 4, 5), np.uint8))
    with pytest.raises(FileNotFoundError):
        client.count(tmp_path / "missing.png")
    with pytest.raises(TypeError, match="float"):
        client.count(1.5)
    assert lab.seen == []


# Requests that cannot be right are refused before they are sent, naming the field.
@pytest.mark.parametrize(
    ("field", "call"),
    [
        (
            "expected_diameter_um",
            lambda client: client.segment(SMALL, expected_diameter_px=1, expected_diameter_um=1),
        ),
        ("mask_format", lambda client: client.segment(SMALL, mask_format="png")),
        ("classical.polarity", lambda c: c.count(SMALL, parameters=ClassicalParameters(polarity="up"))),
        ("labels", lambda client: client.classify(SMALL, labels="abc")),
        ("view.z_projection", lambda client: client.count(SMALL, view=View(z_projection="sum"))),
        ("suite", lambda client: client.create_evaluation(suite_name="demo", suite_yaml="name: mine")),
        ("report_format", lambda client: client.report("e0", "pdf")),
        ("model", lambda client: client.count(SMALL, model="µ")),
        ("model", lambda client: client.put_image(SMALL, model="a\nb")),
        ("timeout_s", lambda client: client.models(timeout_s=0)),
        ("timeout_s", lambda client: client.models(timeout_s=float("nan"))),
    ],
)
def test_faulty_arguments(field: str, call: Callable[[Any], Any], client: Any, lab: Lab) -> None:
    with pytest.raises(errors.InvalidRequestError) as caught:
        call(client)
    assert [violation.field for violation in caught.value.violations] == [field]
    assert lab.seen == []


# A web address is refused with an example of a right one.
@pytest.mark.parametrize("address", ["http://localhost:50051", "https://lab", ""])
def test_faulty_address(address: str, connect: Callable[..., Any]) -> None:
    with pytest.raises(errors.InvalidRequestError, match="localhost:50051"):
        connect(address)


# An image above 1 MiB is put once, in chunks, and referred to by its hash from then on.
def test_large_image_is_put_once(client: Any, lab: Lab) -> None:
    client.segment(LARGE, model="m0")
    client.count(LARGE, model="m0")
    assert [call.method for call in lab.seen] == ["HasImage", "PutImage", "Segment", "Count"]
    header, *chunks = lab.calls("PutImage")[0].request
    assert b"".join(message.chunk for message in chunks) == LARGE
    assert all(len(message.chunk) == CHUNK_BYTES for message in chunks[:-1])
    for method in ("Segment", "Count"):
        assert lab.calls(method)[0].request.image.sha256 == header.header.sha256
    assert {call.metadata["hooke-model"] for call in lab.seen} == {"m0"}
    assert len({call.metadata["hooke-request-id"] for call in lab.seen[:3]}) == 1


# What one model's server holds, another's may not: it is asked again, and put only if need be.
def test_images_are_known_for_each_model(client: Any, lab: Lab) -> None:
    client.count(LARGE, model="m0")
    client.count(LARGE, model="m1")
    assert [call.method for call in lab.seen] == ["HasImage", "PutImage", "Count", "HasImage", "Count"]


# A server that forgot an image gets it again, and the call succeeds.
def test_forgotten_image_is_put_again(client: Any, lab: Lab) -> None:
    client.count(LARGE)
    lab.images.clear()
    assert client.count(LARGE).count == 7
    assert [call.method for call in lab.seen[3:]] == ["Count", "PutImage", "Count"]


# A server that forgets at once is not fed for ever.
def test_forgetful_server(client: Any, lab: Lab) -> None:
    gone = errors.ImageNotFoundError("gone", metadata={"sha256": "0"})
    lab.failures["Count"].extend([gone, gone, gone])
    with pytest.raises(errors.ImageNotFoundError):
        client.count(LARGE)
    assert len(lab.calls("Count")) == 2


# Image and examples count together; the largest are put until the rest fits, each file once.
def test_examples_count_too(client: Any, lab: Lab) -> None:
    example = os.urandom(INLINE_BYTES * 2 // 3)
    client.classify(SMALL, examples=[(example, "a"), (example, "b"), (SMALL, "b")])
    assert len(lab.calls("PutImage")) == 1
    request = lab.calls("Classify")[0].request
    sources = [request.image, *(each.image for each in request.examples)]
    assert [image.WhichOneof("source") for image in sources] == ["encoded", "sha256", "sha256", "encoded"]
    assert [each.label for each in request.examples] == ["a", "b", "b"]


# Samples above the limit travel as a file, and arrive as the image that they were, with every axis,
# its names and its bit depth.
@pytest.mark.parametrize(
    ("axes", "shape"),
    [
        ("YX", (1024, 1024)),
        ("XY", (1100, 1000)),
        ("CYX", (2, 700, 800)),
        ("YXC", (700, 800, 2)),
        ("ZYX", (1, 1024, 1024)),
        ("YXS", (600, 700, 3)),
    ],
)
def test_large_samples_are_encoded(axes: str, shape: tuple[int, ...], client: Any, lab: Lab) -> None:
    noise = np.random.default_rng(0).integers(0, 2**12, shape, dtype=np.uint16)
    names = ("DAPI", "actin") if "C" in axes else ()
    client.count(codecs.from_array(noise, axes, channel_names=names, bit_depth=12))
    message = lab.calls("Count")[0].request.image
    assert message.WhichOneof("source") == "sha256"
    there = codecs.from_image_proto(message, lab.images.__getitem__)
    assert (there.channel_names, there.bit_depth) == (names, 12)
    kept = axes.replace("Z", "")  # of length 1
    expected = noise.squeeze().transpose([kept.index(letter) for letter in there.axes])
    np.testing.assert_array_equal(there.pixels, expected)


# An image can be put ahead of its requests.
def test_put_and_has(client: Any, lab: Lab) -> None:
    assert not client.has_image(LARGE, model="m0")
    sha256 = client.put_image(LARGE, model="m0")
    assert lab.images[sha256] == LARGE
    assert client.has_image(LARGE, model="m0")
    lab.seen.clear()
    client.count(LARGE, model="m0")
    assert [call.method for call in lab.seen] == ["Count"]


# What is known of servers is bounded; the least recently used is forgotten first.
def test_known_images_are_bounded() -> None:
    known = KnownImages(capacity=2)
    known.add("m", "1")
    known.add("m", "2")
    assert known.has("m", "1")
    known.add("m", "3")
    assert [known.has("m", name) for name in "123"] == [True, False, True]
    assert len(known) == 2


# Every method may be repeated by its declaration, and is, where the server says that waiting helps.
@pytest.mark.parametrize("method", HOOKE_METHODS)
@pytest.mark.parametrize(
    "error",
    [errors.QueueFullError("full", retry_after_s=0.01), errors.ModelLoadingError("soon", retry_after_s=0.01)],
    ids=lambda error: error.reason,
)
def test_retries(method: str, error: errors.HookeError, client: Any, lab: Lab) -> None:
    lab.failures[method].extend([error, error])
    CALLS[method](client)
    assert len(lab.calls(method)) >= 3
    assert not lab.failures[method]


# A request of 900 KiB is repeated like a small one.
def test_retry_of_a_large_request(client: Any, lab: Lab) -> None:
    lab.failures["Segment"].extend([errors.QueueFullError("full", retry_after_s=0.01)] * 2)
    client.segment(os.urandom(900 * 1024))
    assert [len(call.request.image.encoded) for call in lab.calls("Segment")] == [900 * 1024] * 3


# An upload larger than any retry buffer is repeated too.
def test_retry_of_an_upload(client: Any, lab: Lab) -> None:
    data = os.urandom(20 * 1024**2)
    lab.failures["PutImage"].extend([errors.DrainingError("bye", retry_after_s=0.01)] * 2)
    client.put_image(data)
    assert list(lab.images.values()) == [data]


# What cannot be mended by repetition is sent once and raised with its class.
@pytest.mark.parametrize("reason", [row.reason for row in TABLE.values() if row.retry is Retry.NEVER])
def test_no_retries(reason: Reason, client: Any, lab: Lab) -> None:
    lab.failures["Count"].append(TABLE[reason].exception("no", request_id="r"))
    with pytest.raises(TABLE[reason].exception) as caught:
        client.count(SMALL)
    assert caught.value.reason is reason
    assert caught.value.request_id == "r"
    assert len(lab.calls("Count")) == 1


# A server that stays busy is asked a bounded number of times.
def test_retries_end(client: Any, lab: Lab) -> None:
    busy = errors.QueueFullError("full", retry_after_s=0.001)
    lab.failures["Count"].extend([busy] * 50)
    lab.failures["PutImage"].extend([busy] * 50)
    for call in (lambda: client.count(SMALL), lambda: client.put_image(SMALL)):
        with pytest.raises(errors.QueueFullError):
            call()
    assert len(lab.calls("Count")) == len(lab.calls("PutImage")) == 5


# A caller that paces itself hears of every refusal, and of an absent server without waiting for it.
def test_without_retries(connect: Callable[..., Any], lab: Lab) -> None:
    lab.failures["Count"].append(errors.QueueFullError("full", retry_after_s=0.25))
    with pytest.raises(errors.QueueFullError) as caught:
        connect(lab.address, retries=False).count(SMALL)
    assert caught.value.retry_after_s == 0.25
    assert len(lab.calls("Count")) == 1
    with pytest.raises(errors.UnavailableError):
        connect("127.0.0.1:1", retries=False, timeout_s=3600).count(SMALL)


# An address where nobody listens is named, with what to do next.
def test_unreachable(connect: Callable[..., Any]) -> None:
    with pytest.raises(errors.UnavailableError, match=r"127\.0\.0\.1:1\b.*hooke doctor") as caught:
        connect("127.0.0.1:1", timeout_s=0.3).models()
    assert caught.value.reason is None


# Who waits an hour for an answer hears within seconds that nobody is there.
def test_dead_address_is_soon_known(connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert CONNECT_S <= 10
    monkeypatch.setattr("hooke._steps.CONNECT_S", 0.3)
    client = connect("127.0.0.1:1", timeout_s=3600)
    for call in (
        lambda: client.count(SMALL),
        lambda: client.put_image(SMALL),
        lambda: next(client.stream_ask(SMALL, "What?")),
        lambda: next(iter(client.watch_evaluation("e0"))),
    ):
        start = time.monotonic()
        with pytest.raises(errors.UnavailableError, match=r"127\.0\.0\.1:1\b.*hooke doctor"):
            call()
        assert time.monotonic() - start < 5


# A client that was closed says so in a sentence, whatever it is asked.
@pytest.mark.parametrize("method", HOOKE_METHODS)
def test_closed(method: str, client: Any, lab: Lab) -> None:
    client.models()
    client.close()
    lab.seen.clear()
    with pytest.raises(errors.HookeError, match="this client was closed; open another one"):
        CALLS[method](client)
    assert lab.seen == []


# A server that has trouble with its own health is there all the same, and is asked.
def test_unwell_server_is_asked(client: Any, lab: Lab) -> None:
    lab.failures["Check"].append(errors.DrainingError("bye"))
    assert client.count(SMALL).count == 7


# A client that is opened before its server waits for it.
async def test_waits_for_the_server(lab: Lab) -> None:
    async with AsyncClient("127.0.0.1:1") as early:
        waiting = asyncio.create_task(early.models(timeout_s=0.2))
        with pytest.raises(errors.UnavailableError):
            await waiting
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    port = server.add_insecure_port("127.0.0.1:0")
    async with AsyncClient(f"127.0.0.1:{port}") as client:
        waiting = asyncio.create_task(client.serving())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await server.start()
        assert await waiting is None
    await server.stop(None)


# A server that takes too long is told apart from one that is not there.
def test_deadline(connect: Callable[..., Any], lab: Lab) -> None:
    client = connect(lab.address)
    client.models()
    lab.held = True
    with pytest.raises(errors.DeadlineExceededError) as caught:
        client.segment(SMALL, timeout_s=0.2)
    assert lab.address in caught.value.message
    assert lab.cancelled.wait(10)


# A proxy of the environment is not asked for a server on the same machine.
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_no_proxy_to_this_machine(
    host: str, connect: Callable[..., Any], lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    address = f"{host}:{lab.address.rpartition(':')[2]}"
    assert connect(address).count(SMALL, timeout_s=5).count == 7


# An address needs a port: without one, gRPC would quietly try that of the web.
@pytest.mark.parametrize("address", ["localhost", "10.0.0.7", "[::1]", "dns:///gateway.lab"])
def test_address_without_a_port(address: str, connect: Callable[..., Any]) -> None:
    with pytest.raises(errors.InvalidRequestError, match="no port given") as caught:
        connect(address)
    assert caught.value.message.endswith(f"; {address}:50051?")


# Health is yes, no, or not known.
def test_serving(client: Any) -> None:
    assert client.serving() is True
    assert client.serving("asleep") is False
    assert client.serving("unknown") is None


# Lists come whole, over as many pages as it takes.
def test_pages(client: Any, lab: Lab) -> None:
    lab.model_count, lab.evaluation_count = 450, 401
    assert [model.name for model in client.models()] == [f"m{index}" for index in range(450)]
    assert [found.evaluation_id for found in client.evaluations()] == [f"e{index}" for index in range(401)]
    results = list(client.sample_results("e0", task="t"))
    assert [result.sample_id for result in results] == [str(index) for index in range(450)]
    assert {result.task for result in results} == {"t"}


# Pages are fetched as they are needed.
def test_pages_are_lazy(client: Any, lab: Lab) -> None:
    next(iter(client.sample_results("e0")))
    assert len(lab.calls("ListSampleResults")) == 1


# Watching ends with the evaluation.
def test_watch(client: Any, lab: Lab) -> None:
    lab.states = [1, 2, 2, 5]
    states = [evaluation.state for evaluation in client.watch_evaluation("e0")]
    assert states == [
        EvaluationState.QUEUED,
        EvaluationState.RUNNING,
        EvaluationState.RUNNING,
        EvaluationState.PARTIALLY_SUCCEEDED,
    ]


# A watch that breaks off, runs into its own deadline or is closed by the server is opened again.
def test_watch_survives(connect: Callable[..., Any], lab: Lab) -> None:
    lab.states = [2]
    lab.failures["watching"].extend([errors.DrainingError("bye", retry_after_s=0.01)] * 7)
    watching = connect(lab.address).watch_evaluation("e0")
    assert {next(watching).state for _ in range(8)} == {EvaluationState.RUNNING}
    lab.states = [2, 4]
    assert list(watching)[-1].state is EvaluationState.SUCCEEDED
    lab.states, lab.held = [2], True
    impatient = connect(lab.address, timeout_s=0.2).watch_evaluation("e0")
    assert next(impatient).state is EvaluationState.RUNNING
    lab.held = False
    lab.states = [6]
    assert next(impatient).state is EvaluationState.FAILED
    assert list(impatient) == []


# A watch of nothing fails at once; so does one that hears nothing, and one that fails again and again.
def test_watch_gives_up(client: Any, lab: Lab) -> None:
    lab.failures["WatchEvaluation"].append(errors.UnknownEvaluationError("no such evaluation"))
    with pytest.raises(errors.UnknownEvaluationError):
        list(client.watch_evaluation("nothing"))
    lab.states = []
    with pytest.raises(errors.UnavailableError):
        list(client.watch_evaluation("e0"))
    lab.seen.clear()
    lab.held = True
    with pytest.raises(errors.DeadlineExceededError):
        list(client.watch_evaluation("e0", timeout_s=0.2))
    assert len(lab.seen) == 1


# A watch for a limited time ends with the deadline.
def test_watch_for_a_while(client: Any, lab: Lab) -> None:
    lab.states, lab.held = [2], True
    with pytest.raises(errors.DeadlineExceededError):
        list(client.watch_evaluation("e0", timeout_s=0.3))


# Each time the server goes away is told once, however many attempts it takes until it is heard again.
def test_watch_tells_what_it_loses(client: Any, lab: Lab) -> None:
    said: list[errors.HookeError] = []
    lab.states = [2]
    watching = client.watch_evaluation("e0", lost=said.append)
    next(watching)
    for away in (1, 2):
        lab.failures["WatchEvaluation"].extend([errors.DrainingError("bye", retry_after_s=0.01)] * 3)
        next(watching)
        assert len(said) == away
    lab.states = [4]
    assert [evaluation.state for evaluation in watching] == [EvaluationState.SUCCEEDED]


# A server that was heard may be away for minutes from when it was missed, however it is away.
@pytest.mark.parametrize(
    ("error", "waited"),
    [(errors.DeadlineExceededError("silence"), True), (errors.UnavailableError("refused"), False)],
)
def test_watch_waits_for_minutes(error: errors.HookeError, waited: bool) -> None:
    now, said = [0.0], []
    following = Following(None, 60.0, said.append, lambda: now[0])
    following.next_deadline()
    following.heard(evaluation_pb2.WatchEvaluationResponse())
    now[0] = 1000.0
    following.seconds_after(errors.UnavailableError("gone"))

    def follow() -> None:
        while True:
            deadline = following.next_deadline()
            now[0] += deadline.left_s() if waited else 0.0
            now[0] += following.seconds_after(error)

    with pytest.raises(errors.UnavailableError, match=error.message):
        follow()
    assert len(said) == 1
    assert 1000 + AWAY_S <= now[0] < 1001 + AWAY_S


# Leaving a watch in the middle closes the stream at the server.
def test_watch_can_be_left(client: Any, lab: Lab) -> None:
    lab.states, lab.held = [2], True
    watching = client.watch_evaluation("e0")
    next(watching)
    assert not lab.cancelled.is_set()
    watching.close()
    assert lab.cancelled.wait(10)


# Cancelling the task that awaits an answer cancels the call at the server.
async def test_cancellation(lab: Lab) -> None:
    lab.held = True
    async with AsyncClient(lab.address) as client:
        task = asyncio.create_task(client.segment(SMALL))
        assert await asyncio.to_thread(lab.entered.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(lab.cancelled.wait, 10)


# One asynchronous client carries hundreds of calls at once.
async def test_hundreds_at_once(lab: Lab) -> None:
    async with AsyncClient(lab.address) as client:
        answers = await asyncio.gather(*(client.count(SMALL) for _ in range(300)))
    assert [answer.count for answer in answers] == [7] * 300


# One synchronous client is shared by threads, large images included.
def test_threads(lab: Lab) -> None:
    images = [os.urandom(INLINE_BYTES + 1) for _ in range(4)]
    with Client(lab.address) as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(client.count, images * 8))
    assert [answer.count for answer in answers] == [7] * 32
    assert set(lab.images.values()) == set(images)
