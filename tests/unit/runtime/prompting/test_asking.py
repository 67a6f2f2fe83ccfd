"""Questions in words."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hooke import codecs
from hooke.images import Micrograph
from hooke.types import AnswerOutcome, FinishReason, TurnRole
from runtime.prompting import (
    Asked,
    PromptOptions,
    ask_class,
    ask_class_for_likelihood,
    ask_count,
    likelihood_versions,
    prompt_versions,
)

ROOT = Path(__file__).parents[4]
NFFA = (
    *("biological", "fibers", "coated films", "MEMS", "nanowires"),
    *("particles", "patterned surfaces", "porous sponge", "powder", "tips"),
)
PAPER_CLASS = (
    "I have SEM images that may belong to any of these classes - (1) biological, (2) fibers, (3) "
    "coated films, (4) MEMS, (5) nanowires, (6) particles, (7) patterned surfaces, (8) porous "
    "sponge, (9) powder, or (10) tips. Can you please identify the image type using one of the above "
    "classes? Please answer with the class number only. I want you to make a guess even if you are "
    "not sure. I do not want any extra information, only the class number. If it is impossible to "
    "determine the class, please answer with 'NaN', and nothing else."
)
PAPER_COUNT = (
    "This is an SEM image of cells. Please count the number of cells in this image in the format "
    "'Count: <count>'. If you are unable to count the cells, please write NaN."
)
ODD_LABELS = ("{{ 7 * 7 }}", "{% raw %}", "a\nb", 'say "no" & <go>', "{# gone #}", "ü/µ", "{}", "%s")


def picture(value: int) -> Micrograph:
    """A small RGB image of one value."""
    return codecs.from_array(np.full((4, 4, 3), value, np.uint8), axes="YXS")


IMAGE = picture(0)
# Every way to ask for a class, and every way to ask for a number.
CLASS_FORMS = pytest.mark.parametrize(
    ("version", "structured"), [("paper", False), ("v1", False), ("v1", True)]
)


# Nothing of the paper's words is changed, whether the model keeps to a schema or not.
@pytest.mark.parametrize("structured", [False, True])
def test_paper_verbatim(structured: bool) -> None:
    options = PromptOptions("paper", modality="SEM", object_name="cells")
    classes = ask_class(IMAGE, NFFA, options, structured=structured)
    count = ask_count(IMAGE, options, structured=structured)
    for asked, words in ((classes, PAPER_CLASS), (count, PAPER_COUNT)):
        (turn,) = asked.turns
        assert turn.text == words
        assert (turn.role, turn.images) == (TurnRole.USER, (IMAGE,))
        assert (asked.instructions, asked.schema, asked.version) == ("", None, "paper")


# The paper's sentences stay sentences for other images, and for two classes.
@pytest.mark.parametrize(
    ("modality", "beginning"),
    [
        ("", "This is an image of objects."),
        ("fluorescence", "This is a fluorescence image of objects."),
        ("electron", "This is an electron image of objects."),
        ("TEM", "This is a TEM image of objects."),
        ("H&E", "This is an H&E image of objects."),
        ("X-ray", "This is an X-ray image of objects."),
        ("Raman", "This is a Raman image of objects."),
    ],
)
def test_paper_of_other_images(modality: str, beginning: str) -> None:
    options = PromptOptions("paper", modality=modality)
    assert ask_count(IMAGE, options, structured=False).turns[0].text.startswith(beginning)
    words = ask_class(IMAGE, ("live", "dead"), options, structured=False).turns[0].text
    assert "any of these classes - (1) live or (2) dead. Can you" in words
    assert "  " not in words


# What the model is told of the image stands in the question, in every version.
@pytest.mark.parametrize("version", prompt_versions())
def test_options_are_said(version: str) -> None:
    options = PromptOptions(version, "phase contrast", "red cells", "They were fixed.")
    count = ask_count(IMAGE, options, structured=False).turns[0].text
    classes = ask_class(IMAGE, NFFA, options, structured=False).turns[0].text
    for text in (count, classes):
        assert text.startswith("They were fixed.\n\n")
        assert "phase contrast image" in text
    assert "red cells" in count
    assert all(label in classes for label in NFFA)


# The better version lets the model abstain and keeps it off bars and banners; likelihoods leave no way out.
def test_v1_says_what_matters() -> None:
    options = PromptOptions()
    for structured in (False, True):
        for asked in (
            ask_class(IMAGE, NFFA, options, structured=structured),
            ask_count(IMAGE, options, structured=structured),
        ):
            assert "Scale bars" in asked.instructions or "scale bars" in asked.instructions
            assert "information bar" in asked.instructions
            assert "cannot tell" in asked.instructions
            assert "cannot tell" in asked.turns[-1].text
    likelihood = ask_class_for_likelihood(IMAGE, NFFA, options)
    assert "cannot tell" not in likelihood.instructions + likelihood.turns[-1].text
    assert likelihood.schema is None


# Strict modes want every property required and none beside them; the answer may be null.
def test_schemas() -> None:
    classes = ask_class(IMAGE, NFFA, PromptOptions(), structured=True).schema
    count = ask_count(IMAGE, PromptOptions(), structured=True).schema
    assert classes is not None
    assert count is not None
    for schema in (classes, count):
        assert schema["required"] == list(schema["properties"]) == ["answer", "confidence", "abstain"]
        assert schema["additionalProperties"] is False
        json.dumps(schema)
    nothing = {"type": "null"}
    assert classes["properties"]["answer"]["anyOf"] == [{"type": "string", "enum": list(NFFA)}, nothing]
    assert count["properties"]["answer"]["anyOf"] == [{"type": "integer", "minimum": 0}, nothing]


# Labels are text: nothing in them is executed, escaped or lost, and each stands on one line.
@CLASS_FORMS
def test_odd_labels(version: str, structured: bool) -> None:
    options = PromptOptions(version, context="{{ labels }}", modality="{% endblock %}")
    text = ask_class(IMAGE, ODD_LABELS, options, structured=structured).turns[0].text
    assert text.startswith("{{ labels }}\n\n")
    assert "{% endblock %}" in text
    assert "49" not in text
    for label in ODD_LABELS:
        assert " ".join(label.split()) in text


# Examples become earlier turns with the same question, and what they answer is what is read as that answer.
@CLASS_FORMS
def test_class_examples(version: str, structured: bool) -> None:
    labels = (*NFFA, *ODD_LABELS)
    examples = [(picture(index), label) for index, label in enumerate(labels, start=1)]
    asked = ask_class(IMAGE, labels, PromptOptions(version), structured=structured, examples=examples)
    check_examples(asked, [shown for shown, _ in examples])
    for turn, (_, label) in zip(asked.turns[1::2], examples, strict=True):
        reading = asked.read(turn.text, FinishReason.STOP)
        assert (reading.outcome, reading.label) == (AnswerOutcome.ANSWERED, label)


# The same for numbers.
@CLASS_FORMS
def test_count_examples(version: str, structured: bool) -> None:
    examples = [(picture(count % 256), count) for count in (0, 1, 7, 1200, 2**62)]
    asked = ask_count(IMAGE, PromptOptions(version), structured=structured, examples=examples)
    check_examples(asked, [shown for shown, _ in examples])
    for turn, (_, count) in zip(asked.turns[1::2], examples, strict=True):
        reading = asked.read(turn.text, FinishReason.STOP)
        assert (reading.outcome, reading.count) == (AnswerOutcome.ANSWERED, count)


# Where likelihoods are measured, an example's answer is the name alone.
def test_likelihood_examples() -> None:
    examples = [(picture(1), "MEMS"), (picture(2), "tips")]
    asked = ask_class_for_likelihood(IMAGE, NFFA, PromptOptions(), examples=examples)
    check_examples(asked, [shown for shown, _ in examples])
    assert [turn.text for turn in asked.turns[1::2]] == ["MEMS", "tips"]


def check_examples(asked: Asked, shown: list[Micrograph]) -> None:
    """By turns the user, with an image and the question, and the model; at the end the question itself."""
    users, models = asked.turns[::2], asked.turns[1::2]
    assert [turn.images for turn in users] == [*((image,) for image in shown), (IMAGE,)]
    assert {turn.text for turn in users} == {asked.turns[-1].text}
    assert {turn.role for turn in users} == {TurnRole.USER}
    assert {turn.role for turn in models} == {TurnRole.MODEL}
    assert not any(turn.images for turn in models)


# A digest names the words: one for each version and task, whatever is filled in.
def test_digests() -> None:
    digests = {}
    for version in prompt_versions():
        for modality in ("", "SEM"):
            options = PromptOptions(version, modality)
            classes = ask_class(IMAGE, NFFA, options, structured=False)
            count = ask_count(IMAGE, options, structured=False)
            assert digests.setdefault((version, "class"), classes.sha256) == classes.sha256
            assert digests.setdefault((version, "count"), count.sha256) == count.sha256
    assert len(set(digests.values())) == 4
    assert all(len(digest) == 64 for digest in digests.values())


# Every version has its folder of templates, and every folder is a version.
def test_versions() -> None:
    folders = ROOT.joinpath("runtime/prompting/templates").iterdir()
    assert prompt_versions() == tuple(sorted(folder.name for folder in folders)) == ("paper", "v1")
    assert likelihood_versions() == ("v1",)


# Services that take no words start without Jinja2.
def test_no_jinja2_until_a_question_is_asked() -> None:
    program = "import runtime.prompting, sys; assert 'jinja2' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)
