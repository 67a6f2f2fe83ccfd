"""`hooke ask`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hooke import AsyncAnswerStream
from hooke.cli import options, parameters, words
from hooke.cli.inputs import SUFFIXES, find_images, naming_files, source_of
from hooke.errors import InvalidRequestError, TaskNotSupportedError
from hooke.types import AskResult, FinishReason, ModelInfo, ModelState, Task


def _no_image(question: str) -> str:
    """Refuse an image where the question should stand: it was forgotten."""
    # os.path, since a question may be longer than any path, about which pathlib complains
    if Path(question).suffix.lower() in SUFFIXES or os.path.exists(question):  # noqa: PTH110
        raise typer.BadParameter(f"it is missing; say what to ask, in quotes, after {question}.")
    return question


Question = Annotated[
    str,
    # Eager: looked at before IMAGE, which lacks its value when the only image was taken for the question.
    typer.Argument(metavar="QUESTION", is_eager=True, callback=_no_image, help="What to ask, in quotes."),
]
Instructions = Annotated[
    str,
    typer.Option("--instructions", "-i", metavar="TEXT", help="What the model is to keep to in all it says."),
]


def ask(
    context: typer.Context,
    images: options.Images,
    question: Question,
    model: options.Model = "",
    instructions: Instructions = "",
    temperature: words.Temperature = None,
    max_tokens: words.MaxTokens = None,
    settings: parameters.Settings = None,
    channel: options.Channels = None,
    z_index: options.ZIndex = None,
    project: options.Project = None,
    time_index: options.TimeIndex = None,
    axes: options.Axes = None,
    address: options.Address = None,
    as_json: options.AsJson = False,
) -> None:
    """Ask a question about images, all of them together, and print the answer while it is written.

    Needs a vision-language model; `hooke models` shows which ones there are, and whether images leave for a
    provider.

    \b
    Examples:
      hooke ask cells.png "What is shown, and how was it stained?"
      hooke ask before.tif after.tif "What has changed?" --model gemini
      hooke ask em.tif "Describe the particles." --model llava --max-tokens 100
      hooke ask em.tif "Describe the particles." --set llava.decoding.top_p=0.9
      hooke ask cells.png "Is this in focus?" -i "Answer yes or no." --json | jq -r .result.text
    """
    session = options.session_of(context, address, as_json)
    own = words.parameters_of(model, temperature, max_tokens)
    own = parameters.with_settings(own, settings, model, parameters.OF_WORDS)
    model = model or parameters.name_of(own)
    view = options.view_of(channel, z_index, project, time_index)
    paths = find_images(images)

    async def answer() -> AskResult:
        async with session.client() as client:
            await client.serving(timeout_s=session.connect_s)
            try:
                sources = [await source_of(path, axes) for path in paths]
                async with client.stream_ask(
                    sources, question, model=model, instructions=instructions, view=view, parameters=own
                ) as pieces:
                    return await (pieces.result() if session.as_json else _echoed(pieces))
            except TaskNotSupportedError as error:
                raise _naming_others(error, await client.models()) from error

    with session.reporting():
        try:
            result = asyncio.run(answer())
        except InvalidRequestError as error:
            raise naming_files(error, r"conversation\.turns\[0\]\.images\[(\d+)\]", paths) from error
        if session.as_json:
            session.show({"images": paths, "question": question, "result": result})
            return
        session.say(_summary(result), "dim")
        if result.finish_reason is FinishReason.LENGTH:
            session.say("The answer was cut off; --max-tokens allows more.", "yellow")


def _naming_others(error: TaskNotSupportedError, models: Sequence[ModelInfo]) -> TaskNotSupportedError:
    """Return the error of a model that cannot ask, with those that can and run."""
    able = [info.name for info in models if Task.ASK in info.tasks and info.state is ModelState.READY]
    others = f"ask one that does, by --model: {', '.join(able)}" if able else "no model that does is running"
    text = f"{error.metadata.get('model', 'this model')} does not answer in words; {others}"
    return type(error)(text, metadata=error.metadata, request_id=error.request_id)


async def _echoed(pieces: AsyncAnswerStream) -> AskResult:
    """Print the pieces as they come, and end the line in any case."""
    begun = False
    try:
        async for piece in pieces:
            typer.echo(words.printable(piece), nl=False)
            begun = True
    finally:
        if begun:
            typer.echo()
    return await pieces.result()


def _summary(result: AskResult) -> str:
    """Return who answered, how long it took and what it cost, in one line."""
    facts = [
        f"{result.provenance.model} {result.provenance.model_version}".strip(),
        f"{result.cost.total_s:.1f} s",
    ]
    usage = result.cost.token_usage
    if usage is not None:
        facts.append(f"{usage.input_token_count} tokens in, {usage.output_token_count} out")
        if usage.cost_micro_usd is not None:
            facts.append(f"${usage.cost_micro_usd / 1e6:.4f}")
        elif usage.price_missing:
            facts.append("price unknown")
    return ", ".join(facts)
