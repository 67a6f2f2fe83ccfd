"""`hooke count`."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.table import Table

from hooke import AsyncClient
from hooke.cli import options, parameters, words
from hooke.cli.batch import failures_of, process, write_rows
from hooke.cli.inputs import find_images, source_of
from hooke.types import CountResult


def count(
    context: typer.Context,
    images: options.Images,
    model: options.Model = "",
    diameter_px: options.DiameterPx = None,
    diameter_um: options.DiameterUm = None,
    pixel_size_um: options.PixelSizeUm = None,
    channel: options.Channels = None,
    z_index: options.ZIndex = None,
    project: options.Project = None,
    time_index: options.TimeIndex = None,
    axes: options.Axes = None,
    objects: words.Objects = "",
    modality: words.Modality = "",
    about: words.Context = "",
    prompt_version: words.PromptVersion = "",
    settings: parameters.Settings = None,
    csv_file: options.CsvFile = None,
    jobs: options.Jobs = 4,
    address: options.Address = None,
    as_json: options.AsJson = False,
) -> None:
    """Count the objects in images.

    Vision-language models are asked in words; tell them what there is to count. One may give no number: then
    the outcome says why. --set takes the parameters of every model, by the names that hooke.parameters has.

    \b
    Examples:
      hooke count cells.tif
      hooke count scans/ --diameter-px 30 --csv counts.csv
      hooke count scans/ --json | jq '.[].result.count'
      hooke count em/*.png --model llava --objects particles --modality SEM
      hooke count cells.tif --set classical.min_area_px=40
    """
    session = options.session_of(context, address, as_json)
    options.check_diameters(diameter_px, diameter_um)
    view = options.view_of(channel, z_index, project, time_index)
    pixel_size = options.pixel_size_of(pixel_size_um)
    prompt = words.prompt_of(prompt_version, modality, about, objects)
    own = parameters.with_settings(None, settings, model, parameters.OF_ALL)
    paths = find_images(images)

    async def one(client: AsyncClient, path: Path) -> CountResult:
        return await client.count(
            await source_of(path, axes),
            model=model or parameters.name_of(own),
            expected_diameter_px=diameter_px,
            expected_diameter_um=diameter_um,
            view=view,
            prompt=prompt,
            parameters=own,
            pixel_size=pixel_size,
        )

    with session.reporting():
        outcomes = process(session, paths, one, jobs=jobs, doing="Counting")
        answers = [(outcome.path, outcome.value) for outcome in outcomes if outcome.value is not None]
        if csv_file is not None:
            rows = [
                (
                    path,
                    "" if answer.count is None else answer.count,
                    answer.outcome,
                    answer.provenance.model,
                    answer.provenance.model_version,
                )
                for path, answer in answers
            ]
            write_rows(csv_file, ("image", "count", "outcome", "model", "model_version"), rows)
        table = Table("Image", "Model")
        table.add_column("Count", justify="right")
        for path, answer in answers:
            table.add_row(str(path), answer.provenance.model, words.answer_or_outcome(answer.count, answer))
        session.show([outcome.document() for outcome in outcomes], table)
        words.say_unanswered(session, answers)
        parameters.say_unused(session, [answer.provenance for _, answer in answers])
        raise typer.Exit(failures_of(session, outcomes))
