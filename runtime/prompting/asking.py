"""From a task to a conversation: the question in words, its examples, and how the answer is read."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hooke.images import Micrograph
from hooke.types import FinishReason
from runtime.prompting.parsing import Reading
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
        schema: JSON schema of the answer; None where a line of text is asked for.
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


class Form(enum.StrEnum):
    """The form in which a question wants its answer; templates know it by these names."""

    JSON = "json"
    LINE = "line"
    NAME = "name"
    """The name of the class and nothing else: what is scored by likelihood."""


@dataclass(frozen=True, slots=True)
class _Version:
    """What the templates of a version can ask for."""

    forms: frozenset[Form]
    numbered: bool
    """Whether classes are shown with numbers, and a number is an answer."""


_VERSIONS: Mapping[str, _Version] = {
    # The paper asked for a line of text and nothing else, so its words go with no schema and no likelihood.
    "paper": _Version(frozenset({Form.LINE}), numbered=True),
    "v1": _Version(frozenset(Form), numbered=False),
}


def prompt_versions() -> tuple[str, ...]:
    """The versions that there are, sorted."""
    return tuple(sorted(_VERSIONS))


def likelihood_versions() -> tuple[str, ...]:
    """The versions that `ask_class_for_likelihood` knows, sorted."""
    return tuple(sorted(name for name, version in _VERSIONS.items() if Form.NAME in version.forms))


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
        labels: the classes, at least two, without repeats. They are shown on one line each, in this order.
        options: how to put it.
        structured: whether the model keeps to a JSON schema. Version "paper" has none either way.
        examples: images with their class, one of `labels`.
    """
    raise NotImplementedError


def ask_class_for_likelihood(
    image: Micrograph,
    labels: tuple[str, ...],
    options: PromptOptions,
    *,
    examples: Sequence[tuple[Micrograph, str]] = (),
) -> Asked:
    """Ask so that the name of a class, as it stands in `labels`, is the whole answer; otherwise as `ask_class`.

    Args:
        image: the image, 8-bit RGB.
        labels: the classes, at least two, without repeats.
        options: how to put it; the version is one of `likelihood_versions()`.
        examples: images with their class, one of `labels`.
    """
    raise NotImplementedError


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
        structured: whether the model keeps to a JSON schema. Version "paper" has none either way.
        examples: images with their number of objects.
    """
    raise NotImplementedError
