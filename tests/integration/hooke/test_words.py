"""Both clients and the command line against a real service of a fake model that takes words."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hooke import AsyncClient, Client, Prompt, SamParameters, Turn, View, codecs, errors
from hooke.types import AnswerOutcome, FinishReason, Task
from runtime.fakes import FakeAnswerer, serving
from runtime.service import ModelService
from runtime.tasks import AskTask

Ask = Callable[..., Awaitable[Any]]

SCRIPT = {"cells": "I see 12 cells.", "nuclei": "I cannot tell from this image.", "crystals": "Many, or few."}
"""What the model writes to a question that speaks of something."""


def image(height: int = 16, width: int = 24, channels: int = 1) -> np.ndarray[Any, Any]:
    """Noise of 16 bits."""
    shape = (height, width) if channels == 1 else (channels, height, width)
    return np.random.default_rng(channels).integers(0, 2**16, shape, dtype=np.uint16)


def reply(task: AskTask) -> str:
    """Answer by the script, or repeat the question."""
    question = task.turns[-1].text
    return next((text for word, text in SCRIPT.items() if word in question), question)


def address_of(service: ModelService) -> str:
    return f"localhost:{service.server.port}"


@pytest.fixture
def model() -> FakeAnswerer:
    """The model behind the service."""
    return FakeAnswerer(reply)


@pytest.fixture
async def service(model: FakeAnswerer) -> AsyncIterator[ModelService]:
    """A model service that answers in words."""
    async with serving(FakeAnswerer, lambda: model) as service:
        yield service


@pytest.fixture(params=["sync", "async"])
async def ask(request: pytest.FixtureRequest, service: ModelService) -> AsyncIterator[Ask]:
    """Call a method of a client of the service, of both kinds in turn; streams are read to their end."""
    async with AsyncClient(address_of(service)) as asynchronous:
        with Client(address_of(service)) as synchronous:

            async def call(method: str, *args: Any, **kwargs: Any) -> Any:
                if method == "stream_ask" and request.param == "async":
                    stream = asynchronous.stream_ask(*args, **kwargs)
                    return [piece async for piece in stream], await stream.result()
                if method == "stream_ask":
                    pieces = synchronous.stream_ask(*args, **kwargs)
                    return await asyncio.to_thread(lambda: (list(pieces), pieces.result()))
                if request.param == "async":
                    return await getattr(asynchronous, method)(*args, **kwargs)
                return await asyncio.to_thread(partial(getattr(synchronous, method), *args, **kwargs))

            yield call


# A question gets its answer, with what the model saw of the image and the tokens that it took.
async def test_ask(ask: Ask, model: FakeAnswerer) -> None:
    answer = await ask("ask", image(), "What is shown here?", instructions="Be brief.")
    assert (answer.text, answer.finish_reason) == ("What is shown here?", FinishReason.STOP)
    assert answer.provenance.model == "fake-words"
    seen = answer.provenance.rendered_image
    assert (seen.axes, seen.sample_type, len(seen.intensity_ranges)) == ("YXS", "uint8", 1)
    assert answer.cost.token_usage.output_token_count == 4
    assert model.asked[-1].instructions == "Be brief."


# Several images and turns arrive in their order; large ones are put once for all of the conversation.
async def test_conversation(ask: Ask, model: FakeAnswerer, service: ModelService) -> None:
    large, small = image(800, 900), image()
    first = await ask("ask", [large, small, large], "Same?")
    history = [Turn("user", "Same?", [large, small, large]), Turn("model", first.text)]
    second = await ask("ask", [], "Sure?", history=history)
    assert second.text == "Sure?"
    assert [len(turn.images) for turn in model.asked[-1].turns] == [3, 0, 0]
    assert [source.rendered_image.width_px for source in second.provenance.images] == [900, 24, 900]
    assert len(service.images) == 1


# The pieces of a stream are the words as they were written, and together the answer.
async def test_stream(ask: Ask) -> None:
    pieces, result = await ask("stream_ask", image(), "One two three?", model="fake-words")
    assert pieces == ["One", " two", " three?"]
    whole = await ask("ask", image(), "One two three?")
    assert (result.text, result.provenance) == (whole.text, whole.provenance)
    assert result.cost.token_usage.output_token_count == 3


# Who leaves a stream stops the model.
async def test_leaving_stops_the_model() -> None:
    model = FakeAnswerer(lambda _task: "word " * 1000, word_s=0.01)
    async with (
        serving(FakeAnswerer, lambda: model) as service,
        AsyncClient(address_of(service)) as client,
    ):
        async with client.stream_ask(image(), "Go on!") as pieces:
            assert await anext(pieces) == "word"
        answer = await client.ask(image(), "Anything?", timeout_s=20)
        assert answer.text.startswith("word")
    assert model.words_written < 1500


# A view chooses the channel; one that is missing is asked for by its place in the conversation.
async def test_view(ask: Ask) -> None:
    many = codecs.from_array(image(channels=5), axes="CYX", channel_names=("a", "b", "c", "d", "e"))
    chosen = await ask(
        "ask", many, "What?", view=View(channel_names=("d",), low_percentile=0, high_percentile=50)
    )
    (mapped,) = chosen.provenance.rendered_image.intensity_ranges
    assert mapped.low == many.pixels[3].min()
    with pytest.raises(errors.InvalidRequestError) as caught:
        await ask("ask", [image(), many], "What?")
    assert caught.value.violations[0].field.startswith("conversation.turns[0].images[1].view.")


# A count is read from what the model wrote; where there is none, the outcome says why.
@pytest.mark.parametrize(
    ("objects", "count", "outcome"),
    [
        ("cells", 12, AnswerOutcome.ANSWERED),
        ("nuclei", None, AnswerOutcome.ABSTAINED),
        ("crystals", None, AnswerOutcome.UNPARSED),
    ],
)
async def test_count(ask: Ask, objects: str, count: int | None, outcome: AnswerOutcome) -> None:
    answer = await ask("count", image(), prompt=Prompt(object_name=objects), examples=[(image(), 3)])
    assert (answer.count, answer.outcome) == (count, outcome)
    assert answer.written.text == SCRIPT[objects]
    assert answer.written.finish_reason is FinishReason.STOP
    assert answer.provenance.prompt_version == "v1"
    assert len(answer.provenance.prompt_sha256) == 64
    assert len(answer.provenance.images) == 2


# Classes come by likelihood, with probabilities, or from what was written, with the text.
async def test_classify(ask: Ask) -> None:
    scored = await ask("classify", image(), labels=["fibres", "films"])
    assert (scored.label, scored.written) == ("fibres", None)
    assert sum(scored.probabilities.values()) == pytest.approx(1)
    written = await ask(
        "classify", image(), labels=["fibres", "films"], prompt=Prompt(answer_mode="generation")
    )
    assert written.written is not None
    assert (written.label is None) == (written.outcome is not AnswerOutcome.ANSWERED)


# The model says that it takes words; what it cannot do, and parameters of others, are refused.
async def test_what_it_can(ask: Ask) -> None:
    (model,) = await ask("models")
    assert model.tasks == {Task.ASK, Task.CLASSIFY, Task.COUNT}
    assert not model.remote
    with pytest.raises(errors.TaskNotSupportedError):
        await ask("segment", image())
    with pytest.raises(errors.InvalidRequestError) as caught:
        await ask("count", image(), parameters=SamParameters())
    assert [fault.field for fault in caught.value.violations] == ["sam"]


# The command line streams the answer, and shows what was written where there is no number.
async def test_command_line(service: ModelService, tmp_path: Path) -> None:
    file = tmp_path / "a.tif"
    file.write_bytes(codecs.encode(codecs.from_array(image())))

    async def hooke(*arguments: str | Path) -> tuple[int | None, str, str]:
        code = "from hooke.cli import main; main()"
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", code, "--address", address_of(service), *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await child.communicate()
        return child.returncode, out.decode(), err.decode()

    code, out, err = await hooke("ask", file, file, "What is shown, µ or n?")
    assert (code, out) == (0, "What is shown, µ or n?\n")
    assert err.startswith("fake-words 1, ")
    code, out, err = await hooke("count", file, "--objects", "nuclei")
    assert (code, "(abstained)" in out) == (0, True)
    assert "I cannot tell" in err
    code, out, _ = await hooke("classify", file, "--labels", "fibres,films")
    assert (code, "fibres" in out) == (0, True)
    assert (await hooke("doctor"))[0] == 0


# The section of the quickstart on asking in words works as it stands, with a fake in the place of the models.
async def test_quickstart(service: ModelService, tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "quickstart.md").read_text()
    section = page.partition("## Ask in words\n")[2].partition("\n## ")[0]
    shell, python = re.findall(r"```\w+\n(.*?)^```", section, re.M | re.S)
    for name in ("cells.png", "before.png", "after.png"):
        (tmp_path / name).write_bytes(codecs.encode(codecs.from_array(image())))

    async def run(*command: str) -> str:
        child = await asyncio.create_subprocess_exec(
            *command,
            cwd=tmp_path,
            env={
                **os.environ,
                "HOOKE_ADDRESS": address_of(service),
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await child.communicate()
        assert child.returncode == 0, err.decode()
        return out.decode()

    out = await run("bash", "-euc", re.sub("llava|gemini", "fake-words", shell))
    assert out.startswith("What is shown, and how was it stained?\nWhat has changed?\n")
    assert (tmp_path / "classes.csv").read_text().startswith("image,label,outcome,p(healthy)")
    code = python.replace("localhost:50051", address_of(service)).replace("llava", "fake-words")
    out = await run(sys.executable, "-c", code)
    assert "How sure are you?stop\nabstained None\nI cannot tell from this image.\n" in out
