"""The versions of the prompts, each a folder of `templates/`, and what their words ask for."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass


class Form(enum.StrEnum):
    """The form in which a question wants its answer; templates know it by these values."""

    JSON = "json"
    LINE = "line"
    NAME = "name"
    """The name of a class and nothing else, whose likelihood is measured."""


@dataclass(frozen=True, slots=True)
class Version:
    """What the templates of a version can ask for.

    Attributes:
        forms: the forms that they have words for.
        numbered: whether classes are shown with numbers, and the answer is a number.
    """

    forms: frozenset[Form]
    numbered: bool


VERSIONS: Mapping[str, Version] = {
    # The paper had neither schemas nor likelihoods; its words ask for a line of text.
    "paper": Version(frozenset({Form.LINE}), numbered=True),
    "v1": Version(frozenset(Form), numbered=False),
}


def prompt_versions() -> tuple[str, ...]:
    """The versions that there are, sorted."""
    return tuple(sorted(VERSIONS))


def likelihood_versions() -> tuple[str, ...]:
    """The versions that `ask_class_for_likelihood` knows, sorted."""
    return tuple(sorted(name for name, version in VERSIONS.items() if Form.NAME in version.forms))
