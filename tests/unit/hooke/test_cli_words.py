"""The command line where models are asked in words, or pointed at objects."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from hooke import errors
from tests.unit.hooke.command_line import Hooke, write_image
from tests.unit.hooke.lab import Lab


# The answer goes to standard output as it was written; who gave it and what it cost, to standard error.
def test_ask(hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_image(tmp_path / name)
    done = hooke(
        "ask", "a.png", "b.png", "What is shown?", "--model", "gemini", "-i", "Be brief.", "--channel", "1"
    )
    assert (done.code, done.out) == (0, "Cells, mostly.\n")
    assert done.err == "gemini 1, 0.0 s, 90 tokens in, 3 out, $0.0012\n"
    request = lab.calls("StreamAsk")[0].request
    (turn,) = request.conversation.turns
    assert (turn.text, request.conversation.instructions) == ("What is shown?", "Be brief.")
    assert [list(image.view.channel_indices) for image in turn.images] == [[1], [1]]
    assert request.WhichOneof("parameters") is None


# Temperature and length are sent as parameters of the model that is named.
@pytest.mark.parametrize("model", ["llava", "openai", "gemini"])
def test_ask_with_parameters(model: str, hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    hooke("ask", "a.png", "What?", "--model", model, "--temperature", "0", "--max-tokens", "9")
    request = lab.calls("StreamAsk")[0].request
    assert request.WhichOneof("parameters") == model
    decoding = getattr(request, model).decoding
    assert (decoding.HasField("temperature"), decoding.temperature) == (True, 0)
    assert decoding.max_output_token_count == 9


# With --json there is one document, and nothing is printed while the model writes.
def test_ask_json(hooke: Hooke, tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    done = hooke("ask", "a.png", "What?", "--json")
    assert done.document["images"] == ["a.png"]
    assert done.document["result"]["text"] == "Cells, mostly."
    assert done.document["result"]["cost"]["token_usage"]["cost_micro_usd"] == 1200
    assert done.err == ""


# What a model writes cannot command the terminal, and an answer that was cut off is called so.
def test_ask_prints_text_only(hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    lab.pieces = ("two\nlines", "\x1b[2J\x07", "[bold]µ")
    lab.finish_reason = 2
    done = hooke("ask", "a.png", "What?")
    assert done.out == "two\nlines[2J[bold]µ\n"
    assert "--max-tokens" in done.err


# A failure in the middle leaves the text that came, on a line of its own, and an exit code.
def test_ask_breaks_off(hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    lab.failures["writing"].append(errors.UpstreamFailedError("the provider hung up"))
    done = hooke("ask", "a.png", "What?")
    assert (done.code, done.out) == (1, "Cells\n")
    assert done.err == "Error: the provider hung up.\n"


# A bad image is named by its file, and the hint on views is given wherever the view stands.
def test_ask_names_files(hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_image(tmp_path / name)
    for field in ("image.axes", "view.z_index"):
        fault = errors.FieldViolation(f"conversation.turns[0].images[1].{field}", "which one?")
        text = f"{fault.field}: {fault.description}"
        lab.failures["StreamAsk"].append(errors.InvalidRequestError(text, violations=[fault]))
    assert hooke("ask", "a.png", "b.png", "What?").err.startswith("Error: b.png.axes: which one?")
    done = hooke("ask", "a.png", "b.png", "What?")
    assert done.err.startswith("Error: b.png.view.z_index: which one?")
    assert "--z" in done.err


# Where a model does not answer in words, those that do and run are named, or that there is none.
@pytest.mark.parametrize(
    ("tasks", "others"),
    [((4,), "ask one that does, by --model: m0, m1."), ((), "no model that does is running.")],
)
def test_ask_a_model_without_words(
    tasks: tuple[int, ...], others: str, hooke: Hooke, lab: Lab, tmp_path: Path
) -> None:
    write_image(tmp_path / "a.png")
    lab.more_tasks = tasks
    refusal = errors.TaskNotSupportedError("classical cannot ask", metadata={"model": "classical"})
    lab.failures["StreamAsk"].append(refusal)
    done = hooke("ask", "a.png", "What?")
    assert done.code == 1
    assert done.err.startswith(f"Error: classical does not answer in words; {others} `hooke models` ")


# Names of classes are no use to a model that learns from examples; they are to one that takes words.
def test_labels_without_examples(hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    lab.failures["Classify"].append(errors.ExamplesRequiredError("this model learns from examples"))
    done = hooke("classify", "a.png", "--labels", "a,b")
    assert done.code == 1
    assert "--examples DIR. Models that answer in words take --labels" in done.err


# Without an answer there is no number: the outcome stands in its place, and what was written is quoted.
def test_count_without_an_answer(hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    lab.wrote = "I cannot\nsee \x1b[31many."
    done = hooke("count", "a.png", "--csv", "counts.csv", "--objects", "cells", "--modality", "SEM")
    assert done.code == 0
    assert "(abstained)" in done.out
    assert done.err == 'a.png: abstained; wrote: "I cannot see [31many."\n'
    with (tmp_path / "counts.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["count"], row["outcome"]) == ("", "abstained")
    prompt = lab.calls("Count")[0].request.prompt
    assert (prompt.object_name, prompt.modality) == ("cells", "SEM")
    assert hooke("count", "a.png", "--json").document[0]["result"]["count"] is None


# The classes can be given in one list; an answer that cannot be read is shown as such.
def test_classify_without_an_answer(hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    lab.wrote = "Perhaps " + "very " * 99 + "likely fibres."
    done = hooke(
        "classify", "a.png", "--labels", "fibres, particles", "-l", "films", "--prompt-version", "paper",
        "--context", "From a wound.", "--csv", "classes.csv",
    )  # fmt: skip
    request = lab.calls("Classify")[0].request
    assert sorted(request.labels) == ["fibres", "films", "particles"]
    assert (request.prompt.version, request.prompt.context) == ("paper", "From a wound.")
    assert "(unparsed)" in done.out
    assert done.err.startswith("a.png: unparsed (no class); wrote: ")
    assert len(done.err) < 250
    assert (tmp_path / "classes.csv").read_text().splitlines() == ["image,label,outcome", "a.png,,unparsed"]


# Points and boxes become prompts for SAM, which is asked unless another model is named.
def test_segment_by_pointing(hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    hooke(
        "segment", "a.png", "--point", "1.5,2", "--point", "0,0", "--background-point", "3,1",
        "--box", "1,2,3,4",
    )  # fmt: skip
    hooke("segment", "a.png", "--preset", "microscopy", "--model", "sam")
    hooke("segment", "a.png")
    pointed, preset, plain = (call.request for call in lab.calls("Segment"))
    assert pointed.model == "sam"
    points = [(point.x_px, point.y_px, point.background) for point in pointed.sam.prompts.points]
    assert points == [(1.5, 2, False), (0, 0, False), (3, 1, True)]
    assert [(box.x_px, box.height_px) for box in pointed.sam.prompts.boxes] == [(1, 4)]
    assert (preset.model, preset.sam.sam_preset, preset.sam.HasField("prompts")) == ("sam", 3, False)
    assert (plain.model, plain.WhichOneof("parameters")) == ("", None)


# Of a model whose service was never seen, nobody knows where images go.
def test_models_that_are_unknown(hooke: Hooke, lab: Lab) -> None:
    lab.described = False
    done = hooke("models")
    assert "unknown" in done.out
    assert "stay" not in done.out


# It is shown which models send images away; the doctor does not ask those, since that may cost money.
def test_models_of_providers(hooke: Hooke, lab: Lab) -> None:
    assert "stay" in hooke("models").out
    lab.remote = lab.countable = True
    assert "leave for a provider" in hooke("models").out
    assert hooke("models", "--json").document[0]["remote"] is True
    lab.seen.clear()
    done = hooke("doctor")
    assert "not asked" in done.out
    assert lab.calls("Count") == []
