"""Templates: each version of the prompts is a folder of `templates/` with a file for each task."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from importlib import resources

from jinja2 import StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment


@dataclass(frozen=True, slots=True)
class Wording:
    """A question in words.

    Attributes:
        instructions: what to keep to; may be empty.
        question: the question itself.
        sha256: of the template's file, lower-case hex.
    """

    instructions: str
    question: str
    sha256: str


def put_into_words(version: str, task: str, **values: object) -> Wording:
    """Fill in a template. Values stand in the text as they are; what looks like a template in them is text.

    Args:
        version: name of a folder of templates.
        task: name of a file in it, without its suffix.
        values: what the template names; one that it names and does not get is an error.
    """
    template, sha256 = _load(version, task)
    context = template.new_context(values)
    instructions, question = (
        "".join(template.blocks[name](context)) for name in ("instructions", "question")
    )
    return Wording(instructions, question, sha256)


@functools.cache
def _load(version: str, task: str) -> tuple[Template, str]:
    """A template and the SHA-256 of its file."""
    file = resources.files("runtime.prompting") / "templates" / version / f"{task}.jinja"
    source = file.read_bytes()
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,  # prompts are plain text; escaping would change the labels
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.from_string(source.decode()), hashlib.sha256(source).hexdigest()
