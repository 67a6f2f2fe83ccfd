"""What commands share that may ask a vision-language model: options, and answers that are none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from hooke import Decoding, Prompt
from hooke.cli.parameters import OF_WORDS
from hooke.cli.session import Session
from hooke.parameters import WordParameters
from hooke.types import AnswerOutcome, ClassifyResult, CountResult

PromptVersion = Annotated[
    str,
    typer.Option("--prompt-version", metavar="v1|paper", help="Words of the question to a language model."),
]
Modality = Annotated[
    str, typer.Option("--modality", metavar="TEXT", help="Kind of image, for a language model: 'SEM'.")
]
Context = Annotated[
    str,
    typer.Option("--context", metavar="TEXT", help="What else a language model should know, in sentences."),
]
Objects = Annotated[
    str, typer.Option("--objects", metavar="TEXT", help="What to count, for a language model: 'cells'.")
]
Temperature = Annotated[
    float | None,
    typer.Option("--temperature", metavar="T", min=0, max=2, help="0: the likeliest words; more: variety."),
]
MaxTokens = Annotated[
    int | None, typer.Option("--max-tokens", metavar="N", min=1, help="Most tokens of the answer.")
]

_LONGEST_QUOTE = 160


def prompt_of(version: str, modality: str, context: str, objects: str = "") -> Prompt | None:
    """Return the prompt that the options ask for; None: the server's own."""
    prompt = Prompt(version=version, modality=modality, object_name=objects, context=context)
    return None if prompt == Prompt() else prompt


def parameters_of(model: str, temperature: float | None, max_tokens: int | None) -> WordParameters | None:
    """Return the parameters that the options ask for; None: the model's defaults."""
    if temperature is None and max_tokens is None:
        return None
    if model not in OF_WORDS:
        raise typer.BadParameter(
            f"say whose with --model: {', '.join(OF_WORDS)}.", param_hint="--temperature, --max-tokens"
        )
    decoding = Decoding(temperature=temperature, max_output_token_count=max_tokens)
    return OF_WORDS[model](decoding=decoding)


def printable(text: str) -> str:
    """Return what a model wrote without the characters by which it could command the terminal."""
    return "".join(character for character in text if character.isprintable() or character in "\n\t")


def answer_or_outcome(answer: object, result: ClassifyResult | CountResult) -> Text:
    """Return an answer for a table; where there is none, why."""
    return Text(f"({result.outcome})", "yellow") if answer is None else Text(str(answer))


def say_unanswered(session: Session, answers: Sequence[tuple[Path, ClassifyResult | CountResult]]) -> None:
    """Say what was written where there is no answer, one line for each image."""
    for path, result in answers:
        if result.outcome is not AnswerOutcome.ANSWERED and result.written is not None:
            reason = f" ({result.written.unparsed_reason})" if result.written.unparsed_reason else ""
            session.say(f"{path}: {result.outcome}{reason}; wrote: {_quoted(result.written.text)}", "yellow")


def _quoted(text: str) -> str:
    line = " ".join(printable(text).split())
    return f'"{line[:_LONGEST_QUOTE]}..."' if len(line) > _LONGEST_QUOTE else f'"{line}"'
