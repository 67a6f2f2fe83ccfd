"""Questions of datasets as they are put to models that answer in words.

Questions of classes and numbers of objects are worded by the services (see `hooke.Prompt`), so that everybody
asks alike; these have words of their own, to which is added only in what form the answer is wanted.
"""

from __future__ import annotations

import functools
import string

from jinja2 import StrictUndefined, Template
from jinja2.sandbox import SandboxedEnvironment

from evaluator.metrics.answers import AnswerKind
from evaluator.records import Sample
from evaluator.task_parts import PromptSpec

_ENVIRONMENT = SandboxedEnvironment(
    undefined=StrictUndefined,
    autoescape=False,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES = {
    # The question and nothing else, as it was put in arXiv:2405.00876.
    "paper": "{{ question }}",
    "v1": """\
{% if context %}
{{ context }}
{% endif %}
{{ question }}
{% for letter, option in options %}
({{ letter }}) {{ option }}
{% endfor %}
{% if kind == "choice" %}
End with one line that says 'Answer: <letter>'.
{% elif kind == "text" %}
End with one line that says 'Answer: <the answer in as few words as will do>'.
{% elif kind == "number" %}
End with one line that says 'Answer: <number>'.
{% else %}
End with one line that says 'Answer: <number> <unit>'.
{% endif %}
If the image does not show it, say 'Answer: unknown'.
""",
}
"""The templates that come along, by their versions."""
_DEFAULT = PromptSpec()


def put_into_words(sample: Sample, prompt: PromptSpec | None) -> str:
    """The words of a sample's question.

    Args:
        sample: has an `inquiry`, and an expected answer whose kind, and nothing else, is told.
        prompt: the version of the template, or one of the suite's own; None: "v1".
    """
    assert sample.inquiry is not None
    assert sample.truth.answer is not None
    if sample.truth.answer.kind is AnswerKind.GRADE:  # has all the words of its rubric
        return sample.inquiry.text
    prompt = prompt or _DEFAULT
    words = _compiled(prompt.template or TEMPLATES[prompt.version]).render(
        question=sample.inquiry.text,
        options=list(zip(string.ascii_uppercase, sample.inquiry.options, strict=False)),
        kind=str(sample.truth.answer.kind),
        context=prompt.context,
        modality=prompt.modality,
        object_name=prompt.object_name,
    )
    return words.strip()


@functools.lru_cache(maxsize=64)
def _compiled(template: str) -> Template:
    """A template ready to be filled: compiling takes a hundred times as long as that."""
    return _ENVIRONMENT.from_string(template)
