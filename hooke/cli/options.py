"""Options that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hooke.cli.session import Session
from hooke.images import PixelSize, View

Address = Annotated[
    str | None,
    typer.Option("--address", metavar="HOST:PORT", help="As `hooke --address`."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Model = Annotated[
    str, typer.Option("--model", "-m", metavar="NAME", help="Model to ask. Default: the server's choice.")
]
Images = Annotated[
    list[str],
    typer.Argument(
        metavar="IMAGE", help="Files, folders (all images in them) and quoted globs ('scans/**/*.tif')."
    ),
]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help="Images under way at the same time.")]
DiameterPx = Annotated[
    float | None,
    typer.Option("--diameter-px", metavar="PX", help="Typical diameter of an object in pixels."),
]
DiameterUm = Annotated[
    float | None,
    typer.Option("--diameter-um", metavar="UM", help="The same in micrometres; needs a known pixel size."),
]
PixelSizeUm = Annotated[
    float | None,
    typer.Option("--pixel-size-um", metavar="UM", help="Size of a pixel, where the files do not say it."),
]
Channels = Annotated[
    list[int] | None,
    typer.Option("--channel", "-c", metavar="N", help="Channel to look at, from 0; may be repeated."),
]
ZIndex = Annotated[int | None, typer.Option("--z", metavar="N", help="Plane of a stack, from 0.")]
Project = Annotated[
    str | None, typer.Option("--project", metavar="max|mean", help="Bring the planes of a stack together.")
]
TimeIndex = Annotated[int | None, typer.Option("--time", metavar="N", help="Time point of a series, from 0.")]
Axes = Annotated[
    str | None,
    typer.Option(
        "--axes",
        metavar="AXES",
        parser=str.upper,
        help="What the pages are, where the files do not say it: ZYX, TYX or CYX.",
    ),
]
CsvFile = Annotated[
    Path | None, typer.Option("--csv", metavar="FILE", help="Write the results as a CSV file, too.")
]


def session_of(context: typer.Context, address: str | None, as_json: bool) -> Session:
    """Return the session, with what was said after the name of the command."""
    root = context.obj
    assert isinstance(root, Session)
    return Session(address or root.address, root.tls, root.timeout_s, as_json or root.as_json)


def view_of(
    channels: list[int] | None, z_index: int | None, project: str | None, time_index: int | None
) -> View | None:
    """Return the view that the options ask for; None: the image as it is."""
    if project not in (None, "max", "mean"):
        raise typer.BadParameter(f"{project!r} is neither 'max' nor 'mean'.", param_hint="--project")
    for name, value in (("--z", z_index), ("--time", time_index), ("--channel", min(channels or [0]))):
        if value is not None and value < 0:
            raise typer.BadParameter(f"{value} is below 0.", param_hint=name)
    if z_index is not None and project is not None:
        raise typer.BadParameter(
            "choose one plane or bring all together, not both.", param_hint="--z, --project"
        )
    view = View(time_index, z_index, project, tuple(channels or ()))
    return None if view == View() else view


def pixel_size_of(size_um: float | None) -> PixelSize | None:
    """Return the pixel size that the option states."""
    return None if size_um is None else PixelSize(positive("--pixel-size-um", size_um), size_um)


def positive(option: str, value: float) -> float:
    """Return a number of an option that must be above 0."""
    if not 0 < value < float("inf"):
        raise typer.BadParameter(f"{value} is not above 0.", param_hint=option)
    return value


def check_diameters(diameter_px: float | None, diameter_um: float | None) -> None:
    """Refuse diameters that cannot be meant."""
    if diameter_px is not None and diameter_um is not None:
        raise typer.BadParameter("give one of them.", param_hint="--diameter-px, --diameter-um")
    for option, value in (("--diameter-px", diameter_px), ("--diameter-um", diameter_um)):
        if value is not None:
            positive(option, value)
