"""`hooke classify`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from hooke import AsyncClient
from hooke.cli import options, parameters, words
from hooke.cli.batch import failures_of, process, write_rows
from hooke.cli.inputs import find_images, images_in, naming_files, source_of
from hooke.errors import InvalidRequestError
from hooke.types import ClassifyResult

Examples = Annotated[
    Path | None,
    typer.Option(
        "--examples",
        metavar="DIR",
        exists=True,
        file_okay=False,
        help="Folder with one folder of example images for each class, named like the class.",
    ),
]
Label = Annotated[
    list[str] | None,
    typer.Option("--label", "-l", metavar="CLASS", help="A class to choose from; repeat for each."),
]
Labels = Annotated[
    str, typer.Option("--labels", metavar="CLASS,CLASS", help="The classes to choose from, in one list.")
]


def classify(
    context: typer.Context,
    images: options.Images,
    examples: Examples = None,
    label: Label = None,
    labels: Labels = "",
    model: options.Model = "",
    channel: options.Channels = None,
    z_index: options.ZIndex = None,
    project: options.Project = None,
    time_index: options.TimeIndex = None,
    axes: options.Axes = None,
    modality: words.Modality = "",
    about: words.Context = "",
    prompt_version: words.PromptVersion = "",
    settings: parameters.Settings = None,
    csv_file: options.CsvFile = None,
    jobs: options.Jobs = 4,
    address: options.Address = None,
    as_json: options.AsJson = False,
) -> None:
    """Say which class each image belongs to.

    Models that learn from examples need some images of each class; others need the names of the classes.
    Vision-language models are asked in words, and may give no answer: then the outcome says why.

    \b
    Examples:
      hooke classify unknown/*.png --examples known/     (known/healthy/*.png, known/infected/*.png)
      hooke classify em/*.png --model llava --labels fibres,particles --modality SEM
      hooke classify em/*.png --model gemini --labels fibres,particles --csv classes.csv
    """
    session = options.session_of(context, address, as_json)
    view = options.view_of(channel, z_index, project, time_index)
    paths = find_images(images)
    known = [] if examples is None else _examples_in(examples)
    classes = [*(label or ()), *filter(None, (name.strip() for name in labels.split(",")))]
    if not known and not classes:
        raise typer.BadParameter("name the classes, or give examples.", param_hint="--labels, --examples")
    prompt = words.prompt_of(prompt_version, modality, about)
    own = parameters.with_settings(None, settings, model, parameters.OF_WORDS)

    with session.reporting():
        contents = [(path.read_bytes(), name) for path, name in known]

        async def one(client: AsyncClient, path: Path) -> ClassifyResult:
            try:
                return await client.classify(
                    await source_of(path, axes),
                    model=model or parameters.name_of(own),
                    labels=classes,
                    examples=contents,
                    view=view,
                    prompt=prompt,
                    parameters=own,
                )
            except InvalidRequestError as error:
                raise naming_files(error, r"examples\[(\d+)\]", [path for path, _ in known]) from error

        outcomes = process(session, paths, one, jobs=jobs, doing="Classifying")
        answers = [(outcome.path, outcome.value) for outcome in outcomes if outcome.value is not None]
        if csv_file is not None:
            _write_csv(csv_file, answers)
        table = Table("Image", "Model", "Class")
        table.add_column("Probability", justify="right")
        for path, answer in answers:
            probability = answer.probabilities.get(answer.label or "")
            table.add_row(
                str(path),
                answer.provenance.model,
                words.answer_or_outcome(answer.label, answer),
                "-" if probability is None else f"{probability:.1%}",
            )
        session.show([outcome.document() for outcome in outcomes], table)
        words.say_unanswered(session, answers)
        parameters.say_unused(session, [answer.provenance for _, answer in answers])
        raise typer.Exit(failures_of(session, outcomes))


def _write_csv(file: Path, answers: Sequence[tuple[Path, ClassifyResult]]) -> None:
    names = list(dict.fromkeys(name for _, answer in answers for name in sorted(answer.probabilities)))
    rows = [
        (path, answer.label or "", answer.outcome, *(answer.probabilities.get(name, "") for name in names))
        for path, answer in answers
    ]
    write_rows(file, ("image", "label", "outcome", *(f"p({name})" for name in names)), rows)


def _examples_in(folder: Path) -> list[tuple[Path, str]]:
    found = [
        (image, each.name)
        for each in sorted(folder.iterdir())
        if each.is_dir() and not each.name.startswith(".")
        for image in images_in(each)
    ]
    if len({name for _, name in found}) < 2:
        raise typer.BadParameter(
            f"{folder} must hold two or more folders of images, one a class.",
            param_hint="--examples",
        )
    return found
