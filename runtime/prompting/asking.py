"""From a task to a conversation: the question in words, its examples, and how the answer is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hooke.images import Micrograph
from hooke.types import FinishReason, TurnRole
from runtime.prompting.answer_schema import class_schema, count_schema
from runtime.prompting.parsing import read_class, read_class_json, read_count, read_count_json
from runtime.prompting.reading import Reading
from runtime.prompting.versions import VERSIONS, Form
from runtime.tasks import Turn


@dataclass(frozen=True, slots=True)
class PromptOptions:
    """How a question is put into words: the wire's Prompt, checked.

    Attributes:
        version: one of `prompt_versions()`.
        modality: kind of image, as it stands in a sentence, for example "SEM"; empty: not said.
        object_name: what the objects are, in the plural; empty: "objects".
        context: what else the model should know, in whole sentences; may be empty.
    """

    version: str = "v1"
    modality: str = ""
    object_name: str = ""
    context: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A question put into words.

    Attributes:
        turns: the examples as earlier turns, then the question; the images stand in the user's turns.
        instructions: what the model is to keep to; may be empty.
        schema: JSON schema of the answer; None where words are asked for.
        version: of the template.
        sha256: of the template's file, lower-case hex.
        read: reads what the model wrote. Takes all of its text and why it ended; never raises.
    """

    turns: tuple[Turn, ...]
    instructions: str
    schema: Mapping[str, Any] | None
    version: str
    sha256: str
    read: Callable[[str, FinishReason], Reading]


def ask_class(
    image: Micrograph,
    labels: tuple[str, ...],
    options: PromptOptions,
    *,
    structured: bool,
    examples: Sequence[tuple[Micrograph, str]] = (),
) -> Asked:
    """Ask which of some classes an image belongs to.

    Args:
        image: the image, 8-bit RGB.
        labels: the classes, at least two, without repeats; they are shown in this order.
        options: how to put it.
        structured: whether the model keeps to a JSON schema. Version "paper" asks without one all the same.
        examples: images with their class, one of `labels`.
    """
    version = VERSIONS[options.version]
    names = [_one_line(label) for label in labels]
    read = partial(read_class, labels=labels, numbered=version.numbered)
    if structured and Form.JSON in version.forms:
        read_json = partial(read_class_json, labels=labels)
        answers = _Answers(
            Form.JSON, lambda label: _as_json(_one_line(label)), read_json, class_schema(names)
        )
    elif version.numbered:
        answers = _Answers(Form.LINE, lambda label: str(labels.index(label) + 1), read)
    else:
        answers = _Answers(Form.LINE, lambda label: f"Answer: {_one_line(label)}", read)
    return _asked("class", options, image, examples, answers, labels=names)


def ask_class_for_likelihood(
    image: Micrograph,
    labels: tuple[str, ...],
    options: PromptOptions,
    *,
    examples: Sequence[tuple[Micrograph, str]] = (),
) -> Asked:
    """Ask so that the name of a class, as it stands in `labels`, is the whole answer.

    Args:
        image: the image, 8-bit RGB.
        labels: the classes, at least two, without repeats; they are shown in this order.
        options: how to put it; the version is one of `likelihood_versions()`.
        examples: images with their class, one of `labels`.
    """
    read = partial(read_class, labels=labels, numbered=False)
    answers = _Answers(Form.NAME, _one_line, read)
    return _asked("class", options, image, examples, answers, labels=[_one_line(label) for label in labels])


def ask_count(
    image: Micrograph,
    options: PromptOptions,
    *,
    structured: bool,
    examples: Sequence[tuple[Micrograph, int]] = (),
) -> Asked:
    """Ask how many objects an image shows.

    Args:
        image: the image, 8-bit RGB.
        options: how to put it.
        structured: whether the model keeps to a JSON schema. Version "paper" asks without one all the same.
        examples: images with their number of objects.
    """
    object_name = _one_line(options.object_name) or "objects"
    if structured and Form.JSON in VERSIONS[options.version].forms:
        answers = _Answers(Form.JSON, _as_json, read_count_json, count_schema())
    else:
        read = partial(read_count, object_name=object_name)
        answers = _Answers(Form.LINE, lambda count: f"Count: {count}", read)
    return _asked("count", options, image, examples, answers, object_name=object_name)


@dataclass(frozen=True, slots=True)
class _Answers:
    """The answers that a question wants: what an example says for its truth, and how one is read."""

    form: Form
    write: Callable[[Any], str]
    read: Callable[[str, FinishReason], Reading]
    schema: Mapping[str, Any] | None = None


def _asked(
    task: str,
    options: PromptOptions,
    image: Micrograph,
    examples: Sequence[tuple[Micrograph, str | int]],
    answers: _Answers,
    **values: object,
) -> Asked:
    # Jinja2 is there only where a model takes words, and every service imports this module.
    from runtime.prompting.wording import put_into_words  # noqa: PLC0415

    wording = put_into_words(
        options.version,
        task,
        form=answers.form.value,
        modality=_one_line(options.modality),
        context=options.context.strip(),
        **values,
    )
    turns: list[Turn] = []
    for shown, truth in examples:
        turns.append(Turn(TurnRole.USER, wording.question, (shown,)))
        turns.append(Turn(TurnRole.MODEL, answers.write(truth)))
    turns.append(Turn(TurnRole.USER, wording.question, (image,)))
    return Asked(
        turns=tuple(turns),
        instructions=wording.instructions,
        schema=answers.schema,
        version=options.version,
        sha256=wording.sha256,
        read=answers.read,
    )


def _as_json(answer: str | int) -> str:
    """What an example says where JSON is asked for."""
    return json.dumps({"answer": answer, "confidence": 1.0, "abstain": False}, ensure_ascii=False)


def _one_line(text: str) -> str:
    """A name as it stands in a prompt: line breaks in it would read as the prompt's own."""
    return " ".join(text.split())
