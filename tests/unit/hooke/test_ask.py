"""Both clients where models are asked in words."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

import pytest

import hooke
from hooke import AsyncClient, Prompt, Turn, View, errors
from hooke._carriage import INLINE_BYTES
from hooke.types import AnswerOutcome, FinishReason, TurnRole
from tests.unit.hooke.lab import Lab

SMALL = b"small image"
LARGE = os.urandom(3 * INLINE_BYTES // 2)
WORD_PARAMETERS = {
    "llava": hooke.LlavaParameters(label_normalization="prior"),
    "openai": hooke.OpenaiParameters(provider_model="x"),
    "gemini": hooke.GeminiParameters(gemini_media_resolution="low"),
}
OBJECT_PARAMETERS = {
    "classical": hooke.ClassicalParameters(min_area_px=3),
    "sam": hooke.SamParameters(sam_preset="paper"),
    "cellpose": hooke.CellposeParameters(min_area_px=3),
}
# Call of the client -> method of the wire, and the parameters that it takes.
CALLS: dict[str, tuple[Callable[[Any, Any], Any], str, dict[str, Any]]] = {
    "segment": (lambda client, each: client.segment(SMALL, parameters=each), "Segment", OBJECT_PARAMETERS),
    "count": (
        lambda client, each: client.count(SMALL, parameters=each),
        "Count",
        OBJECT_PARAMETERS | WORD_PARAMETERS,
    ),
    "classify": (lambda client, each: client.classify(SMALL, parameters=each), "Classify", WORD_PARAMETERS),
    "ask": (lambda client, each: client.ask(SMALL, "What?", parameters=each), "Ask", WORD_PARAMETERS),
    "stream_ask": (
        lambda client, each: list(client.stream_ask(SMALL, "What?", parameters=each)),
        "StreamAsk",
        WORD_PARAMETERS,
    ),
}


# Parameters travel in the field of their own model; those that a call does not take are refused before.
@pytest.mark.parametrize("name", CALLS)
def test_parameters_find_their_field(name: str, client: Any, lab: Lab) -> None:
    call, method, taken = CALLS[name]
    for field, parameters in (OBJECT_PARAMETERS | WORD_PARAMETERS).items():
        if field in taken:
            call(client, parameters)
            assert lab.calls(method)[-1].request.WhichOneof("parameters") == field
        else:
            with pytest.raises(errors.InvalidRequestError, match=type(parameters).__name__) as caught:
                call(client, parameters)
            assert [fault.field for fault in caught.value.violations] == ["parameters"]
    assert len(lab.calls(method)) == len(taken)


# Parameters of which every field is left to the model say which model is meant all the same.
def test_bare_parameters(client: Any, lab: Lab) -> None:
    client.segment(SMALL, parameters=hooke.SamParameters())
    client.ask(SMALL, "What?", parameters=hooke.GeminiParameters())
    assert lab.calls("Segment")[0].request.WhichOneof("parameters") == "sam"
    assert lab.calls("Ask")[0].request.WhichOneof("parameters") == "gemini"


# A question about one image is a conversation of one turn.
def test_ask(client: Any, lab: Lab) -> None:
    answer = client.ask(SMALL, "What is shown?", instructions="Be brief.", view=View(z_index=2))
    assert (answer.text, answer.finish_reason) == ("Cells, mostly.", FinishReason.STOP)
    conversation = lab.calls("Ask")[0].request.conversation
    (turn,) = conversation.turns
    assert (turn.turn_role, turn.text, conversation.instructions) == (1, "What is shown?", "Be brief.")
    assert [(viewed.image.encoded, viewed.view.z_index) for viewed in turn.images] == [(SMALL, 2)]


# Several images and earlier turns arrive in their order, each with the view of its own turn.
def test_history(client: Any, lab: Lab) -> None:
    history = [
        Turn("user", "What is this?", [b"first"], View(z_index=0)),
        Turn(TurnRole.MODEL, "A cell."),
    ]
    client.ask([b"second", b"third"], "And these?", history=history)
    client.ask([], "Sure?", history=history)
    longer, shorter = (call.request.conversation.turns for call in lab.calls("Ask"))
    assert [turn.turn_role for turn in longer] == [1, 2, 1]
    assert [[viewed.image.encoded for viewed in turn.images] for turn in longer] == [
        [b"first"],
        [],
        [b"second", b"third"],
    ]
    assert longer[0].images[0].view.HasField("z_index")
    assert not longer[2].images[0].HasField("view")
    assert list(shorter[2].images) == []


# A role that is none names the turn.
def test_faulty_role(client: Any, lab: Lab) -> None:
    with pytest.raises(errors.InvalidRequestError) as caught:
        client.ask(SMALL, "What?", history=[Turn("user", "Hello", [SMALL]), Turn("assistant", "Hello")])
    assert [fault.field for fault in caught.value.violations] == ["conversation.turns[1].turn_role"]
    assert lab.seen == []


# Large images of a conversation are put once, also when the conversation goes on; a server that forgot them
# gets them again.
def test_large_images_of_a_conversation(client: Any, lab: Lab) -> None:
    other = os.urandom(INLINE_BYTES + 1)
    answer = client.ask([LARGE, SMALL, LARGE], "What?")
    history = [Turn("user", "What?", [LARGE, SMALL, LARGE]), Turn("model", answer.text)]
    pieces = list(client.stream_ask(other, "And this?", history=history))
    assert "".join(pieces) == answer.text
    assert len(lab.calls("PutImage")) == 2
    lab.images.clear()
    assert client.stream_ask(other, "And this?", history=history).result().text == answer.text
    assert len(lab.calls("PutImage")) == 4
    assert len(lab.calls("StreamAsk")) == 3


# Examples of a count travel with their numbers, and the pixel size is that of the image alone.
def test_examples_of_a_count(client: Any, lab: Lab) -> None:
    prompt = Prompt(version="paper", object_name="cells")
    client.count(SMALL, examples=[(LARGE, 3), (b"x", 0)], prompt=prompt, pixel_size=hooke.PixelSize(1, 1))
    request = lab.calls("Count")[0].request
    assert [(example.count, example.image.WhichOneof("source")) for example in request.examples] == [
        (3, "sha256"),
        (0, "encoded"),
    ]
    assert (request.prompt.version, request.prompt.object_name) == ("paper", "cells")
    assert request.image.HasField("pixel_size")
    assert not any(example.image.HasField("pixel_size") for example in request.examples)
    with pytest.raises(errors.InvalidRequestError) as caught:
        client.count(SMALL, examples=[(b"x", 0), (b"y", -1)])
    assert caught.value.violations[0].field == "examples[1].count"


# Where a model gives no answer there is no number and no class, but all that it wrote.
def test_no_answer(client: Any, lab: Lab) -> None:
    lab.wrote = "I cannot tell."
    counted, classified = client.count(SMALL), client.classify(SMALL, prompt=Prompt(modality="SEM"))
    assert (counted.count, counted.outcome) == (None, AnswerOutcome.ABSTAINED)
    assert (classified.label, classified.outcome) == (None, AnswerOutcome.UNPARSED)
    assert counted.written.text == classified.written.text == "I cannot tell."
    assert lab.calls("Classify")[0].request.prompt.modality == "SEM"


# The pieces come as they are written; then the whole answer is there, however many of them were read.
def test_stream(client: Any, lab: Lab) -> None:
    with client.stream_ask(SMALL, "What?", model="m0") as pieces:
        assert lab.seen == []
        assert next(pieces) == "Cells"
        result = pieces.result()
        assert pieces.result() == result
        assert list(pieces) == []
    assert (result.text, result.finish_reason) == ("Cells, mostly.", FinishReason.STOP)
    assert result.cost.token_usage.output_token_count == 3
    assert result.provenance.model == "m0"


# The first piece is there before the last one is written.
def test_stream_is_no_list(client: Any, lab: Lab) -> None:
    lab.held = True
    with client.stream_ask(SMALL, "What?") as pieces:
        assert next(pieces) == "Cells"
        lab.held = False
        lab.hold.set()
        assert list(pieces) == [", ", "mostly."]


# Leaving early cancels the call at the server.
@pytest.mark.parametrize("way", ["with", "close"])
def test_stream_left_early(way: str, client: Any, lab: Lab) -> None:
    lab.held = True
    pieces = client.stream_ask(SMALL, "What?")
    next(pieces)
    assert not lab.cancelled.is_set()
    if way == "close":
        pieces.close()
    else:
        with pieces:
            pass
    assert lab.cancelled.wait(10)


# So does forgetting a stream in the middle, as `break` in a loop does.
def test_forgotten_stream(lab: Lab) -> None:
    lab.held = True
    with hooke.Client(lab.address) as client:
        for _ in client.stream_ask(SMALL, "What?"):
            break
        assert lab.cancelled.wait(10)


# A stream that was closed before it was asked anything sends nothing.
def test_stream_not_begun(client: Any, lab: Lab) -> None:
    client.stream_ask(SMALL, "What?").close()
    assert lab.seen == []


# A busy server is asked again while there is no text; once there is, the failure is the caller's to judge.
def test_stream_is_not_repeated_after_text(client: Any, lab: Lab) -> None:
    busy = errors.QueueFullError("full", retry_after_s=0.01)
    lab.failures["StreamAsk"].extend([busy, busy])
    lab.failures["writing"].append(busy)
    pieces = client.stream_ask(SMALL, "What?")
    assert next(pieces) == "Cells"
    with pytest.raises(errors.QueueFullError):
        next(pieces)
    assert len(lab.calls("StreamAsk")) == 3
    with pytest.raises(errors.UnavailableError, match="whole"):
        pieces.result()


# A stream that ends without its end is not taken for a whole answer, nor is an empty one.
@pytest.mark.parametrize("pieces", [("Cells",), ()])
def test_stream_without_an_end(pieces: tuple[str, ...], client: Any, lab: Lab) -> None:
    lab.whole, lab.pieces = False, pieces
    stream = client.stream_ask(SMALL, "What?")
    assert [next(stream) for _ in pieces] == list(pieces)
    for _ in range(2):
        with pytest.raises(errors.UnavailableError, match="whole"):
            next(stream)


# The deadline is that of the whole answer.
def test_stream_deadline(client: Any, lab: Lab) -> None:
    client.models()
    lab.held = True
    pieces = client.stream_ask(SMALL, "What?", timeout_s=0.3)
    assert next(pieces) == "Cells"
    with pytest.raises(errors.DeadlineExceededError):
        next(pieces)


# Cancelling the task that reads an answer cancels the call at the server.
async def test_cancelled_reader(lab: Lab) -> None:
    lab.held = True
    async with AsyncClient(lab.address) as client:

        async def read() -> None:
            async with client.stream_ask(SMALL, "What?") as pieces:
                async for _ in pieces:
                    pass

        task = asyncio.create_task(read())
        assert await asyncio.to_thread(lab.entered.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(lab.cancelled.wait, 10)
