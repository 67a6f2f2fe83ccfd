"""Questions of classes and numbers put into words, and answers read from what models write.

All models that take words share this: LLaVA, OpenAI and Gemini differ only in how they answer. `ask_class`
and `ask_count` word a question by a versioned template and say how its answer is to be read. Nothing is
guessed: a text that does not say one thing clearly is *unparsed*, and one that says that it cannot tell is
*abstained*.

Importing this package needs no Jinja2; asking does (the extra `vlm`).
"""

from runtime.prompting.asking import (
    Asked,
    PromptOptions,
    ask_class,
    ask_class_for_likelihood,
    ask_count,
)
from runtime.prompting.reading import Reading
from runtime.prompting.versions import likelihood_versions, prompt_versions

__all__ = [
    "Asked",
    "PromptOptions",
    "Reading",
    "ask_class",
    "ask_class_for_likelihood",
    "ask_count",
    "likelihood_versions",
    "prompt_versions",
]
