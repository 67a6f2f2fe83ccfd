"""Models that answer in words, over real gRPC: Ask, StreamAsk, and what the runtime derives from them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc
import numpy as np
import pytest

from hooke import codecs, errors, status
from hooke.types import TurnRole
from hooke.v1 import conversation_pb2, image_pb2, model_service_pb2, model_service_pb2_grpc
from hooke.v1 import inference_service_pb2 as pb
from hooke.v1 import inference_service_pb2_grpc as pb_grpc
from runtime.fakes import FakeAnswerer, serving
from runtime.settings import SettingsError
from runtime.tasks import AskTask
from tests.raw_images import raw_image

USER, MODEL = conversation_pb2.TURN_ROLE_USER, conversation_pb2.TURN_ROLE_MODEL
Stub = pb_grpc.InferenceServiceStub


@asynccontextmanager
async def answering(
    reply: Callable[[AskTask], str] | None = None, word_s: float = 0.0, **settings: object
) -> AsyncIterator[tuple[FakeAnswerer, Stub]]:
    """A service of a fake that writes, the fake itself, and a stub."""
    fake = FakeAnswerer(reply, word_s)
    async with (
        serving(FakeAnswerer, lambda: fake, **settings) as service,  # type: ignore[arg-type]
        grpc.aio.insecure_channel(f"127.0.0.1:{service.server.port}") as channel,
    ):
        yield fake, Stub(channel)


def turn(text: str, *images: image_pb2.Image, role: int = USER) -> conversation_pb2.Turn:
    return conversation_pb2.Turn(
        turn_role=role,  # type: ignore[arg-type]
        text=text,
        images=[conversation_pb2.ViewedImage(image=image) for image in images],
    )


def conversation(text: str = "What is this?") -> conversation_pb2.Conversation:
    return conversation_pb2.Conversation(turns=[turn(text, raw_image())])


async def failure(call: object) -> errors.HookeError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return status.error_from(caught.value)


# An answer comes with its provenance, every image of the conversation included, and its tokens.
async def test_ask() -> None:
    async with answering() as (fake, stub):
        asked = pb.AskRequest(
            conversation=conversation_pb2.Conversation(
                instructions="Be brief.",
                turns=[
                    turn("What is this?", raw_image(8), raw_image(9)),
                    turn("A cell.", role=MODEL),
                    turn("And this?", raw_image(10)),
                ],
            )
        )
        answer = await stub.Ask(asked, timeout=20)
    assert answer.text == "And this?"
    assert answer.finish_reason == conversation_pb2.FINISH_REASON_STOP
    assert [image.rendered_image.width_px for image in answer.provenance.images] == [8, 9, 10]
    assert {image.rendered_image.axes for image in answer.provenance.images} == {"YXS"}
    assert answer.cost.token_usage.output_token_count == 2
    assert not answer.cost.token_usage.HasField("cost_micro_usd")
    (task,) = fake.asked
    assert [turn.role for turn in task.turns] == [TurnRole.USER, TurnRole.MODEL, TurnRole.USER]
    assert task.instructions == "Be brief."
    assert [image.width_px for image in task.images] == [8, 9, 10]
    assert task.timeout_s is not None
    assert 0 < task.timeout_s < 21  # gRPC rounds deadlines up


# The tokens of a model that is computed here are counted, too, and cost nothing.
async def test_tokens_are_counted() -> None:
    async with (
        serving(FakeAnswerer, FakeAnswerer) as service,
        grpc.aio.insecure_channel(f"127.0.0.1:{service.server.port}") as channel,
    ):
        asked = pb.AskRequest(conversation=conversation("And this?"))
        usage = (await Stub(channel).Ask(asked, timeout=20)).cost.token_usage
    labels = {"model": FakeAnswerer.name, "provider_model": ""}
    counted = service.metrics.registry.get_sample_value
    for kind, count in (("input", usage.input_token_count), ("output", usage.output_token_count)):
        assert counted("hooke_inference_tokens_total", {**labels, "kind": kind}) == count > 0
    assert counted("hooke_inference_cost_micro_usd_total", labels) is None


# The pieces of a stream are those of the text, and the last message says how the answer was made.
async def test_stream_ask() -> None:
    async with answering(lambda _task: "one two three") as (_fake, stub):
        parts = [
            part
            async for part in stub.StreamAsk(pb.StreamAskRequest(conversation=conversation()), timeout=20)
        ]
    assert [part.text_delta for part in parts[:-1]] == ["one", " two", " three"]
    assert parts[-1].end.finish_reason == conversation_pb2.FINISH_REASON_STOP
    assert parts[-1].end.provenance.model == "fake-words"
    assert parts[-1].end.cost.token_usage.output_token_count == 3


# Once the reader of a stream leaves, the model stops writing.
async def test_a_reader_who_leaves_stops_the_model() -> None:
    async with answering(lambda _task: "word " * 5000, word_s=0.002) as (fake, stub):
        call = stub.StreamAsk(pb.StreamAskRequest(conversation=conversation()), timeout=60)
        async for _part in call:
            break
        call.cancel()
        # The next question is answered only when the first is out of the way.
        fake.reply = lambda _task: "done"
        answer = await stub.Ask(pb.AskRequest(conversation=conversation()), timeout=60)
        assert answer.text == "done"
        assert fake.words_written < 2500


# The same holds for an answer in one piece whose caller's deadline passes.
async def test_a_deadline_stops_the_model() -> None:
    async with answering(lambda _task: "word " * 5000, word_s=0.002) as (fake, stub):
        error = await failure(stub.Ask(pb.AskRequest(conversation=conversation()), timeout=0.5))
        assert isinstance(error, errors.DeadlineExceededError)
        fake.reply = lambda _task: "done"
        await stub.Ask(pb.AskRequest(conversation=conversation()), timeout=60)
        assert fake.words_written < 2500


# An error after the first pieces is the status of the stream; nothing is said twice.
async def test_a_stream_that_fails_midway() -> None:
    class Breaking(FakeAnswerer):
        def answer(self, tasks):  # type: ignore[no-untyped-def]
            for task in tasks:
                task.emit("one")
            raise RuntimeError("a secret that must not leave the process")

    async with (
        serving(Breaking) as service,
        grpc.aio.insecure_channel(f"127.0.0.1:{service.server.port}") as channel,
    ):

        async def read() -> tuple[list[str], str]:
            pieces: list[str] = []
            try:
                stream = Stub(channel).StreamAsk(pb.StreamAskRequest(conversation=conversation()), timeout=20)
                async for part in stream:
                    pieces.append(part.text_delta)  # noqa: PERF401  (what came before the error counts)
            except grpc.aio.AioRpcError as error:
                return pieces, error.details() or ""
            raise AssertionError("the stream ended well")

        for pieces, details in await asyncio.gather(*(read() for _ in range(4))):
            assert pieces == ["one"]
            assert "secret" not in details


# Whatever answers in words can count; what it wrote comes along, with the template that it was asked by.
async def test_count_in_words() -> None:
    async with answering(lambda _task: "Count: 12") as (fake, stub):
        answer = await stub.Count(
            pb.CountRequest(image=raw_image(), prompt={"object_name": "cells"}), timeout=20
        )
    assert answer.count == 12
    assert answer.answer_outcome == conversation_pb2.ANSWER_OUTCOME_ANSWERED
    assert answer.written_answer.text == "Count: 12"
    assert answer.provenance.prompt_version == "v1"
    assert len(answer.provenance.prompt_sha256) == 64
    assert "cells" in fake.asked[0].turns[-1].text


# No answer is no number: the count is absent, and the outcome says why.
@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("Count: NaN", conversation_pb2.ANSWER_OUTCOME_ABSTAINED),
        ("There are 10-12 of them.", conversation_pb2.ANSWER_OUTCOME_UNPARSED),
    ],
)
async def test_no_count(text: str, outcome: int) -> None:
    async with answering(lambda _task: text) as (_fake, stub):
        answer = await stub.Count(pb.CountRequest(image=raw_image()), timeout=20)
    assert not answer.HasField("count")
    assert answer.answer_outcome == outcome
    assert answer.written_answer.text == text
    assert bool(answer.written_answer.unparsed_reason) is (
        outcome == conversation_pb2.ANSWER_OUTCOME_UNPARSED
    )


# Examples become earlier turns of the conversation, and stand in the provenance after the image.
async def test_examples_are_earlier_turns() -> None:
    async with answering(lambda _task: "Count: 3") as (fake, stub):
        request = pb.CountRequest(
            image=raw_image(8),
            examples=[pb.CountExample(image=raw_image(9), count=4), pb.CountExample(image=raw_image(10))],
        )
        answer = await stub.Count(request, timeout=20)
    assert [image.width_px for image in fake.asked[0].images] == [9, 10, 8]
    assert [image.rendered_image.width_px for image in answer.provenance.images] == [8, 9, 10]
    assert answer.provenance.rendered_image.width_px == 8


# A class is read from the text when that is asked for, else it is the likeliest one, with probabilities.
async def test_classify_in_words() -> None:
    async with answering(lambda _task: "Answer: healthy") as (fake, stub):
        labels = ["infected", "healthy"]
        written = await stub.Classify(
            pb.ClassifyRequest(
                image=raw_image(),
                labels=labels,
                prompt={"answer_mode": conversation_pb2.ANSWER_MODE_GENERATION},
            ),
            timeout=20,
        )
        assert written.label == "healthy"
        assert not written.probabilities
        assert not fake.scored
        likeliest = await stub.Classify(pb.ClassifyRequest(image=raw_image(), labels=labels), timeout=20)
        assert likeliest.label == "infected"
        assert [found.probability for found in likeliest.probabilities] == [0.5, 0.5]
        assert not likeliest.HasField("written_answer")
        assert fake.scored[0].labels == ("infected", "healthy")


# A model that writes does all of this, and says so.
async def test_what_a_model_that_writes_can_do() -> None:
    async with (
        serving(FakeAnswerer) as service,
        grpc.aio.insecure_channel(f"127.0.0.1:{service.server.port}") as channel,
    ):
        models = await model_service_pb2_grpc.ModelServiceStub(channel).ListModels(
            model_service_pb2.ListModelsRequest(), timeout=20
        )
        assert list(models.models[0].tasks) == [
            model_service_pb2.TASK_CLASSIFY,
            model_service_pb2.TASK_COUNT,
            model_service_pb2.TASK_ASK,
        ]
        error = await failure(Stub(channel).Segment(pb.SegmentRequest(image=raw_image()), timeout=20))
        assert isinstance(error, errors.TaskNotSupportedError)


# Worker processes could neither hand on pieces nor hear that a caller left, so they are refused at the start.
async def test_no_worker_processes() -> None:
    with pytest.raises(SettingsError, match="HOOKE_WORKERS"):
        async with serving(FakeAnswerer, workers=1):
            pass


# Every fault of a conversation is named by its path.
@pytest.mark.parametrize(
    ("turns", "field"),
    [
        ([], "conversation.turns"),
        ([turn("What?")], "conversation.turns"),
        ([turn("", raw_image())], "conversation.turns[0].text"),
        ([turn("What?", raw_image(), role=MODEL)], "conversation.turns"),
        ([turn("What?", raw_image()), turn("A cell.", role=MODEL)], "conversation.turns"),
        ([turn("What?", raw_image()), turn("And?")], "conversation.turns"),
        ([turn("What?", raw_image(), role=0)], "conversation.turns[0].turn_role"),
        ([turn("What?", raw_image(), role=9)], "conversation.turns[0].turn_role"),
        ([turn("What?", image_pb2.Image())], "conversation.turns[0].images[0].image"),
        (
            [turn("What?", raw_image()), turn("", role=MODEL), turn("And?")],
            "conversation.turns[1].text",
        ),
        (
            [turn("What?", raw_image()), turn("This", raw_image(), role=MODEL), turn("And?")],
            "conversation.turns[1].images",
        ),
    ],
)
async def test_faults_of_a_conversation(turns: list[conversation_pb2.Turn], field: str) -> None:
    async with answering() as (fake, stub):
        asked = pb.AskRequest(conversation=conversation_pb2.Conversation(turns=turns))
        error = await failure(stub.Ask(asked, timeout=20))
    assert isinstance(error, errors.InvalidRequestError)
    assert field in [violation.field for violation in error.violations]
    assert not fake.asked


# What is too much at once is refused before any of it is looked at.
@pytest.mark.parametrize(
    ("turns", "field"),
    [
        ([turn("What?", *[raw_image()] * 4097)], "conversation.turns"),
        ([turn("What?", raw_image())] * 1001, "conversation.turns"),
        ([turn("x" * 1_000_001, raw_image())], "conversation"),
    ],
)
async def test_endless_conversations(turns: list[conversation_pb2.Turn], field: str) -> None:
    async with answering() as (fake, stub):
        asked = pb.AskRequest(conversation=conversation_pb2.Conversation(turns=turns))
        error = await failure(stub.Ask(asked, timeout=20))
    assert isinstance(error, errors.InvalidRequestError)
    assert [violation.field for violation in error.violations] == [field]
    assert not fake.asked


# What models see in 8-bit RGB counts as memory of the request, beside the samples that it came from.
@pytest.mark.parametrize("in_a_file", [True, False])
async def test_what_is_seen_is_held(in_a_file: bool) -> None:
    grey = codecs.from_array(np.zeros((500, 500), np.uint8))
    image = raw_image(500)
    if in_a_file:
        image = image_pb2.Image(encoded=codecs.encode(grey))
    async with answering(max_pending_bytes=1024**2) as (_fake, stub):
        one = conversation_pb2.Conversation(turns=[turn("What?", image)])
        assert (await stub.Ask(pb.AskRequest(conversation=one), timeout=20)).text == "What?"
        two = conversation_pb2.Conversation(turns=[turn("What?", image, image)])
        error = await failure(stub.Ask(pb.AskRequest(conversation=two), timeout=20))
    assert isinstance(error, errors.ImageTooLargeError)


# Classes have names that can be told apart in a prompt, not too long and not too many; so have examples.
@pytest.mark.parametrize(
    ("labels", "example_count", "field"),
    [
        (["a", " "], 0, "labels"),
        (["blood cell", "blood  cell"], 0, "labels"),
        (["a", "x" * 257], 0, "labels"),
        ([f"class {number}" for number in range(1001)], 0, "labels"),
        (["a", "b"], 4097, "examples"),
    ],
)
async def test_faults_of_classes(labels: list[str], example_count: int, field: str) -> None:
    examples = [pb.ClassExample(image=raw_image(), label="a")] * example_count
    async with answering() as (fake, stub):
        asked = pb.ClassifyRequest(image=raw_image(), labels=labels, examples=examples)
        error = await failure(stub.Classify(asked, timeout=20))
    assert [violation.field for violation in error.violations] == [field]
    assert not fake.asked + fake.scored


# A broken image or view deep inside a conversation is named by its path, too.
async def test_faults_of_images_in_a_conversation() -> None:
    broken = image_pb2.Image(encoded=b"no image")
    viewed = conversation_pb2.ViewedImage(image=raw_image(), view={"z_index": 3})
    async with answering() as (_fake, stub):
        for second, field in (
            (turn("And this?", broken), "conversation.turns[2].images[0].image"),
            (
                conversation_pb2.Turn(turn_role=USER, text="And?", images=[viewed]),
                "conversation.turns[2].images[0].view.z_index",
            ),
        ):
            turns = [turn("What?", raw_image()), turn("A cell.", role=MODEL), second]
            asked = pb.AskRequest(conversation=conversation_pb2.Conversation(turns=turns))
            error = await failure(stub.Ask(asked, timeout=20))
            assert field in error.message
            assert not error.violations or field in [violation.field for violation in error.violations]


# Unknown versions of prompts, modes that the model does not offer and endless words are refused by name.
@pytest.mark.parametrize(
    ("prompt", "field"),
    [
        ({"version": "v999"}, "prompt.version"),
        ({"object_name": "x" * 5000}, "prompt.object_name"),
        ({"answer_mode": conversation_pb2.ANSWER_MODE_LIKELIHOOD}, "prompt.answer_mode"),
        ({"answer_mode": 77}, "prompt.answer_mode"),
    ],
)
async def test_faults_of_a_prompt(prompt: dict[str, object], field: str) -> None:
    async with answering() as (_fake, stub):
        request = pb.CountRequest(image=raw_image(), prompt=prompt)  # type: ignore[arg-type]
        error = await failure(stub.Count(request, timeout=20))
    assert [violation.field for violation in error.violations] == [field]


# Parameters of another model are refused in Ask as everywhere.
async def test_parameters_of_another_model() -> None:
    async with answering() as (_fake, stub):
        request = pb.AskRequest(conversation=conversation(), llava={})  # type: ignore[arg-type]
        error = await failure(stub.Ask(request, timeout=20))
    assert [violation.field for violation in error.violations] == ["llava"]
