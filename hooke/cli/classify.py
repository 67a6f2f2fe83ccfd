"""`hooke classify`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from hooke import AsyncClient
from hooke.cli import options
from hooke.cli.batch import failures_of, process, write_rows
from hooke.cli.inputs import find_images, images_in
from hooke.errors import FieldViolation, InvalidRequestError
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
Labels = Annotated[
    list[str] | None,
    typer.Option("--label", "-l", metavar="CLASS", help="A class to choose from; repeat for each."),
]


def classify(
    context: typer.Context,
    images: options.Images,
    examples: Examples = None,
    label: Labels = None,
    model: options.Model = "",
    channel: options.Channels = None,
    z_index: options.ZIndex = None,
    project: options.Project = None,
    time_index: options.TimeIndex = None,
    csv_file: options.CsvFile = None,
    jobs: options.Jobs = 4,
    address: options.Address = None,
    as_json: options.AsJson = False,
) -> None:
    """Say which class each image belongs to.

    Models that learn from examples need some images of each class; others need the names of the classes.

    \b
    Examples:
      hooke classify unknown/*.png --examples known/     (known/healthy/*.png, known/infected/*.png)
      hooke classify blot.tif --model llava --label fibres --label particles
    """
    session = options.session_of(context, address, as_json)
    view = options.view_of(channel, z_index, project, time_index)
    paths = find_images(images)
    known = [] if examples is None else _examples_in(examples)
    if not known and not label:
        raise typer.BadParameter("name the classes, or give examples.", param_hint="--label, --examples")

    with session.reporting():
        contents = [(path.read_bytes(), name) for path, name in known]

        async def one(client: AsyncClient, path: Path) -> ClassifyResult:
            try:
                return await client.classify(
                    path, model=model, labels=label or (), examples=contents, view=view
                )
            except InvalidRequestError as error:
                raise _naming_files(error, [path for path, _ in known]) from error

        outcomes = process(session, paths, one, jobs=jobs, doing="Classifying")
        answers = [(outcome.path, outcome.value) for outcome in outcomes if outcome.value is not None]
        classes = list(dict.fromkeys(name for _, answer in answers for name in sorted(answer.probabilities)))
        if csv_file is not None:
            rows = [
                (path, answer.label, *(answer.probabilities.get(name, "") for name in classes))
                for path, answer in answers
            ]
            write_rows(csv_file, ("image", "label", *(f"p({name})" for name in classes)), rows)
        table = Table("Image", "Model", "Class")
        table.add_column("Probability", justify="right")
        for path, answer in answers:
            probability = answer.probabilities.get(answer.label)
            shown = "-" if probability is None else f"{probability:.1%}"
            table.add_row(str(path), answer.provenance.model, answer.label, shown)
        session.show([outcome.document() for outcome in outcomes], table)
        raise typer.Exit(failures_of(session, outcomes))


def _naming_files(error: InvalidRequestError, examples: Sequence[Path]) -> InvalidRequestError:
    """Return the error with the names of the files where it speaks of `examples[3]`."""

    def named(text: str) -> str:
        return re.sub(r"examples\[(\d+)\](\.image)?", lambda match: str(examples[int(match[1])]), text)

    violations = [FieldViolation(named(fault.field), fault.description) for fault in error.violations]
    return type(error)(
        named(error.message), metadata=error.metadata, violations=violations, request_id=error.request_id
    )


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
