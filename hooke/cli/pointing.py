"""The options by which SAM is told what to segment."""

from __future__ import annotations

from typing import Annotated

import typer

from hooke import Box, SamParameters, SamPoint

Points = Annotated[
    list[str] | None,
    typer.Option("--point", metavar="X,Y", help="SAM: a point in the object, in pixels; may be repeated."),
]
BackgroundPoints = Annotated[
    list[str] | None,
    typer.Option("--background-point", metavar="X,Y", help="SAM: a point outside of it; may be repeated."),
]
Boxes = Annotated[
    list[str] | None,
    typer.Option(
        "--box", metavar="X,Y,W,H", help="SAM: a box around an object: left, top, width, height; repeatable."
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        "--preset", metavar="default|paper|microscopy", help="SAM: how everything in the image is segmented."
    ),
]


def sam_parameters_of(
    model: str,
    points: list[str] | None,
    background_points: list[str] | None,
    boxes: list[str] | None,
    preset: str | None,
) -> SamParameters | None:
    """Return the parameters that the options ask for; None: nothing was said to SAM."""
    said = {"--point": points, "--background-point": background_points, "--box": boxes, "--preset": preset}
    options = ", ".join(name for name, value in said.items() if value)
    if not options:
        return None
    if model not in ("", "sam"):
        raise typer.BadParameter(f"only for sam, not for {model}.", param_hint=options)
    if preset not in (None, "default", "paper", "microscopy"):
        raise typer.BadParameter(f"{preset!r} is none of default, paper, microscopy.", param_hint="--preset")
    inside = [_numbers("--point", text, "X,Y") for text in points or ()]
    outside = [_numbers("--background-point", text, "X,Y") for text in background_points or ()]
    return SamParameters(
        sam_preset=preset,
        points=[
            *(SamPoint(x, y) for x, y in inside),
            *(SamPoint(x, y, background=True) for x, y in outside),
        ],
        boxes=[Box(*_numbers("--box", text, "X,Y,W,H")) for text in boxes or ()],
    )


def _numbers(option: str, text: str, form: str) -> list[float]:
    """Return the numbers of a list such as "12,40"."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != len(form.split(",")):
        raise typer.BadParameter(f"{text!r} is not of the form {form}, in pixels.", param_hint=option)
    return numbers
