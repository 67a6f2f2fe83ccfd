"""`hooke segment`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from hooke import AsyncClient, View
from hooke.cli import options, parameters, pointing
from hooke.cli.batch import Outcome, failures_of, process
from hooke.cli.inputs import find_images, result_names, source_of
from hooke.types import SegmentResult

_UNITS_UM = (("mm", 1e3), ("µm", 1.0), ("nm", 1e-3))

Out = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the results.")]


@dataclass(frozen=True, slots=True)
class Segmented:
    """An answer with the files that were written from it."""

    answer: SegmentResult
    labels_file: Path
    overlay_file: Path
    objects_file: Path


@dataclass(frozen=True, slots=True)
class ResultFiles:
    """Where the results of one image go."""

    labels: Path
    overlay: Path
    objects: Path

    @classmethod
    def of(cls, folder: Path, name: str) -> ResultFiles:
        """Name them after the image."""
        return cls(
            folder / f"{name}_labels.tif", folder / f"{name}_overlay.png", folder / f"{name}_objects.csv"
        )


def segment(
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
    point: pointing.Points = None,
    background_point: pointing.BackgroundPoints = None,
    box: pointing.Boxes = None,
    preset: pointing.Preset = None,
    settings: parameters.Settings = None,
    out: Out = Path("hooke-results"),
    jobs: options.Jobs = 4,
    address: options.Address = None,
    as_json: options.AsJson = False,
) -> None:
    """Find the objects in images.

    Writes three files for each image: NAME_labels.tif (0 is background, 1 to N are the objects),
    NAME_overlay.png (the outlines on the image) and NAME_objects.csv (one row of measurements for each
    object).

    SAM finds everything, or what you point at: points mark one object together, each box an object of its
    own. Pixels are counted from the top-left corner. Without --model, these options ask sam.

    --set takes the parameters of every model, by the names that hooke.parameters has, and asks that model.
    Of a whole stack, which cellpose takes, the overlay shows image and objects projected along Z.

    \b
    Examples:
      hooke segment cells.tif
      hooke segment scans/ --model classical --diameter-um 12 --out masks
      hooke segment 'plate/**/*_w2.TIF' --diameter-px 30 --jobs 8
      hooke segment stack.ome.tif --channel 1 --project max
      hooke segment cells.tif --model sam --preset microscopy
      hooke segment cells.tif --point 120,85 --background-point 160,90
      hooke segment cells.tif --box 100,60,50,40 --box 300,20,60,60
      hooke segment stack.tif --set cellpose.cellpose_volume_mode=stitched --set cellpose.stitch_threshold=0.5
    """
    session = options.session_of(context, address, as_json)
    options.check_diameters(diameter_px, diameter_um)
    view = options.view_of(channel, z_index, project, time_index)
    pixel_size = options.pixel_size_of(pixel_size_um)
    pointed = pointing.sam_parameters_of(model, point, background_point, box, preset)
    own = parameters.with_settings(pointed, settings, model, parameters.OF_OBJECTS)
    paths = find_images(images)
    files = {path: ResultFiles.of(out, name) for path, name in result_names(paths).items()}
    _refuse_to_overwrite(paths, list(files.values()))

    async def one(client: AsyncClient, path: Path) -> Segmented:
        answer = await client.segment(
            await source_of(path, axes),
            model=model or parameters.name_of(own),
            expected_diameter_px=diameter_px,
            expected_diameter_um=diameter_um,
            view=view,
            parameters=own,
            pixel_size=pixel_size,
        )
        await asyncio.to_thread(_write, path, axes, view, answer, files[path])
        return Segmented(answer, files[path].labels, files[path].overlay, files[path].objects)

    with session.reporting():
        out.mkdir(parents=True, exist_ok=True)
        outcomes = process(session, paths, one, jobs=jobs, doing="Segmenting")
        session.show([outcome.document() for outcome in outcomes], _segment_table(outcomes))
        found = [outcome.value.answer.provenance for outcome in outcomes if outcome.value is not None]
        parameters.say_unused(session, found)
        raise typer.Exit(failures_of(session, outcomes))


def _write(
    path: Path, axes: str | None, view: View | None, answer: SegmentResult, files: ResultFiles
) -> None:
    from hooke import codecs, masks  # noqa: PLC0415  (bring the image libraries, which `--help` does without)

    assert answer.labels is not None, "a label image was asked for"
    masks.write_label_tiff(files.labels, answer.labels, answer.provenance.pixel_size)
    masks.write_csv(files.objects, answer.instances)
    micrograph = codecs.read(path, axes=axes)
    labels = answer.labels
    if labels.ndim == 3:
        view, labels = replace(view or View(), z_projection="max"), labels.max(axis=0)
    seen = codecs.select_view(micrograph, view, max_channel_count=max(micrograph.pixels.shape))
    masks.write_overlay_png(files.overlay, seen, labels)


def _refuse_to_overwrite(paths: Sequence[Path], files: Sequence[ResultFiles]) -> None:
    inputs = {path.resolve() for path in paths}
    for each in files:
        for path in (each.labels, each.overlay, each.objects):
            if path.resolve() in inputs:
                raise typer.BadParameter(
                    f"{path} is one of the images and would be overwritten.", param_hint="--out"
                )


def _segment_table(outcomes: Sequence[Outcome[Segmented]]) -> Table:
    table = Table("Image", "Model")
    for title in ("Objects", "Median diameter", "Time"):
        table.add_column(title, justify="right")
    table.add_column("Labels", overflow="fold")
    for outcome in outcomes:
        if outcome.value is not None:
            answer = outcome.value.answer
            table.add_row(
                str(outcome.path),
                answer.provenance.model,
                str(len(answer.instances)),
                _median_diameter(answer),
                f"{answer.cost.total_s:.2f} s",
                str(outcome.value.labels_file),
            )
    return table


def _median_diameter(answer: SegmentResult) -> str:
    import statistics  # noqa: PLC0415  (only here)

    if not answer.instances:
        return "-"
    um = [found.equivalent_diameter_um for found in answer.instances if found.equivalent_diameter_um]
    if um:
        return _length(statistics.median(um))
    return f"{statistics.median(found.equivalent_diameter_px for found in answer.instances):.3g} px"


def _length(um: float) -> str:
    """Return a length in the largest unit of which it rounds to one or more; in nanometres below that."""
    unit, size_um = next((each for each in _UNITS_UM if um >= 0.9995 * each[1]), _UNITS_UM[-1])
    return f"{um / size_um:.3g} {unit}"
